-- uses: session rows
-- Ledger.list_ended in one bucket, newest end first. ARGV: limit, before (0: now), unfinished_only, user_id.
local limit, most, found, from = tonumber(ARGV[1]), '+inf', {}, 0
if ARGV[2] ~= '0' then most = '(' .. ARGV[2] end

local function finished(sid)
  for _, name in ipairs(row_names(sid)) do
    local state = redis.call('HGET', key('row', name), 'state')
    if state and not is_final(state) then return false end
  end
  return true
end

while #found < limit do
  local sids = redis.call('ZREVRANGEBYSCORE', key('ended'), most, '-inf', 'LIMIT', from, limit)
  if #sids == 0 then break end
  for _, sid in ipairs(sids) do
    local s = read(key('session', sid))
    if s and #found < limit and (ARGV[4] == '' or s.user_id == ARGV[4]) and not (ARGV[3] == '1' and finished(sid)) then
      found[#found + 1] = flat(s)
    end
  end
  from = from + #sids
end
return found
