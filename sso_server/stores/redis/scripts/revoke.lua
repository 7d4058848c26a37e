-- uses: session denied grants
-- TokenStore.revoke: a refresh token's whole grant, or one access token. ARGV: now, token_hash, kind, client_id.
-- Answer: 1 if there was such a one.
local token = read(key('token', ARGV[2]))
local grant = token and token.kind == ARGV[3] and read(key('grant', token.grant or ''))
if not grant or grant.client_id ~= ARGV[4] then return 0 end
if token.kind == 'rt' then
  revoke_grant(token.grant, grant, tonumber(ARGV[1]))
else
  redis.call('DEL', key('token', ARGV[2]))
  if token.jti then deny_token(token.jti, token.audience or '', tonumber(token.deny_until) or 0, tonumber(ARGV[1])) end
end
return 1
