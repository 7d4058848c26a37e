-- uses: step
-- LocalTokens.give_renewal_back. ARGV: store, cookie.
return redis.call('HDEL', key('session', ARGV[2]), 'renewing')
