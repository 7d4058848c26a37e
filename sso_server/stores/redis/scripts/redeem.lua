-- uses: session sites denied grants
-- TicketStore.redeem. The order of the checks is that of core/ports.py.
-- ARGV: now, ticket_hash, client_id, redirect_uri, code_challenge, store_id, kind, logout_uri, local_max_ms, reports,
-- idle_off, access hash, access end, refresh hash (empty: none), refresh end, indexed (see named_until), margin_ms, most_stores,
-- the access token's audience (clients, parted by spaces), jti (empty: opaque), deny_until, kind, the grant's details,
-- most_of_all (empty: however many), details of the access token, of the refresh token.
local now, hash, client, store = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[6]
local k = key('ticket', hash)
local ticket = read(k)
local expires_at = ticket and tonumber(ticket.expires_at)
if not expires_at or not ticket.sid then return { 'ticket_unknown', {}, {} } end

local s = read(key('session', ticket.sid))
local function refused(why)
  return { why, flat(ticket), flat(s) }
end
local function burnt(why)
  redis.call('HSET', k, 'spent_at', int(now))
  return refused(why)
end

if ticket.spent_at then
  -- Nobody proves who they are who validates a service ticket: a spent one must not revoke anything.
  if ticket.kind == 'code' then revoke_grant(hash, read(key('grant', hash)), now) end
  return refused('ticket_used')
end
if now >= expires_at then return refused('ticket_expired') end
-- What was issued before this Redis forgot something may have been spent in what it has forgotten.
local epoch = redis.call('GET', key('epoch'))
if epoch and ticket.epoch ~= epoch then return refused('ticket_expired') end
if ticket.client_id ~= client then return burnt('ticket_other_client') end
if ticket.redirect_uri ~= ARGV[4] then return burnt('redirect_uri_mismatch') end
if ticket.code_challenge ~= ARGV[5] then return burnt('pkce_mismatch') end
if not is_live(s, now) then return burnt('session_ended') end
if store ~= '' and not has_room(ticket.sid, client, store, tonumber(ARGV[18]), now, tonumber(ARGV[24])) then
  return burnt('too_many_stores')
end

local access_end = tonumber(ARGV[13])
local refresh_until = ticket.refreshable == '1' and ARGV[14] ~= ''
  and refresh_end(tonumber(ARGV[15]), ticket.offline == '1', s) or nil
local indexed = named_until(ticket, ARGV[16], math.max(access_end, refresh_until or 0))
if not indexed then return { 'index', ticket.user_id, hash } end

-- The tombstone names its grant: the grant's id is the ticket's digest.
redis.call('HSET', k, 'spent_at', int(now), 'grant', hash)
local reports = ARGV[10] == '1'
local until_ms = local_until(s, now, tonumber(ARGV[9]), tonumber(ARGV[17]), reports)
register(ticket.sid, client, store, ARGV[7], ARGV[8], until_ms, reports, now)
if ARGV[11] == '1' then
  s.idle_off = '1'
  redis.call('HSET', key('session', ticket.sid), 'idle_off', '1')
end
touch(ticket.sid, s, now)
-- Without a token there is nothing that a grant could be asked for.
if ARGV[12] ~= '' or refresh_until then
  redis.call('HSET', key('grant', hash), 'sid', ticket.sid, 'client_id', client, 'user_id', ticket.user_id,
    'scope', ticket.scope, 'auth_time', ticket.auth_time, 'amr', ticket.amr, 'offline', ticket.offline,
    'created_at', int(now), 'indexed_until', indexed,
    'details', ARGV[23] ~= '' and ARGV[23] or ticket.details or '')
end
if ARGV[12] ~= '' then
  write_token(ARGV[12], ARGV[22], hash, now, access_end, nil, ARGV[25])
  describe(ARGV[12], hash, ARGV[19], ARGV[20], tonumber(ARGV[21]), ticket.sid, now)
end
if refresh_until then write_token(ARGV[14], 'rt', hash, now, refresh_until, 1, ARGV[26]) end
return { '', flat(ticket), flat(s) }
