-- Shared: grants and tokens. A token stays 10 minutes past its end, to be able to say that it has expired.
local KEEP = 600000

local function revoke_grant(grant_id, grant, now)
  if grant and not grant.revoked_at then
    grant.revoked_at = int(now)
    redis.call('HSET', key('grant', grant_id), 'revoked_at', grant.revoked_at)
    for _, pair in ipairs(noted(key('jwts', grant_id), now)) do
      local jti, audience = string.match(pair[1], '^(%S+) (.*)$')
      deny_token(jti, audience, pair[2], now)
    end
    return 1
  end
  return 0
end

-- Life is counted from the `now` of the caller, so that a node whose clock is off does not shorten it.
-- `step`: of a refresh token, from 1 on. `details`: text that the core reads.
local function write_token(hash, kind, grant_id, issued_at, expires_at, step, details)
  local k = key('token', hash)
  redis.call('HSET', k, 'kind', kind, 'grant', grant_id, 'issued_at', int(issued_at), 'expires_at', int(expires_at))
  if step then redis.call('HSET', k, 'step', int(step)) end
  if details and details ~= '' then redis.call('HSET', k, 'details', details) end
  local life = int(math.max(1, expires_at - issued_at + KEEP))
  redis.call('PEXPIRE', k, life)
  -- A grant lives as long as the longest of its tokens.
  if redis.call('PTTL', key('grant', grant_id)) < tonumber(life) then
    redis.call('PEXPIRE', key('grant', grant_id), life)
  end
end

-- Whom an access token is for (`audience`: clients, parted by spaces). Of a JWT also its jti, and until when APIs must refuse
-- it once it is denied; under the session that it names (`sid`, nil: none) and under its grant, where their end looks.
local function describe(hash, grant_id, audience, jti, deny_until, sid, now)
  local k = key('token', hash)
  if audience ~= '' then redis.call('HSET', k, 'audience', audience) end
  if jti == '' then return end
  redis.call('HSET', k, 'jti', jti, 'deny_until', int(deny_until), 'bound', sid and '1' or '0')
  if audience == '' then return end
  note_until(key('jwts', grant_id), jti .. ' ' .. audience, deny_until, now)
  if sid then
    for client in string.gmatch(audience, '%S+') do note_until(key('audiences', sid), client, deny_until, now) end
  end
end

-- A spent refresh token whose answer was lost gets a sibling; of the siblings, the first that is used goes on (`heir`).
local function is_left_behind(token, grant)
  return (tonumber(token.step) or 0) <= (tonumber(grant.heir_step) or 0)
end

-- The person's index lies in another slot and is written first. Whoever is about to make a grant live longer than it is
-- named there answers { 'index', person, grant } instead, nothing done, and comes again with the later `indexed`.
-- Answer: until when it is named, or nil when that is too short.
local function named_until(record, indexed, longest_end)
  local known = math.max(tonumber(indexed), tonumber(record.indexed_until) or 0)
  if longest_end + KEEP <= known then return int(known) end
end

-- The end of a refresh token is cut to the session's, unless the grant outlives sessions.
local function refresh_end(asked, offline, s)
  return offline and asked or math.min(asked, tonumber(s.absolute_until) or 0)
end
