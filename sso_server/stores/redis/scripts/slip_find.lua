-- uses: slip
-- SlipStore.find. ARGV: now.
local found = content()
return found and { found } or {}
