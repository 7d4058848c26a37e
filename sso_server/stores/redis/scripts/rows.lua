-- uses: key session rows
-- Ledger.of_session. ARGV: sid. Answer: the rows (records.py, ROW).
return rows_of(ARGV[1])
