-- PastStore.look and .beat. KEYS[1]: a heartbeat. ARGV: now (0: only look), floor, 1: who answers.
-- Answer: who answers here, the heartbeat, and this server's clock (seconds, microseconds). A server that forbids INFO says
-- nothing of itself.
local now, floor = tonumber(ARGV[1]), tonumber(ARGV[2])
local function told(section, name)
  local info = ARGV[3] == '1' and redis.pcall('INFO', section)
  return type(info) == 'string' and string.match(info, name .. ':(%w+)') or ''
end

local run, replication = told('server', 'run_id'), told('replication', 'master_replid')
local heartbeat = tonumber(redis.call('GET', KEYS[1])) or 0
if now > 0 and heartbeat >= floor then
  heartbeat = math.max(heartbeat, now)
  redis.call('SET', KEYS[1], string.format('%.0f', heartbeat))
end
local clock = redis.call('TIME')
return { run ~= '' and run .. ':' .. replication or '', string.format('%.0f', heartbeat), clock[1], clock[2] }
