-- uses: step
-- LocalSessions.heard_epoch.
return redis.call('HGET', key('state'), 'list_epoch')
