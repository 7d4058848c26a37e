-- uses: key session grant
-- TokenStore.find_token: valid now, or nothing. ARGV: now, token_hash, kind.
-- Answer: the token (records.py, TOKEN), its grant (GRANT), 1 if its session lives.
local now = tonumber(ARGV[1])
local token = values(key('token', ARGV[2]), 'kind', 'grant', 'issued_at', 'expires_at', 'audience', 'jti', 'details',
  'spent_at', 'step', 'bound')
if not token then return {} end
local kind, grant_id, _, expires_at, _, _, _, spent_at, step, bound = unpack(token)
if kind ~= ARGV[3] or spent_at or now >= (tonumber(expires_at) or 0) then return {} end
local grant = grant_values(grant_id or '')
if not grant then return {} end
local _, sid, _, _, _, _, offline, _, revoked_at, _, _, heir_step = unpack(grant)
if revoked_at or kind == 'rt' and is_left_behind(step, heir_step) then return {} end
local in_session = lives(sid or '', now)
if not in_session and (offline ~= '1' or bound == '1') then return {} end
return { token, grant, in_session and 1 or 0 }
