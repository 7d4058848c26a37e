-- uses: key session rows
-- Ledger.call_from_now for some sessions of a bucket: the client asked for its ends and is called from here on.
-- ARGV: now, client_id, kind, logout_uri, then sids. Answer: how many rows are due.
local now, client, count = tonumber(ARGV[1]), ARGV[2], 0
for i = 5, #ARGV do
  local sid, field = ARGV[i], client .. '/'
  local good, site = pcall(cjson.decode, redis.call('HGET', key('sites', sid), field) or '')
  if good and type(site) == 'table' and site.kind == 'poll' then
    site.kind, site.logout_uri = ARGV[3], ARGV[4]
    redis.call('HSET', key('sites', sid), field, (string.gsub(cjson.encode(site), '\\/', '/')))
  end
  local name = sid .. '/' .. field
  local row = read(key('row', name))
  if row and row.state == 'pending' and not row.next_attempt_at then
    row.bulk = '1'
    redis.call('HSET', key('row', name), 'kind', ARGV[3], 'logout_uri', ARGV[4], 'bulk', '1')
    set_state(name, row, 'pending', now, now)
    count = count + 1
  end
end
return count
