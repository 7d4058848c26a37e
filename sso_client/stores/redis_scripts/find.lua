-- uses: step host sessions
-- LocalSessions.find: the session and this host's lease, as of one moment. ARGV: store, cookie, now, host.
local found = row(ARGV[2])
if found and (tonumber(found[5]) <= tonumber(ARGV[3]) or not can_be_ended(found)) then found = false end
return { lease_of(ARGV[4]), found }
