-- uses: key session
-- SessionLists.list_live in one bucket, by sid, one page. ARGV: limit, how many sids to look at, user_id, client_id,
-- older_than_version, opened_before, after_sid, then the sids to look at, when an index named them (else: all that have
-- not ended). Answer: the sessions (records.py, SESSION), and after which sid to go on (empty: this was the last page).
local limit, page, user, client = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local version, before, after = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
local sids = {}
if #ARGV > 7 then
  for i = 8, #ARGV do
    if ARGV[i] > after then sids[#sids + 1] = ARGV[i] end
  end
  page = #sids + 1
else
  sids = redis.call('ZRANGEBYLEX', key('live'), after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, page)
end

local function takes_part(sid)
  for _, field in ipairs(redis.call('HKEYS', key('sites', sid))) do
    if string.sub(field, 1, #client + 1) == client .. '/' then return true end
  end
  return false
end

local found = {}
for _, sid in ipairs(sids) do
  local s = glance(sid)
  if s and not s.ended_at
    and (user == '' or s.user_id == user)
    and (version == 0 or (tonumber(s.user_version) or 0) < version)
    and (before == 0 or (tonumber(s.created_at) or 0) < before)
    and (client == '' or takes_part(sid)) then
    found[#found + 1] = values(key('session', sid), unpack(SESSION))
    if #found >= limit then return { found, sid } end
  end
end
return { found, #sids == page and sids[#sids] or '' }
