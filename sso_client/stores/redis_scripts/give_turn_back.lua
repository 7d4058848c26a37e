-- uses: step host
-- CheckInJournal.give_turn_back. ARGV: store, host.
return redis.call('HDEL', key('host', ARGV[2]), 'turn_until_boot_ms')
