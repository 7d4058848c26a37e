-- uses: key session rows
-- Outbox.claim in one bucket. ARGV: now, limit, worker, claim_ms, in which set to look (outbox or bulk).
-- Answer: the rows (records.py, ROW).
local waiting, claimed, entries = key(ARGV[5]), {}, {}
local claimed_until = int(tonumber(ARGV[1]) + tonumber(ARGV[4]))
for _, name in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local row = row_values(name)
  if not row or not row[10] or is_final(row[10]) then
    redis.call('ZREM', waiting, name)
  else
    row[10], row[13], row[14] = 'claimed', ARGV[3], claimed_until
    row[11] = int((tonumber(row[11]) or 0) + 1)
    redis.call('HSET', key('row', name), 'state', 'claimed', 'attempt', row[11], 'claimed_by', ARGV[3],
      'claimed_until', claimed_until)
    entries[#entries + 1], entries[#entries + 2] = claimed_until, name
    claimed[#claimed + 1] = row
  end
end
add_all(waiting, entries)
return claimed
