-- uses: key session
-- CheckInStore.registered in one bucket. ARGV: client_id, sids.
local prefix, found = ARGV[1] .. '/', {}
for i = 2, #ARGV do
  local s = glance(ARGV[i])
  if s and not s.ended_at then
    for _, field in ipairs(redis.call('HKEYS', key('sites', ARGV[i]))) do
      if string.sub(field, 1, #prefix) == prefix then
        found[#found + 1] = ARGV[i]
        break
      end
    end
  end
end
return found
