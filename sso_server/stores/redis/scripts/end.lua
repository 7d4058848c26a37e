-- uses: session rows denied ending
-- SessionStore.end: the session ends and its notifications are written, once. ARGV: now, sid, reason, bulk,
local now, sid, reason = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local s = read(key('session', sid))
local first = s and not s.ended_at
if first then end_session(sid, s, reason, now, ARGV[4] == '1') else deny_unknown(sid, now) end
if not s then return { 0, {}, {} } end
return { first and 1 or 0, flat(s), flat_rows(sid) }
