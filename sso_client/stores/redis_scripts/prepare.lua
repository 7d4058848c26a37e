-- Names the store, once. ARGV: issuer, client id, a name for a new store, the schema's version.
if redis.call('HSETNX', KEYS[1], 'store_id', ARGV[3]) == 1 then
    redis.call('HSET', KEYS[1], 'issuer', ARGV[1], 'client_id', ARGV[2], 'schema', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'store_id', 'issuer', 'client_id', 'schema')
