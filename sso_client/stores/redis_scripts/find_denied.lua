-- uses: step host
-- DeniedTokens.find. ARGV: store, now, host, then `sid:<sid>` and `jti:<jti>` where there are such.
local denied = 0
for i = 4, #ARGV do
    local until_ms = redis.call('ZSCORE', key('denied'), ARGV[i])
    if until_ms and tonumber(until_ms) > tonumber(ARGV[2]) then denied = 1 end
end
local state, lease = redis.call('HMGET', key('state'), 'denied_to', 'epoch_seen_ms'), lease_of(ARGV[3])
-- A list that Redis threw away says nothing: no lease covers that before it was fetched again.
if state[1] and not redis.call('ZSCORE', key('denied'), 'kept') then lease[1] = false end
return { lease, denied, state[1], state[2] }
