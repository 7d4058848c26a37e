-- uses: key session
-- SessionStore.find_by_cookie: the session under this cookie's digest; the caller checks which of the two it is.
-- ARGV: cookie_hash.
local sid = redis.call('GET', key('cookie', ARGV[1]))
return sid and values(key('session', sid), unpack(SESSION)) or {}
