-- uses: step
-- LocalTokens.find. ARGV: store, cookie.
return redis.call('HMGET', key('session', ARGV[2]), 'access', 'access_until', 'refresh', 'access_life')
