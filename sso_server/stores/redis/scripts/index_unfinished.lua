-- uses: key session rows
-- Writes down which rows of these ended sessions are not final, as _rows.lua does for those that change. ARGV: sids.
for _, sid in ipairs(ARGV) do
  for _, name in ipairs(row_names(sid)) do
    local row = read(key('row', name))
    if row and row.state and row.ended_at and not is_final(row.state) then
      redis.call('ZADD', key('unfinished'), row.ended_at, name)
    end
  end
end
