-- Shared: a slip is good until `expires_at` by the caller's clock.
local k, now = KEYS[1], tonumber(ARGV[1])

local function content()
  local slip = redis.call('HMGET', k, 'content', 'expires_at')
  if slip[1] and slip[2] and now < tonumber(slip[2]) then return slip[1] end
end
