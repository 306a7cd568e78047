-- Accounts: who may do what. The tenant is users.user_id (ruling 10a).
create function castline_tenant() returns uuid
language sql stable parallel safe
return nullif(current_setting('castline.tenant', true), '')::uuid;

create function castline_touch() returns trigger
language plpgsql as $$
begin
    new.updated_at := now();
    return new;
end
$$;

create table users (
    user_id uuid primary key default gen_random_uuid(),
    email varchar(255) not null unique,
    password_hash varchar(255) not null,
    name varchar(255) not null,
    role varchar(50) not null default 'user',
    subscription_tier varchar(50) not null default 'free',
    persona_segment varchar(100),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    last_login timestamptz,
    is_active boolean default true,
    metadata jsonb default '{}',
    constraint valid_role check (role in ('admin', 'user', 'viewer')),
    constraint valid_tier check (subscription_tier in ('free', 'starter', 'professional', 'enterprise')),
    constraint email_in_lower_case check (email = lower(email))
);
create index idx_users_subscription_tier on users (subscription_tier, is_active);
create index idx_users_persona_segment on users (persona_segment);
create index idx_users_active on users (is_active) where is_active = true;

create table memberships (
    owner_id uuid not null references users (user_id) on delete restrict,
    member_id uuid not null references users (user_id) on delete restrict,
    role varchar(50) not null,
    created_at timestamptz not null default now(),
    primary key (owner_id, member_id),
    constraint valid_membership_role check (role in ('admin', 'user', 'viewer'))
);
create index idx_memberships_member_id on memberships (member_id);

create table sessions (
    session_hash bytea primary key,
    user_id uuid not null references users (user_id) on delete restrict,
    owner_id uuid not null references users (user_id) on delete restrict,
    csrf_token varchar(64) not null,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    user_agent text
);
create index idx_sessions_user_id on sessions (user_id);
create index idx_sessions_expires_at on sessions (expires_at);

create table api_keys (
    api_key_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    prefix varchar(16) not null unique,
    key_hash bytea not null,
    name varchar(255) not null,
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index idx_api_keys_user_id on api_keys (user_id);

create unlogged table cache_entries (
    cache_key text primary key,
    value bytea not null,
    expires_at timestamptz not null
);
create index idx_cache_entries_expires_at on cache_entries (expires_at);
