-- uses: key session rows
-- Outbox.record in one bucket. ARGV: now, then for each result: row, attempt, state, next attempt, status, error,
-- whether its site was called.
-- Success always wins, whichever attempt it came from; anything else only if this attempt still holds the claim.
local now = tonumber(ARGV[1])
for i = 2, #ARGV, 7 do
  local name, attempt, state, next_at, status, err, sent = unpack(ARGV, i, i + 6)
  local row = brief(name)
  local holds = row and row.state == 'claimed' and row.attempt == attempt
  if row and row.state ~= 'acknowledged' and (state == 'acknowledged' or holds) then
    row.last_error = err
    -- A row of before calls were counted has no `sends`: each claim was taken for one, and this is the last of them.
    local sends = tonumber(row.sends) or math.max(0, (tonumber(row.attempt) or 0) - 1)
    set_state(name, row, state, tonumber(next_at), now, 'last_status', status, 'last_error', err,
      'sends', int(sends + tonumber(sent)))
  end
end
