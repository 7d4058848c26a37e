-- uses: step sessions
-- LocalSessions.open. ARGV: store, now, cookie, sid (after a mark; `-`: none), sub, iat, replaces, epoch (after a mark;
-- `-`: none), watermarks older than this are moot, then field and value in turn.
local now, cookie, sub, iat = ARGV[2], ARGV[3], ARGV[5], ARGV[6]
local sid = string.sub(ARGV[4], 1, 1) == '=' and string.sub(ARGV[4], 2)
local epoch = string.sub(ARGV[8], 1, 1) == '=' and string.sub(ARGV[8], 2)
if sid then
    local dead_until = redis.call('ZSCORE', key('tombstones'), sid)
    if dead_until and tonumber(dead_until) > tonumber(now) then return 0 end
    if redis.call('ZSCORE', key('untold'), sid) then return 0 end
end
local noted = redis.call('ZSCORE', key('watermarked'), sub)
if noted and tonumber(noted) > tonumber(ARGV[9]) then
    if tonumber(redis.call('HGET', key('watermarks'), sub) or '-1') >= tonumber(iat) then return 0 end
end
local forgotten = tonumber(redis.call('HGET', key('watermarks'), '') or '-1')
if forgotten >= tonumber(iat) and forgotten <= now / 1000 then return 0 end
if cookie ~= ARGV[7] and redis.call('EXISTS', key('session', cookie)) == 1 then
    return redis.error_reply('TAKEN two sessions under one cookie')
end
-- The new session first: a Redis whose memory is full refuses it before anything has been done.
local fields = {}
for i = 10, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', key('session', cookie), 'sub', sub, 'iat', iat, unpack(fields))
if sid then
    redis.call('HSET', key('session', cookie), 'sid', sid)
    redis.call('ZADD', key('sids'), 0, sid .. '\0' .. cookie)
end
redis.call('ZADD', key('subs'), 0, sub .. '\0' .. cookie)
local times = redis.call('HMGET', key('session', cookie), 'until', 'served', 'reported')
redis.call('ZADD', key('until'), times[1], cookie)
note_unreported(cookie, sid, tonumber(times[2]), tonumber(times[3]))
if ARGV[7] ~= '' and ARGV[7] ~= cookie then drop(ARGV[7]) end
-- The centre has named another epoch since the ticket was redeemed: its list is begun again, with this session in it.
if redis.call('HGET', key('state'), 'list_epoch') ~= epoch then
    redis.call('HDEL', key('state'), 'epoch')
    redis.call('HSET', key('state'), 'sids_cursor', '', 'sids_sent_at_ms', '0')
end
redis.call('ZREMRANGEBYSCORE', key('tombstones'), '-inf', now)
for _, old in ipairs(redis.call('ZRANGEBYSCORE', key('watermarked'), '-inf', ARGV[9], 'LIMIT', 0, 100)) do
    redis.call('ZREM', key('watermarked'), old)
    redis.call('HDEL', key('watermarks'), old)
end
return 1
