-- uses: step sessions
-- LocalSessions.leave. A sid is one browser: an older cookie's session in it is left as well. ARGV: store, cookie.
local found = drop(ARGV[2])
if found and found[2] then drop_all(cookies_of('sids', found[2])) end
return found
