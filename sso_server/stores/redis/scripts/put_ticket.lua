-- uses: key
-- TicketStore.put. ARGV: hash, life (ms), fields and values.
local k, epoch = key('ticket', ARGV[1]), redis.call('GET', key('epoch'))
redis.call('HSET', k, unpack(ARGV, 3))
if epoch then redis.call('HSET', k, 'epoch', epoch) end
redis.call('PEXPIRE', k, ARGV[2])
