-- uses: step
-- KeptPages.keep. ARGV: store, name, page, its end, how long it is kept, how many are kept.
redis.call('HSET', key('page', ARGV[2]), 'page', ARGV[3], 'until', ARGV[4])
redis.call('PEXPIRE', key('page', ARGV[2]), ARGV[5])
redis.call('ZADD', key('pages'), redis.call('HINCRBY', key('state'), 'pages', 1), ARGV[2])
local over = redis.call('ZCARD', key('pages')) - ARGV[6]
if over > 0 then
    for _, old in ipairs(redis.call('ZRANGE', key('pages'), 0, over - 1)) do redis.call('DEL', key('page', old)) end
    redis.call('ZREMRANGEBYRANK', key('pages'), 0, over - 1)
end
return 1
