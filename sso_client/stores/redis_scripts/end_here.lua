-- uses: step sessions ending
-- LocalSessions.end_here. ARGV: store, cookie, now, whether the centre takes check-ins, a tombstone's end.
local found = drop(ARGV[2])
if not found then return false end
local sid = found[2]
if sid and (ARGV[4] == '1' or found[9] == '1') then
    end_sid(sid, ARGV[5])
    redis.call('ZADD', key('untold'), 'NX', ARGV[3], sid)
elseif sid then
    -- Nobody is told, so at that provider the sid lives on: the person may sign in with it again at once.
    drop_all(cookies_of('sids', sid))
end
return found
