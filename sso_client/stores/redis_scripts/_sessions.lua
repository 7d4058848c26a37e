-- Sessions with their indexes: `sids` and `subs` hold <name> NUL <cookie hash>, all with score 0, in the order of bytes.
local function row(cookie)
    local found = redis.call('HMGET', key('session', cookie), 'sid', 'sub', 'iat', 'until', 'generation', 'served', 'reported', 'leased', 'about')
    if not found[2] then return false end
    table.insert(found, 1, cookie)
    return found
end

-- False if Redis threw an index away: nobody could end such a session, so nobody is served by it.
local function can_be_ended(found)
    return redis.call('ZSCORE', key('subs'), found[3] .. '\0' .. found[1])
        and (not found[2] or redis.call('ZSCORE', key('sids'), found[2] .. '\0' .. found[1]))
end

local function cookies_of(index, name)
    local cookies = {}
    for _, member in ipairs(redis.call('ZRANGEBYLEX', key(index), '[' .. name .. '\0', '(' .. name .. '\1')) do
        cookies[#cookies + 1] = string.sub(member, #name + 2)
    end
    return cookies
end

-- Takes a session away with its tokens, whatever ended it. DEL comes first, for a Redis whose memory is full takes that.
local function drop(cookie)
    local found = row(cookie)
    redis.call('DEL', key('session', cookie))
    redis.call('ZREM', key('until'), cookie)
    redis.call('ZREM', key('unreported'), cookie)
    if found then
        redis.call('ZREM', key('subs'), found[3] .. '\0' .. cookie)
        if found[2] then redis.call('ZREM', key('sids'), found[2] .. '\0' .. cookie) end
    end
    return found
end

local function drop_all(cookies)
    local ended = {}
    for _, cookie in ipairs(cookies) do
        local found = drop(cookie)
        if found then ended[#ended + 1] = found end
    end
    return ended
end

-- Activity that the centre hasn't heard of stands in `unreported`, whoever waits longest first.
local function note_unreported(cookie, sid, served, reported)
    if sid and served > reported then
        redis.call('ZADD', key('unreported'), reported, cookie)
    else
        redis.call('ZREM', key('unreported'), cookie)
    end
end
