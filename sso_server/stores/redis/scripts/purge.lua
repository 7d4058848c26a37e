-- uses: key session rows
-- Sweeps.purge in one bucket: sessions that ended over a day ago and that nobody needs. ARGV: now, limit.
-- `purge` says when to look at a session next. Answer: how many were looked at, then sid and person of each that went.
local now, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local sids = redis.call('ZRANGEBYSCORE', key('purge'), '-inf', ARGV[1], 'LIMIT', 0, limit)
local gone, changed = {}, 0

local function is_given_up(row)
  if row.state ~= 'refused' and row.state ~= 'abandoned' then return false end
  return row.store_id ~= '' or is_offered(row)
end

for _, sid in ipairs(sids) do
  local s = read(key('session', sid)) or {}
  local ended_at = tonumber(s.ended_at) or 0
  local needed, look_at = false, now + 30 * DAY
  local function keep(until_at)
    needed = true
    if until_at > now then look_at = math.min(look_at, until_at) end
  end
  if now <= ended_at + DAY then keep(ended_at + DAY + 1) end
  local names = row_names(sid)
  for _, name in ipairs(names) do
    local row = read(key('row', name))
    if row then
      local local_until = tonumber(row.local_until) or 0
      if row.state == 'pending' and not row.next_attempt_at and local_until <= now then
        -- Only its check-in could have told it, and by now its local session is over anyway.
        set_state(name, row, 'moot', nil, now)
        changed = changed + 1
      end
      if not is_final(row.state) then
        keep(row.next_attempt_at and now + 3600000 or local_until)
      elseif row.archived ~= '1' then
        keep(now + 3600000)
      elseif local_until > now and row.state ~= 'acknowledged' and (has_sdk(row)
        -- What push gave up, its site may still hear by a poll, or by an operator's retry.
        or is_given_up(row)) then
        keep(local_until)
      end
    end
  end
  if needed then
    redis.call('ZADD', key('purge'), int(look_at), sid)
  else
    for _, name in ipairs(names) do
      local row = read(key('row', name))
      if row then redis.call('ZREM', unacked_key(row), sid) end
      redis.call('ZREM', key('outbox'), name)
      redis.call('ZREM', key('bulk'), name)
      redis.call('ZREM', key('archive'), name)
      redis.call('ZREM', key('unfinished'), name)
      redis.call('DEL', key('row', name))
    end
    for _, field in ipairs({ 'cookie_hash', 'previous_cookie_hash' }) do
      if s[field] and s[field] ~= '' then redis.call('DEL', key('cookie', s[field])) end
    end
    redis.call('DEL', key('rows', sid), key('sites', sid), key('session', sid))
    redis.call('ZREM', key('ended'), sid)
    redis.call('ZREM', key('purge'), sid)
    gone[#gone + 1] = sid
    gone[#gone + 1] = s.user_id or ''
  end
end
return { changed, gone }
