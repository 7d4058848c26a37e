-- uses: session
-- SessionLists.list_live in one bucket, by sid. ARGV: limit, user_id, client_id, older_than_version, opened_before,
-- after_sid, then the sids to look at, when an index named them (else: all that are not ended).
local limit, user, client = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local version, before, after = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local sids = {}
if #ARGV > 6 then
  for i = 7, #ARGV do sids[#sids + 1] = ARGV[i] end
else
  sids = redis.call('ZRANGE', key('due'), 0, -1)
end
table.sort(sids)

local function takes_part(sid)
  for _, field in ipairs(redis.call('HKEYS', key('sites', sid))) do
    if string.sub(field, 1, #client + 1) == client .. '/' then return true end
  end
  return false
end

local found = {}
for _, sid in ipairs(sids) do
  if #found >= limit then break end
  local s = sid > after and read(key('session', sid))
  if s and not s.ended_at
    and (user == '' or s.user_id == user)
    and (version == 0 or (tonumber(s.user_version) or 0) < version)
    and (before == 0 or (tonumber(s.created_at) or 0) < before)
    and (client == '' or takes_part(sid)) then
    found[#found + 1] = flat(s)
  end
end
return found
