-- uses: session rows denied ending
-- Sweeps.end_due in one bucket; each session is looked at again before it ends. ARGV: now, limit.
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local ended = {}
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', key('due'), '-inf', ARGV[1], 'LIMIT', 0, limit)) do
  local s = read(key('session', sid))
  if not s or s.ended_at then
    redis.call('ZREM', key('due'), sid)
    redis.call('ZREM', key('live'), sid)
  elseif due_at(s) > now then
    redis.call('ZADD', key('due'), int(due_at(s)), sid)
  else
    end_session(sid, s, time_reason(s, now), now, true)
    ended[#ended + 1] = { 1, flat(s), flat_rows(sid) }
  end
end
return ended
