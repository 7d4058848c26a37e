-- Before every step. KEYS[1]: the store's `meta`, whose hash tag all its keys share. ARGV[1]: the store's name.
local base = string.sub(KEYS[1], 1, -5)
local function key(kind, name)
    return name and (base .. kind .. ':' .. name) or (base .. kind)
end
-- A Redis that was emptied and begun anew is another store: what the centre has to say to this one isn't in it.
local store_id = redis.call('HGET', KEYS[1], 'store_id')
if not store_id then return redis.error_reply('NOSTORE this Redis has forgotten the store') end
if store_id ~= ARGV[1] then return redis.error_reply('OTHERSTORE ' .. store_id) end
-- A Redis whose memory is full refuses a step whose first write adds something, and takes one that has taken something
-- away to its end. So whoever is signed in goes on and can be signed out; `none` never exists.
local function even_when_full()
    redis.call('DEL', key('none'))
end
