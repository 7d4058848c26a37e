-- uses: key session rows
-- Ledger.retry: what can be tried again is due now, and somebody waits for it. ARGV: now, sid, client_id (empty: all).
local now, count = tonumber(ARGV[1]), 0

-- core/interventions.py, can_retry: keep these lines equal to those.
local function can_retry(row)
  if row.state == 'acknowledged' or row.state == 'moot' or now >= (tonumber(row.local_until) or 0) then return false end
  if row.state == 'claimed' and now < (tonumber(row.claimed_until) or 0) then return false end
  if row.kind == 'poll' then return is_final(row.state) end
  return (row.logout_uri or '') ~= ''
end

for _, name in ipairs(row_names(ARGV[2])) do
  local row = read(key('row', name))
  if row and (ARGV[3] == '' or row.client_id == ARGV[3]) and can_retry(row) then
    redis.call('ZREM', key('bulk'), name)
    -- The count of answers in a row begins anew: whoever presses a button must not use up the tries that a site has.
    redis.call('HSET', key('row', name), 'bulk', '0', 'last_error', '')
    row.bulk = '0'
    set_state(name, row, 'pending', now, now)
    count = count + 1
  end
end
return count
