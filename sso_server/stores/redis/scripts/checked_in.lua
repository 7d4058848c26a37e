-- A store of a site has checked in. KEYS[1]: the client's stores. ARGV: store_id, now, lease_s, grace_s, life of the key in ms,
-- a moment (ms) of which this Redis must know (0: none), how many stores a client may have. Answer: 1, or 0 if it doesn't
-- know of that moment, or 2 for one store too many; and the moment that is known now.
-- At 0 it went back in time, and nothing is written: the proof must last until somebody has noted it.
-- The last time that it was without a lease stays known: until when somebody could be admitted there depends on it.
local now = tonumber(ARGV[2])
local record = { at = now, lease_s = tonumber(ARGV[3]), grace_s = tonumber(ARGV[4]) }
local known, was = pcall(cjson.decode, redis.call('HGET', KEYS[1], ARGV[1]) or '')
local was_at = known and type(was) == 'table' and tonumber(was.at) or 0
if was_at < tonumber(ARGV[6]) then return { 0, string.format('%.0f', was_at) } end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  -- Before one comes, of some the oldest go: without a list by time, as Redis drops its own expired keys.
  local some = redis.call('HRANDFIELD', KEYS[1], 20, 'WITHVALUES')
  for i = 1, #some, 2 do
    local good, store = pcall(cjson.decode, some[i + 1])
    local at = good and type(store) == 'table' and tonumber(store.at)
    if at and at < now - tonumber(ARGV[5]) then redis.call('HDEL', KEYS[1], some[i]) end
  end
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[7]) then return { 2, '0' } end
end
if known and type(was) == 'table' then
  record.lapsed_from, record.lapsed_to = tonumber(was.lapsed_from), tonumber(was.lapsed_to)
  local at, lease_s, grace_s = tonumber(was.at), tonumber(was.lease_s), tonumber(was.grace_s)
  local over_at = at and lease_s and grace_s and at + (lease_s + grace_s) * 1000
  if over_at and over_at < now then record.lapsed_from, record.lapsed_to = over_at, now end
end
-- Never earlier than it was: answers of one store's calls overtake each other, and a mark holds what was written.
if was_at > now then record.at = was_at end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(record))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return { 1, string.format('%.0f', record.at) }
