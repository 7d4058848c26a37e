-- uses: session rows
-- Outbox.claim in one bucket. ARGV: now, limit, worker, claim_ms, in which set to look (outbox or bulk).
local waiting, claimed = key(ARGV[5]), {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local row = read(key('row', name))
  if not row or not row.state or is_final(row.state) then
    redis.call('ZREM', waiting, name)
  else
    local claimed_until = int(tonumber(ARGV[1]) + tonumber(ARGV[4]))
    row.state, row.claimed_by, row.claimed_until = 'claimed', ARGV[3], claimed_until
    row.attempt = int((tonumber(row.attempt) or 0) + 1)
    redis.call('HSET', key('row', name), 'state', 'claimed', 'attempt', row.attempt, 'claimed_by', ARGV[3],
      'claimed_until', claimed_until)
    redis.call('ZADD', waiting, claimed_until, name)
    claimed[#claimed + 1] = flat(row)
  end
end
return claimed
