-- uses: session denied grants
-- TokenStore.revoke_grant. ARGV: now, grant id. Answer: 1 if there was one.
local grant = read(key('grant', ARGV[2]))
if not grant then return 0 end
revoke_grant(ARGV[2], grant, tonumber(ARGV[1]))
return 1
