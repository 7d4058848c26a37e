-- uses: key session rows sites
-- CheckInStore.check_in in one bucket: acknowledgements and activity in, ends out.
-- ARGV: now, limit, client_id, store_id, how to tell it (see register), local_max_ms, margin_ms, most_in_session, from where to read the
-- client's feed of what its APIs must refuse (-1: not at all) and how much of it, then three lists of sids (acks, active,
-- live), each led by its length.
-- Answer: unknown sids with their end, rows (sid, reason, ended_at), whether there are more, entries and places of the feed.
local now, limit, client, store = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local field, at = client .. '/' .. store, 11
local function each(act)
  local length = tonumber(ARGV[at])
  for i = at + 1, at + length do act(ARGV[i]) end
  at = at + length + 1
end

each(function(sid)
  local name = sid .. '/' .. field
  local row = brief(name)
  if row and row.state ~= 'acknowledged' then set_state(name, row, 'acknowledged', nil, now) end
end)
each(function(sid)
  local s = glance(sid)
  if is_live(s, now) and redis.call('HEXISTS', key('sites', sid), field) == 1 then touch(sid, s, now) end
end)
-- An instant as we write it; nil for what somebody else wrote.
local function instant(text)
  return string.match(text or '', '^%d+$')
end
-- Whether this client redeemed a ticket in the session, with whatever store: a sid is no secret, and knowing one must not
-- be enough to join a session, keep it alive or end it.
local function is_own(sid)
  for _, name in ipairs(redis.call('HKEYS', key('sites', sid))) do
    if string.sub(name, 1, #client + 1) == client .. '/' then return true end
  end
  return false
end
local unknown = {}
each(function(sid)
  local s = glance(sid)
  if not is_live(s, now) or not is_own(sid) or not has_room(sid, client, store, tonumber(ARGV[8]), now) then
    unknown[#unknown + 1] = { sid, s and instant(s.ended_at) or ARGV[1] }
  elseif redis.call('HEXISTS', key('sites', sid), field) == 0 then
    local until_ms = local_until(s, now, tonumber(ARGV[6]), tonumber(ARGV[7]), true)
    register(sid, client, store, ARGV[5], until_ms, now)
  end
end)

local k, rows, from, more = key('unacked', field), {}, 0, 0
while more == 0 do
  local sids = redis.call('ZRANGE', k, from, from + limit)
  if #sids == 0 then break end
  for _, sid in ipairs(sids) do
    local row = values(key('row', sid .. '/' .. field), 'sid', 'state', 'local_until', 'reason', 'ended_at')
    local _, state, ends_at, reason, ended_at = unpack(row or {})
    local moot = state == 'moot' and (tonumber(ends_at) or 0) <= now
    if not row or state == 'acknowledged' or moot then
      redis.call('ZREM', k, sid)
    elseif #rows >= limit then
      more = 1
      break
    else
      -- A list with a hole must never renew a lease: an unreadable row makes the whole call fail.
      if not reason or not instant(ended_at) then return redis.error_reply('ERR broken row ' .. sid) end
      rows[#rows + 1] = { sid, reason, ended_at }
      from = from + 1
    end
  end
end
local feed, from_place = {}, tonumber(ARGV[9])
if from_place >= 0 then
  local time = redis.call('TIME')
  -- From another clock than this one: all of it.
  if from_place > tonumber(time[1]) * 1000000 + tonumber(time[2]) then from_place = 0 end
  feed = redis.call(
    'ZRANGEBYSCORE', key('denied', client), int(from_place), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[10])
end
return { unknown, rows, more, feed }
