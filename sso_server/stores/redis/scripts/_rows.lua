-- Shared: the rows of the ledger. A row is named `sid/client/store`; the indexes that hold it follow its state here only.

-- Whether the row is of a store with our SDK. Of a CAS site's, `store_id` is the ticket that it validated.
local function has_sdk(row)
  return string.sub(row.store_id or '', 1, 3) == 'st-'
end

local function unacked_key(row)
  return key('unacked', row.client_id .. '/' .. row.store_id)
end

-- core/notifications.py, is_offered, but for the time: whether a site without our SDK may hear of the row by a poll. A CAS
-- site can't ask.
local function is_offered(row)
  if row.store_id ~= '' or row.state == 'acknowledged' or row.state == 'moot' then return false end
  return not (row.state == 'refused' and string.sub(row.last_error or '', 1, 8) == 'set_err:')
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

-- Where a row waits for a worker: a mass end's apart, so that its length hides nobody else's row.
local function outbox_key(row)
  return key(row.bulk == '1' and 'bulk' or 'outbox')
end

-- Indexes: `outbox` or `bulk` (when somebody must act), `archive` (final, not yet in the audit), `unfinished` (not final, for
-- people's lists), `unacked` (what a store must hear, and what a site without one is offered when it polls).
local function index_row(name, row, next_at, now)
  if next_at then
    redis.call('ZADD', outbox_key(row), int(next_at), name)
  else
    redis.call('ZREM', outbox_key(row), name)
  end
  if is_final(row.state) then
    redis.call('ZADD', key('archive'), int(now), name)
    redis.call('ZREM', key('unfinished'), name)
  else
    redis.call('ZREM', key('archive'), name)
    redis.call('ZADD', key('unfinished'), row.ended_at, name)
  end
  if row.state == 'acknowledged' or not has_sdk(row) and not is_offered(row) then
    redis.call('ZREM', unacked_key(row), row.sid)
  else
    redis.call('ZADD', unacked_key(row), row.ended_at, row.sid)
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
