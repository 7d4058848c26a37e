-- uses: session denied grants
-- GrantStore.issue. ARGV: now, grant_id, access hash, access end, its audience (clients, parted by spaces), jti (empty:
-- opaque), deny_until, its details, then the grant's fields and values.
local now, id, access_end = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local fields = {}
for i = 9, #ARGV, 2 do fields[ARGV[i]] = ARGV[i + 1] end
local sid = fields.sid ~= '' and fields.sid or nil
if sid then
  local s = read(key('session', sid))
  if not is_live(s, now) then return 'session_ended' end
  access_end = math.min(access_end, tonumber(s.absolute_until) or 0)
end
for name, value in pairs(fields) do redis.call('HSET', key('grant', id), name, value) end
write_token(ARGV[3], 'at', id, now, access_end, nil, ARGV[8])
describe(ARGV[3], id, ARGV[5], ARGV[6], tonumber(ARGV[7]), sid, now)
return ''
