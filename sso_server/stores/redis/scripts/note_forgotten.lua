-- uses: key session denied
-- SessionStore.note_forgotten in one bucket. ARGV: now, until, clients.
local now, until_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 3, #ARGV do note_until(key('audiences'), ARGV[i], until_ms, now) end
