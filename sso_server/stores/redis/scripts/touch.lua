-- uses: key session
-- SessionStore.touch. ARGV: now, sid.
local now, sid = tonumber(ARGV[1]), ARGV[2]
local s = glance(sid)
if is_live(s, now) then touch(sid, s, now) end
