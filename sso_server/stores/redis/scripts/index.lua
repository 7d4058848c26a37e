-- An entry in a person's index (of sessions, of grants), written before what it names. The only script outside a bucket.
-- KEYS[1]: the index. ARGV: now, until when the entry is of use, the entry. Entries past their use go.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[3])
local life = math.max(1, tonumber(ARGV[2]) - tonumber(ARGV[1]))
if redis.call('PTTL', KEYS[1]) < life then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', life)) end
