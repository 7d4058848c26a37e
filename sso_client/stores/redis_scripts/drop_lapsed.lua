-- uses: step sessions
-- LocalSessions.drop_lapsed. ARGV: store, now, limit.
return drop_all(redis.call('ZRANGEBYSCORE', key('until'), '-inf', ARGV[2], 'LIMIT', 0, ARGV[3]))
