-- When a local session that opens now must be over: core/sessions.py, local_until.
local function local_until(s, now, max_ms, margin_ms, bounded)
  local absolute_until = tonumber(s.absolute_until) or now
  if bounded then return math.min(now + max_ms, absolute_until) + margin_ms end
  return now + math.min(max_ms, absolute_until - (tonumber(s.created_at) or now)) + margin_ms
end

-- Shared: registering a site under a session. The field is `client/store`, the value what is needed to tell it, as JSON of
-- which `members` (kind, logout_uri, reports) comes ready: making it here takes as long as three commands.
-- An older local session may still live there, so a renewal never makes local_until earlier.
local function register(sid, client, store, members, local_until, now)
  local k, field = key('sites', sid), client .. '/' .. store
  local known, n, registered_at = redis.call('HGET', k, field), nil, nil
  if known then
    local good, old = pcall(cjson.decode, known)
    if good and type(old) == 'table' then
      n, registered_at = tonumber(old.n), tonumber(old.registered_at)
      local_until = math.max(local_until, tonumber(old.local_until) or 0)
    end
  end
  redis.call('HSET', k, field, '{"n":' .. int(n or redis.call('HLEN', k)) .. ',' .. members .. ',"registered_at":'
    .. int(registered_at or now) .. ',"local_until":' .. int(local_until) .. '}')
end

-- Forgets those of the fields whose local sessions must be over by now: they alone need not be told any more, however long
-- the others have been silent. How many stay.
local function forget_over(k, fields, now)
  local count = #fields
  for _, field in ipairs(fields) do
    local good, site = pcall(cjson.decode, redis.call('HGET', k, field))
    local ends_at = good and type(site) == 'table' and tonumber(site.local_until)
    if ends_at and ends_at <= now then
      redis.call('HDEL', k, field)
      count = count - 1
    end
  end
  return count
end

-- Shared: whether one more store of the client (or one more ticket of a CAS site) has room in the session, or is there: an
-- end must stay one short step. Stores and tickets don't take each other's room (a site may take up our SDK).
-- `most_of_all` (nil: however many): of participants, whatever their client. Before the answer is no, those that are over
-- are forgotten. The session has a number for each client, never less than there are: so that not all are looked at each time.
local function has_room(sid, client, store, most, now, most_of_all)
  local k, prefix, stores = key('sites', sid), client .. '/', {}
  local function is_ticket(name)
    return string.match(name, '^[SP]T%-') ~= nil
  end
  if redis.call('HEXISTS', k, prefix .. store) == 1 then return true end
  if most_of_all and redis.call('HLEN', k) >= most_of_all and forget_over(k, redis.call('HKEYS', k), now) >= most_of_all then
    return false
  end
  local session, number = key('session', sid), (is_ticket(store) and 'tickets/' or 'stores/') .. client
  if (tonumber(redis.call('HGET', session, number) or '') or most) < most then
    redis.call('HINCRBY', session, number, 1)
    return true
  end
  for _, field in ipairs(redis.call('HKEYS', k)) do
    local name = string.sub(field, #prefix + 1)
    if name ~= '' and string.sub(field, 1, #prefix) == prefix and is_ticket(name) == is_ticket(store) then
      stores[#stores + 1] = field
    end
  end
  local count = #stores < most and #stores or forget_over(k, stores, now)
  redis.call('HSET', session, number, math.min(count + 1, most))
  return count < most
end
