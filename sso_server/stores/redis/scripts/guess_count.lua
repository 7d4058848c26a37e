-- GuessStore.begin for one counter: counts one attempt, or tells how long to wait (ms).
-- KEYS[1]: the counter. ARGV: now, free, base_ms, cap_ms, forget_ms, how: `count`, `spared` (count, whatever the wait:
-- core/guesses.py, Limit.spare), `look` (don't count). Answer: the wait (0: none), the count before this attempt.
local now, free, base, cap = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('HMGET', KEYS[1], 'count', 'last_at')
local count, last_at = tonumber(known[1] or '') or 0, tonumber(known[2] or '') or 0
if now - last_at >= tonumber(ARGV[5]) then count = 0 end
if count > 0 and ARGV[6] ~= 'spared' then
  -- core/guesses.py, Limit.wait_after: keep this line equal to that.
  local wait = count < free and 0 or math.min(cap, base * 2 ^ math.min(count - free, 30))
  -- A free one waits for nothing: the last may be ahead, by another node's clock or by its turn here.
  if wait > 0 and last_at + wait > now then return { math.floor(last_at + wait - now), count } end
end
if ARGV[6] ~= 'look' then
  redis.call('HSET', KEYS[1], 'count', count + 1, 'last_at', ARGV[1], 'previous_at', string.format('%.0f', last_at))
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return { 0, count }
