-- uses: step host
-- DeniedTokens.find. ARGV: store, now, host, then `sid:<sid>` and `jti:<jti>` where there are such.
local denied = 0
for i = 4, #ARGV do
    local until_ms = redis.call('ZSCORE', key('denied'), ARGV[i])
    if until_ms and tonumber(until_ms) > tonumber(ARGV[2]) then denied = 1 end
end
return { lease_of(ARGV[3]), denied, redis.call('HGET', key('state'), 'denied_to') }
