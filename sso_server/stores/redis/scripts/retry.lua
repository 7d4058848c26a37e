-- uses: session rows
-- Ledger.retry: rows with an address that are not acknowledged are due now. ARGV: now, sid, client_id (empty: all).
local now, count = tonumber(ARGV[1]), 0
for _, name in ipairs(row_names(ARGV[2])) do
  local row = read(key('row', name))
  if row and row.state ~= 'acknowledged' and row.logout_uri ~= '' and (ARGV[3] == '' or row.client_id == ARGV[3]) then
    set_state(name, row, 'pending', now, now)
    count = count + 1
  end
end
return count
