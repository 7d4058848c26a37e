-- uses: step sessions ending
-- LogoutInbox.end_by_sid. ARGV: store, sid, jti, now, until when both are remembered.
local ended = end_sid(ARGV[2], ARGV[5])
return { ended, note_jti(ARGV[3], ARGV[4], ARGV[5]) }
