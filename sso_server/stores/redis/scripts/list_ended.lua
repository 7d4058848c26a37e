-- uses: key session rows
-- Ledger.list_ended in one bucket: which of these sessions have ended and meet the conditions.
-- ARGV: before (0: now), unfinished_only, user_id, sids. Answer: the sessions (records.py, SESSION).
local before, found = tonumber(ARGV[1]), {}

local function finished(sid)
  for _, name in ipairs(row_names(sid)) do
    local state = redis.call('HGET', key('row', name), 'state')
    if state and not is_final(state) then return false end
  end
  return true
end

for i = 4, #ARGV do
  local s = glance(ARGV[i])
  if s and s.ended_at
    and (before == 0 or (tonumber(s.ended_at) or 0) < before)
    and (ARGV[3] == '' or s.user_id == ARGV[3])
    and not (ARGV[2] == '1' and finished(ARGV[i])) then
    found[#found + 1] = values(key('session', ARGV[i]), unpack(SESSION))
  end
end
return found
