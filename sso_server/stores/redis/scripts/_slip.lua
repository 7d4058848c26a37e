-- Shared: a slip is good until `expires_at` by the caller's clock.
local k, now = KEYS[1], tonumber(ARGV[1])

local function content()
  local slip = redis.call('HMGET', k, 'content', 'expires_at')
  if slip[1] and slip[2] and now < tonumber(slip[2]) then return slip[1] end
end

local function keep_until(ends)
  redis.call('HSET', k, 'expires_at', string.format('%.0f', ends))
  -- Longer than it is good, for nodes whose clocks are behind.
  redis.call('PEXPIRE', k, string.format('%.0f', math.max(1, ends - now + 60000)))
end
