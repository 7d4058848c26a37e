-- uses: step
-- EventLog.recent. ARGV: store, limit.
return redis.call('LRANGE', key('events'), 0, ARGV[2] - 1)
