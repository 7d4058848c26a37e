-- uses: step
-- LocalTokens.keep_renewed. ARGV: store, cookie, the spent refresh token, access token, until, new refresh token or '',
-- how long the access token was to live.
local session = key('session', ARGV[2])
if redis.call('HGET', session, 'refresh') ~= ARGV[3] then return 0 end
even_when_full()
redis.call('HSET', session, 'access', ARGV[4], 'access_until', ARGV[5], 'refresh', ARGV[6], 'access_life', ARGV[7])
if ARGV[6] == '' then redis.call('HDEL', session, 'refresh') end
redis.call('HDEL', session, 'renewing')
return 1
