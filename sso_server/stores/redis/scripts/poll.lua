-- uses: key session rows
-- PollStore.poll in one bucket: what the client says of its rows, then those that it is offered, oldest end first.
-- ARGV: now, client_id, limit (0: list nothing), how many acknowledged sids, these, then sid and error of each refused row.
-- Answer: sid, person, reason and end of each.
local now, client, limit, acks = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

for i = 5, 4 + acks do
  local name = ARGV[i] .. '/' .. client .. '/'
  local row = read(key('row', name))
  if row and row.state ~= 'acknowledged' then
    set_state(name, row, 'acknowledged', nil, now)
    redis.call('HSET', key('row', name), 'last_error', '')
  end
end
for i = 5 + acks, #ARGV, 2 do
  local name = ARGV[i] .. '/' .. client .. '/'
  local row = read(key('row', name))
  if row and is_offered(row) then
    row.last_error = ARGV[i + 1]
    redis.call('HSET', key('row', name), 'last_error', ARGV[i + 1])
    set_state(name, row, 'refused', nil, now)
  end
end

-- What somebody else wrote into a row must not keep its sid from the site: the rest is as good as can be read.
local function instant(text, otherwise)
  return string.match(text or '', '^%d+$') or otherwise
end
local k, found, from = key('unacked', client .. '/'), {}, 0
while #found < limit do
  local sids = redis.call('ZRANGE', k, from, from + limit - 1)
  if #sids == 0 then break end
  for _, sid in ipairs(sids) do
    local row = read(key('row', sid .. '/' .. client .. '/'))
    if not row or not is_offered(row) or tonumber(instant(row.local_until, '9007199254740991')) <= now then
      redis.call('ZREM', k, sid)
    else
      from = from + 1
      if #found < limit then
        found[#found + 1] = { sid, row.user_id or '', row.reason or '', instant(row.ended_at, ARGV[1]) }
      end
    end
  end
end
return found
