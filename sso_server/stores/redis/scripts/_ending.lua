-- Shared: the end of a session with its notifications. Every script that ends one ends it here.

-- core/notifications.py, state_at_birth: keep these lines equal to those.
local function state_at_birth(site, ended_at)
  if site.local_until <= ended_at then return 'moot', nil end
  if site.kind == 'poll' then return 'pending', nil end
  if site.logout_uri == '' then return has_sdk(site) and 'pending' or 'no_address', nil end
  return 'pending', ended_at
end

-- The map session -> registered sites, in the order of registration.
local function sites_of(sid)
  local flat_sites = redis.pcall('HGETALL', key('sites', sid))
  local list = {}
  if flat_sites.err then return list end
  for i = 1, #flat_sites, 2 do
    local good, site = pcall(cjson.decode, flat_sites[i + 1])
    local client, store = string.match(flat_sites[i], '^([^/]*)/([^/]*)$')
    if client then
      -- A value that nobody can read still names a site, and the site must be told as well as it can be.
      if not good or type(site) ~= 'table' then site = {} end
      list[#list + 1] = {
        client_id = client,
        store_id = store,
        kind = tostring(site.kind or (string.match(store, '^[SP]T%-') and 'cas' or 'oidc')),
        logout_uri = type(site.logout_uri) == 'string' and site.logout_uri or '',
        local_until = tonumber(site.local_until) or 9007199254740991,
        registered_at = tonumber(site.registered_at) or 0,
        n = tonumber(site.n) or 0,
      }
    end
  end
  table.sort(list, function(a, b)
    if a.n ~= b.n then return a.n < b.n end
    return a.client_id .. '/' .. a.store_id < b.client_id .. '/' .. b.store_id
  end)
  return list
end

-- `session`: its values, the end among them from here on. Answer: the rows (records.py, ROW).
local function end_session(sid, session, reason, now, bulk)
  local at, is_bulk = int(now), bulk and '1' or '0'
  session[18], session[19] = at, reason
  redis.call('HSET', key('session', sid), 'ended_at', at, 'end_reason', reason)
  redis.call('ZREM', key('due'), sid)
  redis.call('ZREM', key('live'), sid)
  redis.call('ZADD', key('ended'), at, sid)
  -- It names this session: a browser has one that has not ended, and opening another ends it first.
  if session[4] then redis.call('DEL', key('browser', session[4])) end
  local look_at, user_id = now + DAY, session[2] or ''
  -- What index_row does for one that changes; of those that are born nothing stands anywhere yet.
  local rows, names, due, final, unfinished = {}, {}, {}, {}, {}
  for i, site in ipairs(sites_of(sid)) do
    local state, first_at = state_at_birth(site, now)
    local name = sid .. '/' .. site.client_id .. '/' .. site.store_id
    local row = {
      sid, site.client_id, site.store_id, site.kind, site.logout_uri, user_id, reason, at, int(site.local_until), state, '0',
      first_at and at or false, false, false, is_final(state) and at or false, false, false, is_bulk, '0',
      int(site.registered_at),
    }
    redis.call('HSET', key('row', name), 'sid', sid, 'client_id', row[2], 'store_id', row[3], 'kind', row[4],
      'logout_uri', row[5], 'user_id', user_id, 'reason', reason, 'ended_at', at, 'local_until', row[9], 'state', state,
      'attempt', '0', 'bulk', is_bulk, 'sends', '0', 'registered_at', row[20],
      -- At most one of the two.
      unpack(first_at and { 'next_attempt_at', at } or is_final(state) and { 'final_at', at } or {}))
    rows[i], names[i] = row, name
    if first_at then due[#due + 1], due[#due + 2] = at, name end
    local list = is_final(state) and final or unfinished
    list[#list + 1], list[#list + 2] = at, name
    site.state, site.sid = state, sid
    if is_unacked(site) then redis.call('ZADD', unacked_key(site), at, sid) end
    if state == 'pending' and not first_at then look_at = math.min(look_at, site.local_until) end
  end
  in_parts(names, function(...) redis.call('RPUSH', key('rows', sid), ...) end)
  add_all(key(bulk and 'bulk' or 'outbox'), due)
  add_all(key('archive'), final)
  add_all(key('unfinished'), unfinished)
  redis.call('ZADD', key('purge'), int(look_at), sid)
  deny_session(sid, now)
  return rows
end

-- Why time ends it: core/ports.py, Sweeps.end_due.
local function time_reason(s, now)
  return now >= (tonumber(s.absolute_until) or 0) and 'absolute' or 'idle'
end
