-- name: create_user
-- one row: the new account
insert into users (email, password_hash, name, role, subscription_tier)
values (:email, :password_hash, :name, :role, :subscription_tier)
returning user_id, email, password_hash, name, role, subscription_tier, persona_segment, created_at, updated_at,
    last_login, is_active, metadata

-- name: find_user_by_email
-- at most one row
select user_id, email, password_hash, name, role, subscription_tier, persona_segment, created_at, updated_at,
    last_login, is_active, metadata
from users
where email = :email

-- name: load_users
-- one row per user, oldest first
select user_id, email, password_hash, name, role, subscription_tier, persona_segment, created_at, updated_at,
    last_login, is_active, metadata
from users
order by created_at, user_id

-- name: find_user
-- at most one row
select user_id, email, password_hash, name, role, subscription_tier, persona_segment, created_at, updated_at,
    last_login, is_active, metadata
from users
where user_id = :user_id
