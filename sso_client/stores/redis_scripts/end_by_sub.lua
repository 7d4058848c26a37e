-- uses: step sessions ending
-- LogoutInbox.end_by_sub. ARGV: store, sub, iat, jti, now, until when the jti is remembered.
local sub, iat = ARGV[2], tonumber(ARGV[3])
local old = {}
for _, cookie in ipairs(cookies_of('subs', sub)) do
    local issued = redis.call('HGET', key('session', cookie), 'iat')
    if issued and tonumber(issued) <= iat then old[#old + 1] = cookie end
end
local ended = drop_all(old)
local seen = note_jti(ARGV[4], ARGV[5], ARGV[6])
note_watermark(sub, iat, ARGV[5])
return { ended, seen }
