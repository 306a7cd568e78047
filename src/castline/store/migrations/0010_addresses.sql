-- Where else an episode can be fetched, what its file's own header says, and what the operator says of addresses.

-- Grain: one row per show, address and episode: another file or a stream's playlist that the feed names beside the
-- enclosure. One that left the feed stays: it may still be asked for.
create table episode_media (
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    episode_id uuid not null references episodes (episode_id) on delete restrict,
    audio_key text not null,
    kind varchar(20) not null,
    media_type varchar(255),
    bits_per_second bigint,
    audio_bytes bigint,
    seen_at timestamptz not null default now(),
    primary key (podcast_id, audio_key, episode_id),
    constraint valid_media_kind check (kind in ('file', 'stream'))
);

-- Grain: one row per episode whose file's first bytes were read; the newest reading stands.
create table file_probes (
    episode_id uuid primary key references episodes (episode_id) on delete restrict,
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    audio_url text not null,
    image_url text,
    container varchar(20) not null,
    header_bytes bigint not null,
    file_bytes bigint,
    bits_per_second bigint,
    probed_at timestamptz not null default now(),
    constraint probed_sizes_not_negative check (header_bytes >= 0 and file_bytes > 0 and bits_per_second > 0)
);

-- Grain: one row per account and pattern of addresses.
create table url_patterns (
    user_id uuid not null references users (user_id) on delete restrict,
    pattern text not null,
    podcast_id uuid not null references podcasts (podcast_id) on delete restrict,
    episode_id uuid references episodes (episode_id) on delete restrict,
    created_at timestamptz not null default now(),
    primary key (user_id, pattern),
    constraint pattern_fits check (length(pattern) <= 4096)
);

do $$
declare
    mine text := 'user_id = (select castline_tenant())';
    my_podcast text := 'podcast_id in (select podcast_id from podcasts)';
    my_episode text := 'episode_id in (select episode_id from episodes)';
    scoped record;
begin
    for scoped in
        select * from (values
            ('episode_media', my_podcast, my_episode),
            ('file_probes', my_podcast, my_episode),
            ('url_patterns', mine, my_podcast || ' and (episode_id is null or ' || my_episode || ')')
        ) as tables (name, belongs, parents)
    loop
        execute format('alter table %I enable row level security', scoped.name);
        execute format('alter table %I force row level security', scoped.name);
        execute format(
            'create policy tenant on %I to castline_app, castline_ingest using (%s) with check (%s and %s)',
            scoped.name, scoped.belongs, scoped.belongs, scoped.parents
        );
        execute format('create policy system on %I to castline_system using (true) with check (true)', scoped.name);
        execute format(
            'grant select, insert, update, delete on %I to castline_app, castline_ingest, castline_system', scoped.name
        );
    end loop;
end
$$;
