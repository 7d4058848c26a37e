-- uses: session grants
-- TokenStore.revoke_grants_of in one bucket. ARGV: now, grant ids.
local now, count = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  count = count + revoke_grant(ARGV[i], read(key('grant', ARGV[i])), now)
end
return count
