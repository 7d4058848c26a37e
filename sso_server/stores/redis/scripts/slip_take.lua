-- uses: slip
-- SlipStore.take. ARGV: now.
local found = content()
redis.call('DEL', k)
return found and { found } or {}
