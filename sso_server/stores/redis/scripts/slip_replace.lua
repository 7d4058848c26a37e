-- uses: slip
-- SlipStore.replace. ARGV: now, was, content.
if content() ~= ARGV[2] then return 0 end
redis.call('HSET', k, 'content', ARGV[3])
return 1
