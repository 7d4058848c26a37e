-- uses: step
-- LocalTokens.take_renewal, by the one clock that all hosts share. ARGV: store, cookie, how long it lasts.
local session = key('session', ARGV[2])
local held = redis.call('HMGET', session, 'access', 'renewing')
if not held[1] then return 0 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- A right that ends later than one given now was given by another clock: by the master before this one.
local ends = tonumber(held[2] or '0')
if now < ends and ends <= now + ARGV[3] then return 0 end
even_when_full()
redis.call('HSET', session, 'renewing', string.format('%.0f', now + ARGV[3]))
return 1
