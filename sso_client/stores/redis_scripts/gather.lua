-- uses: step host server
-- CheckInJournal.gather. ARGV: store, host, now, all_sids, anew, the most in one list, how often all sids are listed.
local now, most = tonumber(ARGV[3]), tonumber(ARGV[6])
local here = server()
even_when_full()
local state = redis.call('HMGET', key('state'), 'server', 'epoch', 'sids_cursor', 'sids_sent_at_ms', 'denied_to', 'feeding')
local epoch, cursor, sent_at, denied_to = state[2], state[3] or '', tonumber(state[4] or '0'), state[5]
local feeding = state[6]
local anew = ARGV[5] == '1'
if state[1] ~= here then
    -- Another server, or another life of it: it may lack the last ends, and the centre won't repeat what was acknowledged.
    anew = true
    redis.call('HSET', key('state'), 'server', here)
end
if anew or (ARGV[4] == '1' and epoch) then
    redis.call('HDEL', key('state'), 'epoch')
    redis.call('HSET', key('state'), 'sids_cursor', '', 'sids_sent_at_ms', '0')
    epoch, cursor, sent_at = false, '', 0
end

if anew or not (redis.call('ZSCORE', key('denied'), 'kept') or redis.call('ZSCORE', key('denied'), 'begun')) then
    -- Nothing is known to be in the list, perhaps because Redis threw it away: it is asked for from its beginning.
    redis.call('HDEL', key('state'), 'feeding')
    denied_to, feeding = false, false
end
local sids, sids_end = false, ''
if not epoch or cursor ~= '' or now < sent_at or now - sent_at >= tonumber(ARGV[7]) then
    sids = {}
    local from = cursor == '' and '-' or '(' .. cursor .. '\1'
    repeat
        local page = redis.call('ZRANGEBYLEX', key('sids'), from, '+', 'LIMIT', 0, 1000)
        for _, member in ipairs(page) do
            local sid, cookie = string.match(member, '^(.*)%z(.*)$')
            local until_ms = redis.call('HGET', key('session', cookie), 'until')
            if #sids < most and sid ~= sids[#sids] and until_ms and tonumber(until_ms) > now then
                sids[#sids + 1] = sid
            end
            from = '(' .. member
        end
    until #page < 1000 or #sids == most
    if #sids == most then sids_end = sids[most] end
    -- With each list that begins everything that is denied is asked for, too: nothing that was missed stays so. Unless
    -- that is still on its way: begun again by each attempt, a long list would never be whole.
    if cursor == '' and not feeding then denied_to = false end
end

local active, known, place = {}, {}, 0
repeat
    local page = redis.call('ZRANGE', key('unreported'), place, place + 999)
    for _, cookie in ipairs(page) do
        local sid = redis.call('HGET', key('session', cookie), 'sid')
        if sid and not known[sid] and #active < most then
            known[sid] = true
            active[#active + 1] = sid
        end
    end
    place = place + 1000
until #page < 1000 or #active == most

return {
    redis.call('HGET', key('host', ARGV[2]), 'mark'),
    redis.call('SRANDMEMBER', key('acks'), most),
    redis.call('ZRANGE', key('untold'), 0, most - 1),
    active, sids, cursor, sids_end, denied_to,
}
