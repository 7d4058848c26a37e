-- uses: slip
-- SlipStore.extend. ARGV: now, expires_at.
if not content() then return 0 end
keep_until(tonumber(ARGV[2]))
return 1
