-- Shared: reading grants.

-- Positions in records.py, GRANT; what follows them only scripts need.
local function grant_values(grant_id)
  return values(key('grant', grant_id), 'client_id', 'sid', 'user_id', 'scope', 'auth_time', 'amr', 'offline', 'created_at',
    'revoked_at', 'details', 'heir', 'heir_step', 'indexed_until')
end

-- A spent refresh token whose answer was lost gets a sibling; of the siblings, the first that is used goes on (`heir`).
local function is_left_behind(step, heir_step)
  return (tonumber(step) or 0) <= (tonumber(heir_step) or 0)
end
