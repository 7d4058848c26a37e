-- uses: session rows ending
-- SessionStore.end: the session ends and its notifications are written, once. ARGV: now, sid, reason, bulk.
local now, sid, reason = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local s = read(key('session', sid))
if not s then return { 0, {}, {} } end
local first = not s.ended_at
if first then end_session(sid, s, reason, now, ARGV[4] == '1') end
return { first and 1 or 0, flat(s), flat_rows(sid) }
