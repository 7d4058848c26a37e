-- Shared: what APIs must refuse. `denied` of a client is its feed: `<sid or jti>/<until>` by this server's clock in
-- microseconds; each entry of a script has a place of its own.
local denied_here = 0

local function deny(client, name, until_ms, now)
  local k, time = key('denied', client), redis.call('TIME')
  -- Some whose time is over go with each that comes.
  for _, member in ipairs(redis.call('ZRANGE', k, 0, 9)) do
    if (tonumber(string.match(member, '/(%d+)$')) or 0) > now then break end
    redis.call('ZREM', k, member)
  end
  redis.call('ZADD', k, int(tonumber(time[1]) * 1000000 + tonumber(time[2]) + denied_here), name .. '/' .. int(until_ms))
  denied_here = denied_here + 1
  local life = until_ms - now
  if redis.call('PTTL', k) < life then redis.call('PEXPIRE', k, int(life)) end
end

-- Adds one member with its end to a set that lives as long as its longest.
local function note_until(k, member, until_ms, now)
  redis.call('ZADD', k, 'GT', int(until_ms), member)
  local life = math.max(1, until_ms - now)
  if redis.call('PTTL', k) < life then redis.call('PEXPIRE', k, int(life)) end
end

-- The members of such a set that matter now, each with its end.
local function noted(k, now)
  local flat_members, list = redis.call('ZRANGEBYSCORE', k, '(' .. int(now), '+inf', 'WITHSCORES'), {}
  for i = 1, #flat_members, 2 do list[#list + 1] = { flat_members[i], tonumber(flat_members[i + 1]) } end
  return list
end

-- Every API for which the session has JWT access tokens must refuse its sid; after a loss (SessionStore.note_forgotten), too,
-- those for which any may have some.
local function deny_session(sid, now)
  local untils = {}
  for _, k in ipairs({ key('audiences', sid), key('audiences') }) do
    for _, pair in ipairs(noted(k, now)) do untils[pair[1]] = math.max(untils[pair[1]] or 0, pair[2]) end
  end
  for client, until_ms in pairs(untils) do deny(client, sid, until_ms, now) end
end

-- The same for a session that is not there, or had ended before: only after a loss can there be any.
local function deny_unknown(sid, now)
  for _, pair in ipairs(noted(key('audiences'), now)) do deny(pair[1], sid, pair[2], now) end
end

-- A JWT access token by its jti; `audience`: clients, parted by spaces.
local function deny_token(jti, audience, until_ms, now)
  for client in string.gmatch(audience, '%S+') do
    if until_ms > now then deny(client, jti, until_ms, now) end
  end
end
