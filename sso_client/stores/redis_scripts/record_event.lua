-- uses: step
-- EventLog.record. ARGV: store, the event, how many are kept.
redis.call('LPUSH', key('events'), ARGV[2])
redis.call('LTRIM', key('events'), 0, ARGV[3] - 1)
return 1
