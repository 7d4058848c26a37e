-- uses: session rows
-- Outbox.record in one bucket. ARGV: now, then for each result: row, attempt, state, next attempt, status, error.
-- Success always wins, whichever attempt it came from; anything else only if this attempt still holds the claim.
local now = tonumber(ARGV[1])
for i = 2, #ARGV, 6 do
  local name, attempt, state, next_at, status, err = unpack(ARGV, i, i + 5)
  local row = read(key('row', name))
  local holds = row and row.state == 'claimed' and row.attempt == attempt
  if row and row.state ~= 'acknowledged' and (state == 'acknowledged' or holds) then
    row.last_error = err
    redis.call('HSET', key('row', name), 'last_status', status, 'last_error', err)
    set_state(name, row, state, tonumber(next_at), now)
  end
end
