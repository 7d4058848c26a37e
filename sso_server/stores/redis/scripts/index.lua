-- An entry in a person's index (of sessions, of grants), written before what it names. The only script outside a bucket.
-- KEYS[1]: the index. ARGV: now, until when the entry is of use, the entry. Entries past their use go.
local now, useful_until = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
local known = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[3]) or '0')
if useful_until > known then redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3]) end
local life = string.format('%.0f', math.max(1, useful_until - now))
if redis.call('PTTL', KEYS[1]) < tonumber(life) then redis.call('PEXPIRE', KEYS[1], life) end
