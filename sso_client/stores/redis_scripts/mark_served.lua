-- uses: step sessions
-- LocalSessions.mark_served. ARGV: store, cookie, generation, now.
local found = row(ARGV[2])
if not found or found[6] ~= ARGV[3] then return 0 end
local now, reported = tonumber(ARGV[4]), tonumber(found[8])
even_when_full()
-- A report of the future was noted while a clock was wrong; it must not hide activity from now on.
if reported > now then
    reported = 0
    redis.call('HSET', key('session', ARGV[2]), 'reported', '0')
end
redis.call('HSET', key('session', ARGV[2]), 'served', ARGV[4])
redis.call('HINCRBY', key('session', ARGV[2]), 'generation', 1)
note_unreported(ARGV[2], found[2], now, reported)
return 1
