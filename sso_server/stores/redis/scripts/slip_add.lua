-- uses: slip
-- SlipStore.add. ARGV: now, content, expires_at.
if content() then return 0 end
redis.call('DEL', k)
redis.call('HSET', k, 'content', ARGV[2])
keep_until(tonumber(ARGV[3]))
return 1
