-- uses: session grants
-- TokenStore.revoke_grants_of in one bucket. ARGV: now, keep_sid, grant ids.
local now, count = tonumber(ARGV[1]), 0
for i = 3, #ARGV do
  local grant = read(key('grant', ARGV[i]))
  if grant and grant.sid ~= ARGV[2] then count = count + revoke_grant(ARGV[i], grant, now) end
end
return count
