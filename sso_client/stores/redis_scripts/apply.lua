-- uses: step host server sessions ending
-- CheckInJournal.apply. ARGV: store, host, and all that was told and answered as JSON; what is to be written stands in it
-- as text, for Lua would round it.
local host, a = ARGV[2], cjson.decode(ARGV[3])
even_when_full()
redis.call('ZREMRANGEBYSCORE', key('denied'), '-inf', a.denied_before)
redis.call('ZREMRANGEBYSCORE', key('tombstones'), '-inf', a.now)
-- Forget what this 200 confirmed: an end listed again below gets a new acknowledgement.
for _, sid in ipairs(a.acks) do redis.call('SREM', key('acks'), sid) end
for _, sid in ipairs(a.ended) do redis.call('ZREM', key('untold'), sid) end
for _, sid in ipairs(a.active) do
    for _, cookie in ipairs(cookies_of('sids', sid)) do
        local session = key('session', cookie)
        local served = redis.call('HGET', session, 'served')
        if served then
            redis.call('HSET', session, 'reported', a.read_at)
            -- An activity of the future was noted while the clock was wrong: reported once, it is over.
            if tonumber(served) > tonumber(a.far_ahead) then
                served = a.read_at
                redis.call('HSET', session, 'served', served)
            end
            note_unreported(cookie, sid, tonumber(served), tonumber(a.read_at))
        end
    end
end
local ends = {}
for i, e in ipairs(a.ends) do
    ends[i] = end_sid(e.sid, a.tombstone_until)
    if e.ack then redis.call('SADD', key('acks'), e.sid) end
end

-- The parts of a list belong together: each starts where the last one ended, all answered under one epoch.
local state = redis.call('HMGET', key('state'), 'server', 'epoch', 'list_epoch', 'sids_cursor', 'denied_to', 'feeding')
local epoch, list_epoch, cursor = state[2], state[3], state[4] or ''
if list_epoch and a.epoch ~= '' and a.epoch ~= list_epoch then redis.call('HSET', key('state'), 'epoch_seen_ms', a.now) end
local function list_again()
    redis.call('HSET', key('state'), 'sids_cursor', '', 'sids_sent_at_ms', '0')
end
if state[1] ~= server() then
    -- Redis is another one than when this check-in was gathered. It may lack ends that were acknowledged in between, so
    -- this answer confirms nobody: the next check-in lists everything.
    redis.call('HDEL', key('state'), 'epoch')
    epoch = false
    list_again()
elseif a.sids and (a.sids_from == '' or (a.sids_from == cursor and a.epoch == list_epoch)) then
    redis.call('HSET', key('state'), 'sids_cursor', a.sids_end, 'list_epoch', a.epoch)
    if a.sids_end == '' then
        redis.call('HSET', key('state'), 'sids_sent_at_ms', a.read_at, 'epoch', a.epoch)
        epoch = a.epoch
    end
elseif a.epoch ~= epoch and a.epoch ~= list_epoch then
    redis.call('HSET', key('state'), 'list_epoch', a.epoch)
    list_again()
end
for _, sid in ipairs(a.sids or {}) do
    -- The centre knows them from now on, even those that were opened while it seemed to take no check-ins.
    for _, cookie in ipairs(cookies_of('sids', sid)) do
        if redis.call('HGET', key('session', cookie), 'leased') == '0' then
            redis.call('HSET', key('session', cookie), 'leased', '1')
        end
    end
end

-- What is refused. `feeding` is the epoch under which a list was begun that isn't whole yet; its parts belong together:
-- each starts at or before the place that was reached, and all were answered under that epoch. `kept` stands in the list
-- once it was whole, `begun` since one was begun: if Redis throws the list away, both are gone with it.
local reached, feeding, fed = state[5], state[6], false
local is_there = redis.call('ZSCORE', key('denied'), 'kept') or redis.call('ZSCORE', key('denied'), 'begun')
for _, item in ipairs(a.denied) do redis.call('ZADD', key('denied'), 'GT', item[2], item[1]) end
if not a.denied_to then
    fed = true
    redis.call('HDEL', key('state'), 'feeding')
elseif a.denied_from and feeding and a.epoch ~= feeding then
    -- The centre went back in time and may count anew.
    redis.call('HDEL', key('state'), 'feeding', 'epoch')
    epoch = false
    list_again()
elseif not a.denied_from or (is_there and not (feeding and a.denied_from > tonumber(reached))) then
    -- Also a smaller one: what lies between is asked for again, which costs little; a gap would let somebody in.
    local to = a.denied_to
    if not a.denied_from then
        redis.call('ZADD', key('denied'), '+inf', 'begun')
    elseif feeding and a.more and tonumber(reached) > tonumber(to) then
        to = reached
    end
    redis.call('HSET', key('state'), 'denied_to', to)
    fed = not a.more
    if a.more then
        redis.call('HSET', key('state'), 'feeding', a.epoch)
    else
        redis.call('HDEL', key('state'), 'feeding')
        if redis.call('ZREM', key('denied'), 'begun') == 1 then redis.call('ZADD', key('denied'), '+inf', 'kept') end
    end
end

local confirmed = a.epoch == epoch and fed and not a.more
note_host(host, 'failure', '')
local marked = tonumber(redis.call('HGET', key('host', host), 'mark_boot_ms') or '0')
-- The mark of the check-in that was sent last stays: an older one proves less of what the centre must still know.
if not (a.sent_boot_ms < marked and marked <= a.sent_boot_ms + a.ahead) then
    note_host(host, 'mark', a.mark, 'mark_boot_ms', string.format('%.0f', a.sent_boot_ms))
end
if confirmed then
    -- Answers may overtake each other: an older stamp only shortens the lease, so no order is needed.
    note_host(host, unpack(a.stamp))
    if a.sids_end == '' then redis.call('HDEL', key('host', host), 'turn_until_boot_ms') end -- else the caller goes on
end
return { confirmed and 1 or 0, ends }
