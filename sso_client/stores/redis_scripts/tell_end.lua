-- uses: step sessions ending
-- LocalSessions.tell_end. ARGV: store, sid, now, a tombstone's end.
end_sid(ARGV[2], ARGV[4])
redis.call('ZADD', key('untold'), 'NX', ARGV[3], ARGV[2])
return 1
