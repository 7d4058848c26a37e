-- Shared: names of keys and reading them.
-- KEYS[1] is `<prefix>:{bNN}`: it routes the call to the bucket's slot, and every key used here begins with it.
local B = KEYS[1]
local DAY = 86400000

local function key(kind, name)
  return name and (B .. ':' .. kind .. ':' .. name) or (B .. ':' .. kind)
end

-- Lua prints large numbers as 1.7e+12 in some versions; instants are kept as plain digits. This and tonumber cost as much as
-- a small command each: what is there as text already goes on as text.
local function int(n)
  return string.format('%.0f', n)
end

-- Some fields of a hash, in this order, false for those that are absent: twice as fast as the whole hash as a table. nil
-- when the hash isn't there (it always has the first of them) or something else stands under its name.
local function values(k, ...)
  local list = redis.pcall('HMGET', k, ...)
  if not list.err and list[1] then return list end
end
