-- uses: key session rows
-- Archive.mark_archived in one bucket. ARGV: for each row its name, its state and its final_at as the audit has them.
-- One that has changed since stays on the list. The next purge looks at the session.
for i = 1, #ARGV, 3 do
  local k = key('row', ARGV[i])
  local now_is = redis.call('HMGET', k, 'state', 'final_at', 'sid')
  if now_is[1] == ARGV[i + 1] and now_is[2] == ARGV[i + 2] then
    redis.call('HSET', k, 'archived', '1')
    redis.call('ZREM', key('archive'), ARGV[i])
    if now_is[3] then redis.call('ZADD', key('purge'), 'XX', 0, now_is[3]) end
  end
end
