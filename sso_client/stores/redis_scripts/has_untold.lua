-- uses: step
-- CheckInJournal.has_untold_ends.
return redis.call('EXISTS', key('untold'))
