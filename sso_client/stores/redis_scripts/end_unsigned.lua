-- uses: step sessions ending
-- LogoutInbox.end_unsigned. ARGV: store, sid, until when it is remembered, how many are remembered.
local ended = end_sid(ARGV[2], ARGV[3])
redis.call('ZREMRANGEBYRANK', key('tombstones'), 0, -(ARGV[4] + 1))
return ended
