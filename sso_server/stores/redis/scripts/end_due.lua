-- uses: key session rows denied ending
-- Sweeps.end_due in one bucket; each session is looked at again before it ends. ARGV: now, limit.
-- Answer: of each that ended what `end` answers.
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local ended = {}
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', key('due'), '-inf', ARGV[1], 'LIMIT', 0, limit)) do
  local session = values(key('session', sid), unpack(SESSION))
  local s = session and times(session)
  if not s or s.ended_at then
    redis.call('ZREM', key('due'), sid)
    redis.call('ZREM', key('live'), sid)
  elseif due_at(s) > now then
    redis.call('ZADD', key('due'), int(due_at(s)), sid)
  else
    local rows = end_session(sid, session, time_reason(s, now), now, true)
    ended[#ended + 1] = { 1, session, rows }
  end
end
return ended
