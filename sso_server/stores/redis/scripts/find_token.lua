-- uses: session denied grants
-- TokenStore.find_token: valid now, or nothing. ARGV: now, token_hash, kind.
local now = tonumber(ARGV[1])
local token = read(key('token', ARGV[2]))
if not token or token.kind ~= ARGV[3] or token.spent_at or now >= (tonumber(token.expires_at) or 0) then return {} end
local grant = read(key('grant', token.grant or ''))
if not grant or grant.revoked_at then return {} end
if token.kind == 'rt' and is_left_behind(token, grant) then return {} end
local in_session = is_live(glance(grant.sid or ''), now)
if not in_session and (grant.offline ~= '1' or token.bound == '1') then return {} end
return { flat(token), flat(grant), in_session and 1 or 0 }
