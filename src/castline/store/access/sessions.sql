-- name: create_session
-- one row: a browser that has just signed in
insert into sessions (session_hash, user_id, owner_id, csrf_token, created_at, seen_at, expires_at, user_agent)
values (:session_hash, :user_id, :tenant, :csrf_token, :created_at, :seen_at, :expires_at, :user_agent)

-- name: find_session
-- at most one row, of whichever account: the id's hash is what says whose it is
select session_hash, user_id, owner_id, csrf_token, created_at, seen_at, expires_at, user_agent
from sessions
where session_hash = :session_hash

-- name: load_sessions
-- one row per session of the person, the one seen last first
select session_hash, user_id, owner_id, csrf_token, created_at, seen_at, expires_at, user_agent
from sessions
where user_id = :user_id
order by seen_at desc, session_hash

-- name: touch_session
-- the session was used at this moment
update sessions
set seen_at = :at
where session_hash = :session_hash

-- name: delete_session
-- the session opens nothing any more
delete from sessions
where session_hash = :session_hash

-- name: delete_sessions_of
-- no session of the person opens anything any more
delete from sessions
where user_id = :user_id

-- name: delete_ended_sessions
-- sessions that nobody can use any more are gone
delete from sessions
where expires_at <= :at or seen_at <= :idle_since
