-- uses: step host
-- CheckInJournal.take_turn, by this host's boot clock: nobody sets it back. ARGV: store, host, now, rest, rest after a
-- refusal, how long a turn lasts, by how much others may have overtaken us.
local now, rest, overtaken = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[7])
local held = redis.call('HMGET', key('host', ARGV[2]), 'turn_until_boot_ms', 'attempted_boot_ms', 'failure')
local turn_until, attempted, failure = tonumber(held[1] or '0'), tonumber(held[2] or '0'), held[3] or ''
if now < turn_until and turn_until <= now + ARGV[6] + overtaken then return 'busy' end
if failure == 'refused' then rest = math.max(rest, tonumber(ARGV[5])) end
local ago = now - attempted
if failure ~= '' and -overtaken <= ago and ago < rest then return 'resting' end
even_when_full()
note_host(ARGV[2], 'turn_until_boot_ms', string.format('%.0f', now + ARGV[6]))
return 'mine'
