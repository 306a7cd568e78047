-- What was sold: sponsors, campaigns, placements.
create table sponsors (
    sponsor_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    name varchar(255) not null,
    company varchar(255),
    email varchar(255),
    contact_name varchar(255),
    phone varchar(50),
    website text,
    logo_url text,
    industry varchar(100),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    metadata jsonb default '{}',
    constraint sponsor_urls_fit check (length(website) <= 4096 and length(logo_url) <= 4096)
);
create index idx_sponsors_user_id on sponsors (user_id);
create index idx_sponsors_name on sponsors (name);
create trigger touch before update on sponsors for each row execute function castline_touch();

create table campaigns (
    campaign_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    sponsor_id uuid not null references sponsors (sponsor_id) on delete restrict,
    name varchar(255) not null,
    status varchar(50) not null default 'draft',
    start_date timestamptz not null,
    end_date timestamptz not null,
    campaign_value numeric(14, 4) not null,
    currency char(3) not null default 'USD',
    episode_ids uuid[] default '{}',
    attribution_config jsonb not null default '{}',
    notes text,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    metadata jsonb default '{}',
    constraint valid_status check (status in ('draft', 'scheduled', 'active', 'paused', 'completed', 'cancelled')),
    constraint valid_date_range check (end_date > start_date),
    constraint campaign_value_not_negative check (campaign_value >= 0),
    constraint currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$')
);
create index idx_campaigns_user_id on campaigns (user_id, status, start_date);
create index idx_campaigns_podcast_id on campaigns (podcast_id);
create index idx_campaigns_sponsor_id on campaigns (sponsor_id);
create index idx_campaigns_status on campaigns (status);
create index idx_campaigns_date_range on campaigns (start_date, end_date);
create index idx_campaigns_episode_ids on campaigns using gin (episode_ids);
create trigger touch before update on campaigns for each row execute function castline_touch();

create table placements (
    placement_id uuid primary key default gen_random_uuid(),
    campaign_id uuid not null references campaigns (campaign_id) on delete restrict,
    episode_id uuid not null references episodes (episode_id) on delete restrict,
    kind varchar(20) not null default 'host-read',
    position varchar(10) not null,
    start_seconds numeric(10, 3),
    end_seconds numeric(10, 3),
    air_date timestamptz,
    contracted_impressions bigint,
    cost numeric(14, 4),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint valid_kind check (kind in ('baked', 'dynamic', 'host-read')),
    constraint valid_position check (position in ('pre', 'mid', 'post')),
    constraint valid_seconds check (start_seconds >= 0 and end_seconds > start_seconds),
    constraint contracted_not_negative check (contracted_impressions >= 0),
    constraint cost_not_negative check (cost >= 0),
    constraint unique_placement unique nulls not distinct (campaign_id, episode_id, position, start_seconds)
);
create index idx_placements_episode_id on placements (episode_id);
create trigger touch before update on placements for each row execute function castline_touch();
