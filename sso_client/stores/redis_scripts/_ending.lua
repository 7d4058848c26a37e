-- Ends every local session of a sid and keeps late ones from being opened: also for a known sid, since another tab's
-- ticket may have been redeemed a moment before the end. Of several hosts' clocks the latest decides (GT).
local function end_sid(sid, until_ms)
    local ended = drop_all(cookies_of('sids', sid))
    redis.call('ZADD', key('tombstones'), 'GT', until_ms, sid)
    return ended
end

-- Remember a logout token after its work is done; 1 if it was here before.
local function note_jti(jti, now, until_ms)
    redis.call('ZREMRANGEBYSCORE', key('jtis'), '-inf', now)
    return 1 - redis.call('ZADD', key('jtis'), 'NX', until_ms, jti)
end

-- A watermark, not a tombstone: a new sign-in is welcome, an old ID token is dead for good. That of the empty name is
-- everybody's.
local function note_watermark(sub, iat, now)
    if tonumber(redis.call('HGET', key('watermarks'), sub) or '-1') < iat then
        redis.call('HSET', key('watermarks'), sub, string.format('%d', iat))
    end
    redis.call('ZADD', key('watermarked'), now, sub)
end
