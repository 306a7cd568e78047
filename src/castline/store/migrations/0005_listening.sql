-- Listening. Partitioned by time; castline.store.timeseries makes and drops the partitions.
create table listener_events (
    event_id uuid not null,
    timestamp timestamptz not null,
    podcast_id uuid not null,
    episode_id uuid,
    campaign_id uuid,
    event_type varchar(50) not null,
    platform varchar(100),
    country_code varchar(2),
    device_type varchar(50),
    device_os varchar(50),
    listen_duration_seconds integer,
    completion_rate numeric(5, 4),
    user_agent text,
    ip_address inet,
    session_id varchar(255),
    metadata jsonb default '{}',
    listener_key bytea,
    run_id uuid not null,
    primary key (event_id, timestamp),
    constraint valid_event_type check (event_type in (
        'download', 'stream', 'listen_start', 'listen_complete', 'skip', 'ad_start', 'ad_complete', 'ad_skip'
    )),
    constraint completion_rate_is_a_rate check (completion_rate between 0 and 1)
) partition by range (timestamp);
create index idx_listener_events_podcast_id on listener_events (podcast_id, timestamp desc);
create index idx_listener_events_episode_id on listener_events (episode_id, timestamp desc);
create index idx_listener_events_campaign_id on listener_events (campaign_id, timestamp desc)
where campaign_id is not null;

-- Grain: one row per hour, show, metric, dimension and member.
create table hourly_metrics (
    hour_at timestamptz not null,
    podcast_id uuid not null,
    metric varchar(50) not null,
    dimension varchar(50) not null,
    member varchar(255) not null,
    value bigint not null,
    run_id uuid not null,
    primary key (podcast_id, dimension, hour_at, metric, member)
) partition by range (hour_at);

-- Grain: one row per UTC day, show, metric, dimension and member.
create table daily_metrics (
    day_on date not null,
    podcast_id uuid not null,
    metric varchar(50) not null,
    dimension varchar(50) not null,
    member varchar(255) not null,
    value bigint not null,
    run_id uuid not null,
    primary key (podcast_id, dimension, day_on, metric, member)
) partition by range (day_on);

-- Where every request went. Grain: one row per UTC day, batch, episode (null: none matched), verdict and reason.
create table request_verdicts (
    user_id uuid not null references users (user_id) on delete restrict,
    day_on date not null,
    batch_id uuid not null references batches (batch_id) on delete restrict,
    podcast_id uuid references podcasts (podcast_id) on delete restrict,
    episode_id uuid references episodes (episode_id) on delete restrict,
    verdict varchar(20) not null,
    reason varchar(50) not null,
    request_count bigint not null,
    run_id uuid not null references runs (run_id) on delete restrict,
    constraint valid_verdict check (verdict in ('counted', 'duplicate', 'partial', 'dropped')),
    constraint unique_verdict unique nulls not distinct (user_id, day_on, batch_id, episode_id, verdict, reason)
);
create index idx_request_verdicts_batch_id on request_verdicts (batch_id);
