-- Takes one attempt back, as if it had not been made. KEYS[1]: the counter.
local known = redis.call('HMGET', KEYS[1], 'count', 'previous_at')
local count = tonumber(known[1] or '') or 0
if count <= 1 then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'count', count - 1)
  if known[2] then
    redis.call('HSET', KEYS[1], 'last_at', known[2])
    redis.call('HDEL', KEYS[1], 'previous_at')
  end
end
