-- uses: step sessions ending
-- LogoutInbox.end_unsigned. ARGV: store, now, how long a tombstone stays, how many are remembered, then the sids.
local ended = {}
for i = 5, #ARGV do
    for _, found in ipairs(end_sid(ARGV[i], ARGV[2] + ARGV[3])) do ended[#ended + 1] = found end
end
local old = redis.call('ZRANGE', key('tombstones'), 0, -(ARGV[4] + 1), 'WITHSCORES')
if #old > 0 then
    note_watermark('', math.floor((old[#old] - ARGV[3]) / 1000), ARGV[2])
    redis.call('ZREMRANGEBYRANK', key('tombstones'), 0, -(ARGV[4] + 1))
end
return ended
