-- uses: key session denied grant grants
-- GrantStore.issue. ARGV: now, grant_id, access hash, access end, its audience (clients, parted by spaces), jti (empty:
-- opaque), deny_until, its details, its session (empty: none), then the grant's fields and values.
local now, id, access_end, ends = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4]), ARGV[4]
local sid = ARGV[9] ~= '' and ARGV[9] or nil
if sid then
  local s = glance(sid)
  if not is_live(s, now) then return 'session_ended' end
  access_end, ends = cut_end(ends, false, s.absolute_until)
end
redis.call('HSET', key('grant', id), unpack(ARGV, 10))
local more = described(id, ARGV[5], ARGV[6], tonumber(ARGV[7]), sid, now)
write_token(ARGV[3], 'at', id, now, access_end, ends, nil, ARGV[8], more)
keep_grant(id, access_end, now)
return ''
