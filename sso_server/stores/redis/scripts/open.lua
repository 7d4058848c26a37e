-- uses: session rows denied ending
-- SessionStore.open: one live session per browser.
-- ARGV: now, overlap_ms, sid that the person's index names (with a score late enough), digest of the cookie that the
-- browser shows, the candidate's fields and values.
local now, overlap, indexed, shown = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local new = {}
for i = 5, #ARGV, 2 do new[ARGV[i]] = ARGV[i + 1] end

local browser = key('browser', new.browser_hash)
local old_sid = redis.call('GET', browser)
local old = old_sid and read(key('session', old_sid))
local replaced = {}

if is_live(old, now) and old.user_id == new.user_id then
  -- The index must name this sid, for as long as it may now live, before it may live that long.
  if indexed ~= old_sid then return { 'index', old_sid } end
  local k = key('session', old_sid)
  if old.previous_cookie_hash and old.previous_cookie_hash ~= '' and old.previous_cookie_hash ~= new.cookie_hash then
    redis.call('DEL', key('cookie', old.previous_cookie_hash))
  end
  redis.call('HSET', k, 'previous_cookie_hash', old.cookie_hash, 'previous_cookie_until', int(now + overlap))
  for _, field in ipairs({ 'cookie_hash', 'auth_time', 'amr', 'user_version', 'user_agent', 'address', 'remembered' }) do
    redis.call('HSET', k, field, new[field])
  end
  redis.call('HSET', k, 'absolute_until', int(math.max(tonumber(old.absolute_until), tonumber(new.absolute_until))))
  if new.idle_off == '1' then redis.call('HSET', k, 'idle_off', '1') end
  redis.call('SET', key('cookie', new.cookie_hash), old_sid)
  local s = read(k)
  touch(old_sid, s, tonumber(new.last_active_at))
  return { 'renewed', flat(s), {} }
end

-- core/sessions.py, Session.is_cookie.
local function is_cookie(s)
  return shown == s.cookie_hash
    or (shown ~= '' and shown == s.previous_cookie_hash and now < (tonumber(s.previous_cookie_until) or 0))
end

if is_live(old, now) and not is_cookie(old) then return { 'taken' } end
if old and not old.ended_at then
  end_session(old_sid, old, is_live(old, now) and 'replaced' or time_reason(old, now), now, not is_live(old, now))
  replaced = flat(old)
end
redis.call('HSET', key('session', new.sid), unpack(flat(new)))
redis.call('SET', browser, new.sid)
redis.call('SET', key('cookie', new.cookie_hash), new.sid)
redis.call('ZADD', key('due'), int(due_at(new)), new.sid)
redis.call('ZADD', key('live'), 0, new.sid)
return { 'opened', flat(new), replaced }
