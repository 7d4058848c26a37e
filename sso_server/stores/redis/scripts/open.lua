-- uses: key session rows denied ending
-- SessionStore.open: one live session per browser.
-- ARGV: now, overlap_ms, sid that the person's index names (with a score late enough), digest of the cookie that the
-- browser shows, the candidate's values (records.py, SESSION, but for its end).
-- Answer: what was done, then, if a session was opened or renewed, that session and the one that it replaced (SESSION).
local now, overlap, indexed, shown = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local new = { unpack(ARGV, 5, 21) }
local new_sid, user_id, user_version, browser_hash, cookie_hash = unpack(new)

local browser = key('browser', browser_hash)
local old_sid = redis.call('GET', browser)
local old = old_sid and values(key('session', old_sid), unpack(SESSION))
local s = old and times(old)
local lives, replaced = is_live(s, now), {}

if lives and old[2] == user_id then
  -- The index must name this sid, for as long as it may now live, before it may live that long.
  if indexed ~= old_sid then return { 'index', old_sid } end
  local previous = old[16]
  if previous and previous ~= '' and previous ~= cookie_hash then redis.call('DEL', key('cookie', previous)) end
  old[16], old[17] = old[5], int(now + overlap)
  -- What the person has proven and where, now.
  for _, i in ipairs({ 3, 5, 6, 7, 12, 13, 14 }) do old[i] = new[i] end
  old[11] = int(math.max(tonumber(old[11]), tonumber(new[11])))
  if new[15] == '1' then old[15] = '1' end
  local fields = {}
  for _, i in ipairs({ 3, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17 }) do
    if old[i] then fields[#fields + 1], fields[#fields + 2] = SESSION[i], old[i] end
  end
  redis.call('HSET', key('session', old_sid), unpack(fields))
  redis.call('SET', key('cookie', cookie_hash), old_sid)
  s = times(old)
  touch(old_sid, s, tonumber(new[9]))
  old[9] = s.last_active_at
  return { 'renewed', old, {} }
end

-- core/sessions.py, Session.is_cookie.
local function is_cookie()
  return shown == old[5] or (shown ~= '' and shown == old[16] and now < (tonumber(old[17]) or 0))
end

if lives and not is_cookie() then return { 'taken' } end
if old and not s.ended_at then
  end_session(old_sid, old, lives and 'replaced' or time_reason(s, now), now, not lives)
  replaced = old
end
local fields = {}
for i, value in ipairs(new) do fields[#fields + 1], fields[#fields + 2] = SESSION[i], value end
redis.call('HSET', key('session', new_sid), unpack(fields))
redis.call('SET', browser, new_sid)
redis.call('SET', key('cookie', cookie_hash), new_sid)
redis.call('ZADD', key('due'), int(due_at(times(new))), new_sid)
redis.call('ZADD', key('live'), 0, new_sid)
return { 'opened', new, replaced }
