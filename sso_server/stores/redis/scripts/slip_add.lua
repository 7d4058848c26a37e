-- uses: slip
-- SlipStore.add. ARGV: now, content, expires_at.
if content() then return 0 end
local ends = tonumber(ARGV[3])
redis.call('DEL', k)
redis.call('HSET', k, 'content', ARGV[2], 'expires_at', string.format('%.0f', ends))
-- Longer than it is good, for nodes whose clocks are behind.
redis.call('PEXPIRE', k, string.format('%.0f', math.max(1, ends - now + 60000)))
return 1
