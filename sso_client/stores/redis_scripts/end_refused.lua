-- uses: step sessions
-- LocalTokens.end_refused. ARGV: store, cookie, the refused refresh token.
if redis.call('HGET', key('session', ARGV[2]), 'refresh') ~= ARGV[3] then return false end
return drop(ARGV[2])
