-- uses: session
-- TicketStore.put. ARGV: hash, life (ms), fields and values.
local k = key('ticket', ARGV[1])
for i = 3, #ARGV, 2 do redis.call('HSET', k, ARGV[i], ARGV[i + 1]) end
local epoch = redis.call('GET', key('epoch'))
if epoch then redis.call('HSET', k, 'epoch', epoch) end
redis.call('PEXPIRE', k, ARGV[2])
