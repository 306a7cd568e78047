-- name: create_key
-- one row: the new key
insert into api_keys (user_id, prefix, key_hash, name, scopes, expires_at)
values (:tenant, :prefix, :key_hash, :name, :scopes, :expires_at)
returning api_key_id, user_id, prefix, key_hash, name, scopes, created_at, expires_at, last_used_at, revoked_at

-- name: load_keys
-- one row per key of the account, newest first
select api_key_id, user_id, prefix, key_hash, name, scopes, created_at, expires_at, last_used_at, revoked_at
from api_keys
where user_id = :tenant
order by created_at desc, api_key_id

-- name: find_key_by_prefix
-- at most one row, of whichever account: the prefix says whose request this is
select api_key_id, user_id, prefix, key_hash, name, scopes, created_at, expires_at, last_used_at, revoked_at
from api_keys
where prefix = :prefix

-- name: save_key_use
-- the moment of the key's last use
update api_keys
set last_used_at = :at
where user_id = :tenant and api_key_id = :api_key_id

-- name: revoke_key
-- the key opens nothing any more
update api_keys
set revoked_at = :at
where user_id = :tenant and api_key_id = :api_key_id and revoked_at is null
