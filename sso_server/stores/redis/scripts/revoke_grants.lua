-- uses: key session denied grants
-- TokenStore.revoke_grants_of and revoke_grants_before in one bucket. ARGV: now, only those made before (0: all),
-- only those of this client (empty: of any), grant ids.
local now, before, count = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
for i = 4, #ARGV do
  local grant = values(key('grant', ARGV[i]), 'client_id', 'created_at')
  if grant and (before == 0 or (tonumber(grant[2]) or 0) < before) and (ARGV[3] == '' or grant[1] == ARGV[3]) then
    count = count + revoke_grant(ARGV[i], now)
  end
end
return count
