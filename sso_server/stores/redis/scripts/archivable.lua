-- uses: key session rows
-- Archive.list_archivable in one bucket. ARGV: limit. Answer: the rows (records.py, ROW).
local list = {}
for _, name in ipairs(redis.call('ZRANGE', key('archive'), 0, tonumber(ARGV[1]) - 1)) do
  local row = row_values(name)
  if row then
    list[#list + 1] = row
  else
    redis.call('ZREM', key('archive'), name)
  end
end
return list
