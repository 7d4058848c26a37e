-- uses: key session rows denied ending
-- SessionStore.end: the session ends and its notifications are written, once. ARGV: now, sid, reason, bulk.
-- Answer: whether this call ended it, the session (records.py, SESSION), its rows (ROW).
local now, sid = tonumber(ARGV[1]), ARGV[2]
local session = values(key('session', sid), unpack(SESSION))
if session and not session[18] then return { 1, session, end_session(sid, session, ARGV[3], now, ARGV[4] == '1') } end
deny_unknown(sid, now)
if not session then return { 0, {}, {} } end
return { 0, session, rows_of(sid) }
