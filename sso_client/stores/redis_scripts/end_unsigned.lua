-- uses: step sessions ending
-- LogoutInbox.end_unsigned. ARGV: store, now, how long a tombstone stays, how many are remembered, then the sids.
local ended, latest, last = {}, ARGV[2] + ARGV[3], -(ARGV[4] + 1)
for i = 5, #ARGV do
    for _, found in ipairs(end_sid(ARGV[i], latest)) do ended[#ended + 1] = found end
end
if redis.call('ZCARD', key('tombstones')) > tonumber(ARGV[4]) then
    -- What was noted while the clock was ahead would outlive, and push out, what comes now.
    for _, ahead in ipairs(redis.call('ZRANGEBYSCORE', key('tombstones'), string.format('(%.0f', latest), '+inf')) do
        redis.call('ZADD', key('tombstones'), latest, ahead)
    end
    if tonumber(redis.call('HGET', key('watermarks'), '') or '0') > ARGV[2] / 1000 then
        redis.call('HDEL', key('watermarks'), '')
    end
    local newest = redis.call('ZRANGE', key('tombstones'), last, last, 'WITHSCORES')
    note_watermark('', math.floor((newest[2] - ARGV[3]) / 1000), ARGV[2])
    redis.call('ZREMRANGEBYRANK', key('tombstones'), 0, last)
end
return ended
