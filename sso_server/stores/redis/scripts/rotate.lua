-- uses: session denied grants
-- TokenStore.rotate. The order of the checks is that of core/ports.py.
-- ARGV: now, token_hash, client_id, grace_ms, access hash, access end, refresh hash, refresh end, indexed
-- (see named_until), the access token's audience (clients, parted by spaces), jti (empty: opaque), deny_until,
-- details of the access token, of the refresh token.
local now, hash, client, grace = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local token = read(key('token', hash))
local grant = token and token.kind == 'rt' and read(key('grant', token.grant or ''))
local expires_at = token and tonumber(token.expires_at)
if not grant or not expires_at then return { 'ticket_unknown', '', {}, {}, 0 } end

local offline = grant.offline == '1'
local s = read(key('session', grant.sid or ''))
local live = is_live(s, now)
local function answer(refusal, reused)
  return { refusal, token.grant, flat(grant), flat(live and s), reused and 1 or 0 }
end

if not (offline or live) then return answer('session_ended') end
-- Shown again although the family is revoked: the answer of before may have been lost, and with it the alarm.
local comes_back = token.spent_at and now - tonumber(token.spent_at) > grace
if grant.revoked_at and not comes_back then return answer('grant_revoked') end
if grant.client_id ~= client then
  revoke_grant(token.grant, grant, now)
  return answer('ticket_other_client')
end
if now >= expires_at then return answer('ticket_expired') end
if comes_back then
  revoke_grant(token.grant, grant, now)
  return answer('ticket_used', true)
end
if grant.heir ~= hash and is_left_behind(token, grant) then return answer('ticket_used') end
-- No refresh hash: the presented token stays as it is.
local stays = ARGV[7] == ''
local access_end = tonumber(ARGV[6])
local refresh_until = stays and 0 or refresh_end(tonumber(ARGV[8]), offline, s)
local indexed = named_until(grant, ARGV[9], math.max(access_end, refresh_until))
if not indexed then return { 'index', grant.user_id, token.grant } end
if indexed ~= grant.indexed_until then redis.call('HSET', key('grant', token.grant), 'indexed_until', indexed) end
local step = tonumber(token.step) or 0
if not stays then redis.call('HSET', key('grant', token.grant), 'heir', hash, 'heir_step', int(step)) end
if not stays and not token.spent_at then redis.call('HSET', key('token', hash), 'spent_at', int(now)) end
write_token(ARGV[5], 'at', token.grant, now, access_end, nil, ARGV[13])
describe(ARGV[5], token.grant, ARGV[10], ARGV[11], tonumber(ARGV[12]), live and grant.sid or nil, now)
if not stays then write_token(ARGV[7], 'rt', token.grant, now, refresh_until, step + 1, ARGV[14]) end
return answer('')
