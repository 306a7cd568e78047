-- Shows and episodes, and what polling knows of their feeds.
create table podcasts (
    podcast_id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (user_id) on delete restrict,
    title varchar(500) not null,
    description text,
    author varchar(255),
    image_url text,
    feed_url text not null,
    website_url text,
    language varchar(10) default 'en',
    category varchar(100),
    explicit boolean default false,
    platform_configs jsonb default '{}',
    ingestion_status varchar(50) default 'active',
    last_ingested_at timestamptz,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    metadata jsonb default '{}',
    podcast_guid text,
    deactivated_at timestamptz,
    constraint valid_ingestion_status check (ingestion_status in ('active', 'paused', 'error')),
    constraint podcast_urls_fit check (
        length(feed_url) <= 4096 and length(image_url) <= 4096 and length(website_url) <= 4096
    ),
    constraint unique_podcast_feed unique (user_id, feed_url)
);
create index idx_podcasts_feed_url on podcasts (feed_url);
create index idx_podcasts_ingestion_status on podcasts (ingestion_status);
create index idx_podcasts_created_at on podcasts (created_at);
create trigger touch before update on podcasts for each row execute function castline_touch();
create trigger touch before update on users for each row execute function castline_touch();

create table episodes (
    episode_id uuid primary key default gen_random_uuid(),
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    guid varchar(500) not null,
    title varchar(500) not null,
    description text,
    audio_url text not null,
    duration_seconds integer,
    publish_date timestamptz not null,
    link text,
    author varchar(255),
    categories text[],
    explicit boolean default false,
    transcript_url text,
    transcript_status varchar(50) default 'pending',
    ad_slots jsonb default '[]',
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    metadata jsonb default '{}',
    audio_bytes bigint,
    audio_key text not null,
    publish_date_is_first_seen boolean not null default false,
    constraint unique_episode_guid unique (podcast_id, guid),
    constraint valid_transcript_status check (transcript_status in ('pending', 'processing', 'completed', 'failed')),
    constraint episode_urls_fit check (
        length(audio_url) <= 4096 and length(link) <= 4096 and length(transcript_url) <= 4096
    ),
    constraint duration_not_negative check (duration_seconds >= 0),
    constraint audio_bytes_positive check (audio_bytes > 0)
);
create index idx_episodes_publish_date on episodes (publish_date);
create index idx_episodes_guid on episodes (guid);
create index idx_episodes_transcript_status on episodes (transcript_status) where transcript_status <> 'completed';
create index idx_episodes_audio_key on episodes (podcast_id, audio_key);
create trigger touch before update on episodes for each row execute function castline_touch();

-- One row per name an episode once had: a former guid or a former enclosure, so that requests and items still find it.
create table episode_aliases (
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    kind varchar(20) not null,
    alias text not null,
    episode_id uuid not null references episodes (episode_id) on delete restrict,
    created_at timestamptz not null default now(),
    primary key (podcast_id, kind, alias),
    constraint valid_alias_kind check (kind in ('guid', 'audio_key'))
);

create table transcripts (
    transcript_id uuid primary key default gen_random_uuid(),
    episode_id uuid not null references episodes (episode_id) on delete restrict,
    status varchar(50) not null default 'pending',
    source varchar(50) not null default 'automated',
    language varchar(10) default 'en',
    transcript_text text,
    transcript_json jsonb,
    word_count integer,
    duration_seconds integer,
    processing_started_at timestamptz,
    processing_completed_at timestamptz,
    error_message text,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    metadata jsonb default '{}',
    constraint valid_status check (status in ('pending', 'processing', 'completed', 'failed')),
    constraint valid_source check (source in ('automated', 'manual', 'uploaded'))
);
create index idx_transcripts_episode_id on transcripts (episode_id);
create index idx_transcripts_status on transcripts (status) where status <> 'completed';
create index idx_transcripts_language on transcripts (language);
create trigger touch before update on transcripts for each row execute function castline_touch();

-- An episode is as far as its furthest transcript: completed, else processing, else failed, else pending (ruling 5a).
create function castline_transcript_status() returns trigger
language plpgsql as $$
declare
    touched uuid := coalesce(new.episode_id, old.episode_id);
begin
    update episodes
    set transcript_status = coalesce((
        select status
        from transcripts
        where transcripts.episode_id = touched
        order by array_position(array['completed', 'processing', 'failed', 'pending']::varchar[], status)
        limit 1
    ), 'pending')
    where episodes.episode_id = touched;
    return null;
end
$$;
create trigger maintain_episode_status after insert or update or delete on transcripts
for each row execute function castline_transcript_status();

create table feed_states (
    podcast_id uuid primary key references podcasts (podcast_id) on delete restrict,
    etag text,
    last_modified text,
    content_hash bytea,
    polled_at timestamptz,
    changed_at timestamptz,
    next_poll_at timestamptz not null default now(),
    failure_count integer not null default 0,
    moved_to text,
    moved_count integer not null default 0,
    problems jsonb not null default '[]'
);
create index idx_feed_states_next_poll_at on feed_states (next_poll_at);
