-- uses: step
-- KeptPages.find. ARGV: store, name, now.
local kept = redis.call('HMGET', key('page', ARGV[2]), 'page', 'until')
return kept[1] and tonumber(kept[2]) > tonumber(ARGV[3]) and kept[1]
