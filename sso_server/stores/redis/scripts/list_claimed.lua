-- uses: key session rows
-- Outbox.list_claimed in one bucket: a claimed row stands in its set at the moment when its claim is over, among those that
-- wait for their next attempt. ARGV: now, until, offset, limit, in which set to look (outbox or bulk).
-- Answer: the rows (records.py, ROW).
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', key(ARGV[5]), '(' .. ARGV[1], ARGV[2], 'LIMIT', ARGV[3], ARGV[4])) do
  if redis.call('HGET', key('row', name), 'state') == 'claimed' then found[#found + 1] = row_values(name) end
end
return found
