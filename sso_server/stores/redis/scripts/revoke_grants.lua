-- uses: session denied grants
-- TokenStore.revoke_grants_of and revoke_grants_before in one bucket. ARGV: now, only those made before (0: all),
-- grant ids.
local now, before, count = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for i = 3, #ARGV do
  local grant = read(key('grant', ARGV[i]))
  if grant and (before == 0 or (tonumber(grant.created_at) or 0) < before) then
    count = count + revoke_grant(ARGV[i], grant, now)
  end
end
return count
