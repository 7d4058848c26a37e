-- uses: session rows
-- Ledger.of_session. ARGV: sid.
return flat_rows(ARGV[1])
