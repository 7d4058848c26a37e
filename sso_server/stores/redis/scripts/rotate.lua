-- uses: key session denied grant grants
-- TokenStore.rotate. The order of the checks is that of core/ports.py.
-- ARGV: now, token_hash, client_id, grace_ms, access hash, access end, refresh hash, refresh end, indexed
-- (see named_until), the access token's audience (clients, parted by spaces), jti (empty: opaque), deny_until,
-- details of the access token, of the refresh token.
-- Answer: why not (empty: it was renewed), the grant's id, the grant (records.py, GRANT), its live session (SESSION), 1 if a
-- spent token came back.
local now, hash, client, grace = tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local k = key('token', hash)
local token = values(k, 'kind', 'grant', 'expires_at', 'spent_at', 'step')
local kind, grant_id, expires_at, spent_at, step = unpack(token or {})
expires_at = tonumber(expires_at)
local grant = kind == 'rt' and grant_values(grant_id or '')
if not grant or not expires_at then return { 'ticket_unknown', '', {}, {}, 0 } end
local owner, sid, user_id, _, _, _, outlives, _, revoked_at, _, heir, heir_step, named = unpack(grant)

local offline = outlives == '1'
local session = values(key('session', sid or ''), unpack(SESSION))
local s = session and times(session)
local live = is_live(s, now)
local function answer(refusal, reused)
  return { refusal, grant_id, grant, live and session or {}, reused and 1 or 0 }
end

if not (offline or live) then return answer('session_ended') end
-- Shown again although the family is revoked: the answer of before may have been lost, and with it the alarm.
local comes_back = spent_at and now - tonumber(spent_at) > grace
if revoked_at and not comes_back then return answer('grant_revoked') end
if owner ~= client then
  revoke_grant(grant_id, now)
  return answer('ticket_other_client')
end
if now >= expires_at then return answer('ticket_expired') end
if comes_back then
  revoke_grant(grant_id, now)
  return answer('ticket_used', true)
end
if heir ~= hash and is_left_behind(step, heir_step) then return answer('ticket_used') end
-- No refresh hash: the presented token stays as it is.
local stays = ARGV[7] == ''
local access_end = tonumber(ARGV[6])
local refresh_until, cut_ends = 0, nil
if not stays then refresh_until, cut_ends = cut_end(ARGV[8], offline, s and s.absolute_until) end
local longest_end = math.max(access_end, refresh_until)
local indexed = named_until(named, ARGV[9], longest_end)
if not indexed then return { 'index', user_id, grant_id } end
step = tonumber(step) or 0
local changes = {}
if indexed ~= named then changes = { 'indexed_until', indexed } end
if not stays then
  for _, word in ipairs({ 'heir', hash, 'heir_step', int(step) }) do changes[#changes + 1] = word end
  if not spent_at then redis.call('HSET', k, 'spent_at', ARGV[1]) end
end
if #changes > 0 then redis.call('HSET', key('grant', grant_id), unpack(changes)) end
local more = described(grant_id, ARGV[10], ARGV[11], tonumber(ARGV[12]), live and sid or nil, now)
write_token(ARGV[5], 'at', grant_id, now, access_end, ARGV[6], nil, ARGV[13], more)
if not stays then write_token(ARGV[7], 'rt', grant_id, now, refresh_until, cut_ends, int(step + 1), ARGV[14]) end
keep_grant(grant_id, longest_end, now)
return answer('')
