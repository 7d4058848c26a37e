-- uses: key session denied grant grants
-- TokenStore.revoke: a refresh token's whole grant, or one access token. ARGV: now, token_hash, kind, client_id.
-- Answer: 1 if there was such a one.
local now, k = tonumber(ARGV[1]), key('token', ARGV[2])
local kind, grant_id, jti, audience, deny_until = unpack(values(k, 'kind', 'grant', 'jti', 'audience', 'deny_until') or {})
local grant = kind == ARGV[3] and grant_values(grant_id or '')
if not grant or grant[1] ~= ARGV[4] then return 0 end
if kind == 'rt' then
  revoke_grant(grant_id, now)
else
  redis.call('DEL', k)
  if jti then deny_token(jti, audience or '', tonumber(deny_until) or 0, now) end
end
return 1
