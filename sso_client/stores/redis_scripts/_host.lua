-- What one host knows by its own clocks. Three days are longer than any lease and grace: then it has nothing to say.
local HOST_MS = 3 * 86400000
local function lease_of(host)
    return redis.call('HMGET', key('host', host), 'boot_id', 'boot_ms', 'wall_ms', 'lease_ms', 'grace_ms', 'report_ms', 'failure')
end
local function note_host(host, ...)
    redis.call('HSET', key('host', host), ...)
    redis.call('PEXPIRE', key('host', host), HOST_MS)
end
