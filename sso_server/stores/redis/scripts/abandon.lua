-- uses: key session rows
-- Ledger.abandon: rows that are pending or claimed are given up, by name. ARGV: now, sid, client_id (empty: all), error.
local now, count = tonumber(ARGV[1]), 0
for _, name in ipairs(row_names(ARGV[2])) do
  local row = read(key('row', name))
  if row and not is_final(row.state) and (ARGV[3] == '' or row.client_id == ARGV[3]) then
    set_state(name, row, 'abandoned', nil, now)
    redis.call('HSET', key('row', name), 'last_error', ARGV[4])
    count = count + 1
  end
end
return count
