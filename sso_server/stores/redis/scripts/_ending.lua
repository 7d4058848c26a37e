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

local function end_session(sid, s, reason, now, bulk)
  s.ended_at, s.end_reason = int(now), reason
  redis.call('HSET', key('session', sid), 'ended_at', s.ended_at, 'end_reason', reason)
  redis.call('ZREM', key('due'), sid)
  redis.call('ZREM', key('live'), sid)
  redis.call('ZADD', key('ended'), s.ended_at, sid)
  -- It names this session: a browser has one that has not ended, and opening another ends it first.
  if s.browser_hash then redis.call('DEL', key('browser', s.browser_hash)) end
  local look_at = now + DAY
  for _, site in ipairs(sites_of(sid)) do
    local state, first_at = state_at_birth(site, now)
    local name = sid .. '/' .. site.client_id .. '/' .. site.store_id
    local row = {
      sid = sid, client_id = site.client_id, store_id = site.store_id, kind = site.kind, logout_uri = site.logout_uri,
      user_id = s.user_id or '', reason = reason, ended_at = s.ended_at, local_until = int(site.local_until),
      state = state, attempt = '0', sends = '0', bulk = bulk and '1' or '0',
      registered_at = int(site.registered_at),
    }
    if first_at then row.next_attempt_at = int(first_at) end
    if is_final(state) then row.final_at = s.ended_at end
    redis.call('HSET', key('row', name), unpack(flat(row)))
    redis.call('RPUSH', key('rows', sid), name)
    index_row(name, row, first_at, now)
    if state == 'pending' and not first_at then look_at = math.min(look_at, site.local_until) end
  end
  redis.call('ZADD', key('purge'), int(look_at), sid)
  deny_session(sid, now)
end

-- Why time ends it: core/ports.py, Sweeps.end_due.
local function time_reason(s, now)
  return now >= (tonumber(s.absolute_until) or 0) and 'absolute' or 'idle'
end
