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

-- The words of a list, in parts: a call can't take a few thousand at once.
local function in_parts(list, act)
  for i = 1, #list, 1000 do act(unpack(list, i, math.min(i + 999, #list))) end
end

-- Scores and names, written at once.
local function add_all(k, entries)
  in_parts(entries, function(...) redis.call('ZADD', k, ...) end)
end

-- Names of a session's rows, in the order in which the sites were registered.
local function row_names(sid)
  return redis.call('LRANGE', key('rows', sid), 0, -1)
end

-- records.py, ROW.
local function row_values(name)
  return values(key('row', name), 'sid', 'client_id', 'store_id', 'kind', 'logout_uri', 'user_id', 'reason', 'ended_at',
    'local_until', 'state', 'attempt', 'next_attempt_at', 'claimed_by', 'claimed_until', 'final_at', 'last_status',
    'last_error', 'bulk', 'sends', 'registered_at')
end

local function rows_of(sid)
  local list = {}
  for _, name in ipairs(row_names(sid)) do list[#list + 1] = row_values(name) end
  return list
end

-- What a change of the row's state asks for.
local function brief(name)
  local row = values(key('row', name), 'sid', 'client_id', 'store_id', 'state', 'attempt', 'ended_at', 'bulk', 'sends',
    'last_error')
  if not row then return nil end
  return {
    sid = row[1], client_id = row[2], store_id = row[3] or '', state = row[4] or nil, attempt = row[5] or nil,
    ended_at = row[6] or nil, bulk = row[7] or nil, sends = row[8] or nil, last_error = row[9] or nil,
  }
end

-- Where a row waits for a worker: a mass end's apart, so that its length hides nobody else's row.
local function outbox_key(row)
  return key(row.bulk == '1' and 'bulk' or 'outbox')
end

-- Whether the row's store must hear of it, or the site without one is offered it.
local function is_unacked(row)
  return row.state ~= 'acknowledged' and (has_sdk(row) or is_offered(row))
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
  if is_unacked(row) then
    redis.call('ZADD', unacked_key(row), row.ended_at, row.sid)
  else
    redis.call('ZREM', unacked_key(row), row.sid)
  end
end

-- A change of state: whatever it is, the row must reach the audit (again), and the claim is over. With it, more fields and
-- values.
local function set_state(name, row, state, next_at, now, ...)
  local k = key('row', name)
  row.state = state
  redis.call('HDEL', k, 'archived', 'next_attempt_at', 'final_at')
  -- At most one of the two.
  local when = next_at and 'next_attempt_at' or is_final(state) and 'final_at'
  if when then
    redis.call('HSET', k, 'state', state, 'claimed_by', '', 'claimed_until', '0', when, int(next_at or now), ...)
  else
    redis.call('HSET', k, 'state', state, 'claimed_by', '', 'claimed_until', '0', ...)
  end
  index_row(name, row, next_at, now)
end
