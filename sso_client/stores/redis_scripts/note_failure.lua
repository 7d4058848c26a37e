-- uses: step host
-- CheckInJournal.note_failure. ARGV: store, host, kind, now.
even_when_full()
note_host(ARGV[2], 'failure', ARGV[3], 'attempted_boot_ms', ARGV[4], 'turn_until_boot_ms', '0')
return 1
