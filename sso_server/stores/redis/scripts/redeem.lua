-- uses: key session sites denied grant grants
-- TicketStore.redeem. The order of the checks is that of core/ports.py.
-- ARGV: now, ticket_hash, client_id, redirect_uri, code_challenge, store_id, how to tell it (see register), local_max_ms, reports,
-- idle_off, access hash, access end, refresh hash (empty: none), refresh end, indexed (see named_until), margin_ms, most_stores,
-- the access token's audience (clients, parted by spaces), jti (empty: opaque), deny_until, kind, the grant's details,
-- most_of_all (empty: however many), details of the access token, of the refresh token.
-- Answer: why not (empty: it was taken), the ticket (records.py, TICKET), the session (SESSION).
local now, hash, client, store = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[6]
local k = key('ticket', hash)
local ticket = values(k, 'sid', 'kind', 'client_id', 'user_id', 'redirect_uri', 'code_challenge', 'nonce', 'scope',
  'auth_time', 'amr', 'issued_at', 'expires_at', 'refreshable', 'offline', 'details', 'spent_at', 'epoch', 'indexed_until')
local expires_at = ticket and tonumber(ticket[12])
if not expires_at then return { 'ticket_unknown', {}, {} } end
local sid, kind, owner, user_id, redirect_uri, code_challenge, _, scope, auth_time, amr, _, _, refreshable, offline, details,
  spent_at, stamp, named = unpack(ticket)

local session = values(key('session', sid), unpack(SESSION))
local function refused(why)
  return { why, ticket, session or {} }
end
local function burnt(why)
  redis.call('HSET', k, 'spent_at', ARGV[1])
  return refused(why)
end

if spent_at then
  -- Nobody proves who they are who validates a service ticket: a spent one must not revoke anything.
  if kind == 'code' then revoke_grant(hash, now) end
  return refused('ticket_used')
end
if now >= expires_at then return refused('ticket_expired') end
-- What was issued before this Redis forgot something may have been spent in what it has forgotten.
local epoch = redis.call('GET', key('epoch'))
if epoch and stamp ~= epoch then return refused('ticket_expired') end
if owner ~= client then return burnt('ticket_other_client') end
if redirect_uri ~= ARGV[4] then return burnt('redirect_uri_mismatch') end
if code_challenge ~= ARGV[5] then return burnt('pkce_mismatch') end
local s = session and times(session)
if not is_live(s, now) then return burnt('session_ended') end
if store ~= '' and not has_room(sid, client, store, tonumber(ARGV[17]), now, tonumber(ARGV[23])) then
  return burnt('too_many_stores')
end

local access_end = tonumber(ARGV[12])
local refresh_until, cut_ends
if refreshable == '1' and ARGV[13] ~= '' then
  refresh_until, cut_ends = cut_end(ARGV[14], offline == '1', s.absolute_until)
end
local longest_end = math.max(access_end, refresh_until or 0)
local indexed = named_until(named, ARGV[15], longest_end)
if not indexed then return { 'index', user_id, hash } end

-- The tombstone names its grant: the grant's id is the ticket's digest.
redis.call('HSET', k, 'spent_at', ARGV[1], 'grant', hash)
local reports = ARGV[9] == '1'
register(sid, client, store, ARGV[7], local_until(s, now, tonumber(ARGV[8]), tonumber(ARGV[16]), reports), now)
if ARGV[10] == '1' and s.idle_off ~= '1' then
  s.idle_off, session[15] = '1', '1'
  redis.call('HSET', key('session', sid), 'idle_off', '1')
end
touch(sid, s, now)
session[9] = s.last_active_at
-- Without a token there is nothing that a grant could be asked for.
if ARGV[11] ~= '' or refresh_until then
  local grant_key = key('grant', hash)
  redis.call('HSET', grant_key, 'sid', sid, 'client_id', client, 'user_id', user_id, 'scope', scope, 'auth_time', auth_time,
    'amr', amr, 'offline', offline, 'created_at', ARGV[1], 'indexed_until', indexed,
    'details', ARGV[22] ~= '' and ARGV[22] or details or '')
  redis.call('PEXPIRE', grant_key, life(longest_end, now))
end
if ARGV[11] ~= '' then
  local more = described(hash, ARGV[18], ARGV[19], tonumber(ARGV[20]), sid, now)
  write_token(ARGV[11], ARGV[21], hash, now, access_end, ARGV[12], nil, ARGV[24], more)
end
if refresh_until then write_token(ARGV[13], 'rt', hash, now, refresh_until, cut_ends, '1', ARGV[25]) end
return { '', ticket, session }
