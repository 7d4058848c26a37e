-- Shared: writing grants and tokens. A token stays 10 minutes past its end, to be able to say that it has expired.
local KEEP = 600000

local function revoke_grant(grant_id, now)
  local k = key('grant', grant_id)
  -- It always has a client.
  local known = values(k, 'client_id', 'revoked_at')
  if known and not known[2] then
    redis.call('HSET', k, 'revoked_at', int(now))
    for _, pair in ipairs(noted(key('jwts', grant_id), now)) do
      local jti, audience = string.match(pair[1], '^(%S+) (.*)$')
      deny_token(jti, audience, pair[2], now)
    end
    return 1
  end
  return 0
end

-- How long what ends then is kept (ms), counted from the `now` of the caller, so that a node whose clock is off does not
-- shorten it.
local function life(ends_at, now)
  return int(math.max(1, ends_at - now + KEEP))
end

-- One command for all of a token; ARGV[1] is `now`. `ends`: `ends_at` as text. `step`: of a refresh token, from 1 on.
-- `details`: text that the core reads.
local function write_token(hash, kind, grant_id, now, ends_at, ends, step, details, more)
  local k, fields = key('token', hash), more or {}
  if step then fields[#fields + 1], fields[#fields + 2] = 'step', step end
  if details and details ~= '' then fields[#fields + 1], fields[#fields + 2] = 'details', details end
  redis.call('HSET', k, 'kind', kind, 'grant', grant_id, 'issued_at', ARGV[1], 'expires_at', ends, unpack(fields))
  redis.call('PEXPIRE', k, life(ends_at, now))
end

-- A grant lives as long as the longest of its tokens.
local function keep_grant(grant_id, longest_end, now)
  local k, needed = key('grant', grant_id), life(longest_end, now)
  if redis.call('PTTL', k) < tonumber(needed) then redis.call('PEXPIRE', k, needed) end
end

-- Fields that say whom an access token is for (`audience`: clients, parted by spaces). Of a JWT also its jti, and until when
-- APIs must refuse it once it is denied; noted under the session that it names (`sid`, nil: none) and under its grant, where
-- their end looks.
local function described(grant_id, audience, jti, deny_until, sid, now)
  local fields = {}
  if audience ~= '' then fields = { 'audience', audience } end
  if jti == '' then return fields end
  for _, word in ipairs({ 'jti', jti, 'deny_until', int(deny_until), 'bound', sid and '1' or '0' }) do
    fields[#fields + 1] = word
  end
  if audience == '' then return fields end
  note_until(key('jwts', grant_id), jti .. ' ' .. audience, deny_until, now)
  if sid then
    for client in string.gmatch(audience, '%S+') do note_until(key('audiences', sid), client, deny_until, now) end
  end
  return fields
end

-- The person's index lies in another slot and is written first. Whoever is about to make a grant live longer than it is
-- named there (`named`: until when, as the grant says) answers { 'index', person, grant } instead, nothing done, and comes
-- again with the later `indexed`. Answer: until when it is named (text), or nil when that is too short.
local function named_until(named, indexed, longest_end)
  local before, now = tonumber(named) or 0, tonumber(indexed)
  if longest_end + KEEP <= math.max(before, now) then return before >= now and named or indexed end
end

-- The end of a token is cut to the session's (`absolute_until`), unless the grant outlives sessions: as a number and
-- as text.
local function cut_end(asked, offline, absolute_until)
  local asked_at, most = tonumber(asked), not offline and (tonumber(absolute_until) or 0)
  if most and most < asked_at then return most, absolute_until or '0' end
  return asked_at, asked
end
