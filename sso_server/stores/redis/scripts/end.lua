-- uses: session rows denied ending
-- SessionStore.end: the session ends and its notifications are written, once. ARGV: now, sid, reason, bulk,
-- and after a loss the clients whose APIs may have tokens that are forgotten here (parted by spaces), and until when.
local now, sid, reason = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local s = read(key('session', sid))
local also, also_until = ARGV[5], tonumber(ARGV[6])
if not s then
  deny_session(sid, now, also, also_until)
  return { 0, {}, {} }
end
local first = not s.ended_at
if first then end_session(sid, s, reason, now, ARGV[4] == '1', also, also_until) end
return { first and 1 or 0, flat(s), flat_rows(sid) }
