-- uses: key session denied grants
-- TokenStore.revoke_grant. ARGV: now, grant id. Answer: 1 if there was one.
if not values(key('grant', ARGV[2]), 'client_id') then return 0 end
revoke_grant(ARGV[2], tonumber(ARGV[1]))
return 1
