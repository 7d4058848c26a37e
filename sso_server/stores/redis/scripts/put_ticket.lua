-- uses: key
-- TicketStore.put. ARGV: hash, life (ms), until when the person's index names it, the values of the ticket (records.py, TICKET).
local k, epoch = key('ticket', ARGV[1]), redis.call('GET', key('epoch'))
redis.call('HSET', k, 'indexed_until', ARGV[3], 'sid', ARGV[4], 'kind', ARGV[5], 'client_id', ARGV[6], 'user_id', ARGV[7],
  'redirect_uri', ARGV[8], 'code_challenge', ARGV[9], 'nonce', ARGV[10], 'scope', ARGV[11], 'auth_time', ARGV[12],
  'amr', ARGV[13], 'issued_at', ARGV[14], 'expires_at', ARGV[15], 'refreshable', ARGV[16], 'offline', ARGV[17],
  'details', ARGV[18])
if epoch then redis.call('HSET', k, 'epoch', epoch) end
redis.call('PEXPIRE', k, ARGV[2])
