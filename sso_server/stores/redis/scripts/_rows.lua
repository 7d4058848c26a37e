-- Shared: the rows of the ledger. A row is named `sid/client/store`; the indexes that hold it follow its state here only.

local function unacked_key(row)
  return key('unacked', row.client_id .. '/' .. row.store_id)
end

local function is_final(state)
  return state ~= 'pending' and state ~= 'claimed'
end

-- Names of a session's rows, in the order in which the sites were registered.
local function row_names(sid)
  return redis.call('LRANGE', key('rows', sid), 0, -1)
end

local function flat_rows(sid)
  local list = {}
  for _, name in ipairs(row_names(sid)) do
    local row = read(key('row', name))
    if row then list[#list + 1] = flat(row) end
  end
  return list
end

-- Indexes: `outbox` (when somebody must act), `archive` (final, not yet in the audit), `unacked` (what a store must hear).
local function index_row(name, row, next_at, now)
  if next_at then
    redis.call('ZADD', key('outbox'), int(next_at), name)
  else
    redis.call('ZREM', key('outbox'), name)
  end
  if is_final(row.state) then
    redis.call('ZADD', key('archive'), int(now), name)
  else
    redis.call('ZREM', key('archive'), name)
  end
  if row.store_id ~= '' then
    if row.state == 'acknowledged' then
      redis.call('ZREM', unacked_key(row), row.sid)
    else
      redis.call('ZADD', unacked_key(row), row.ended_at, row.sid)
    end
  end
end

-- A change of state: whatever it is, the row must reach the audit (again), and the claim is over.
local function set_state(name, row, state, next_at, now)
  local k = key('row', name)
  row.state = state
  redis.call('HSET', k, 'state', state, 'claimed_by', '', 'claimed_until', '0')
  redis.call('HDEL', k, 'archived', 'next_attempt_at', 'final_at')
  if next_at then redis.call('HSET', k, 'next_attempt_at', int(next_at)) end
  if is_final(state) then redis.call('HSET', k, 'final_at', int(now)) end
  index_row(name, row, next_at, now)
end
