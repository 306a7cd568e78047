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

-- name: save_password
-- the account signs in with another password
update users
set password_hash = :password_hash
where user_id = :user_id

-- name: save_login
-- the moment of the account's last sign-in
update users
set last_login = :at
where user_id = :user_id

-- name: save_active
-- the account may, or may not any longer, sign in
update users
set is_active = :is_active
where user_id = :user_id

-- name: save_membership
-- one row: the member may act for the owner's account with this role
insert into memberships (owner_id, member_id, role)
values (:tenant, :member_id, :role)
on conflict (owner_id, member_id) do update set role = excluded.role
returning owner_id, member_id, role, created_at

-- name: delete_membership
-- the member no longer acts for the owner's account
delete from memberships
where owner_id = :tenant and member_id = :member_id

-- name: load_members
-- one row per member of the account, oldest first
select owner_id, member_id, role, created_at
from memberships
where owner_id = :tenant
order by created_at, member_id

-- name: load_memberships_of
-- one row per active account that the person is a member of, oldest first
select memberships.owner_id, memberships.member_id, memberships.role, memberships.created_at
from memberships
join users on users.user_id = memberships.owner_id
where memberships.member_id = :member_id and users.is_active
order by memberships.created_at, memberships.owner_id

-- name: find_membership
-- at most one row
select owner_id, member_id, role, created_at
from memberships
where owner_id = :tenant and member_id = :member_id
