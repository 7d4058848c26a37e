-- Which life of which server this is: a restart changes the first name, another master the second.
local function server()
    local about = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
    return (string.match(about, 'run_id:(%w+)') or '') .. ':' .. (string.match(about, 'master_replid:(%w+)') or '')
end
