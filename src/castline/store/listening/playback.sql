-- name: save_sessions
-- one row per playback session; what is known of it already only grows: the furthest point, never a nearer one
insert into listener_events as known (
    event_id, timestamp, podcast_id, episode_id, event_type, platform, country_code, device_type, device_os,
    listen_duration_seconds, completion_rate, user_agent, ip_address, session_id, metadata, listener_key, run_id
)
select told.event_id, told.at, told.podcast_id, told.episode_id, 'listen_start', told.platform, told.country,
    told.device_type, told.device_os, told.seconds, told.rate, told.user_agent, told.ip::inet, told.session_id,
    told.metadata::jsonb, told.listener_key, :run_id
from unnest(
    :event_ids::uuid[], :times::timestamptz[], :podcast_ids::uuid[], :episode_ids::uuid[], :platforms::text[],
    :countries::text[], :device_types::text[], :device_systems::text[], :seconds::integer[], :rates::numeric[],
    :user_agents::text[], :ips::text[], :session_ids::text[], :metadata::text[], :listener_keys::bytea[]
) as told (
    event_id, at, podcast_id, episode_id, platform, country, device_type, device_os, seconds, rate, user_agent, ip,
    session_id, metadata, listener_key
)
join podcasts on podcasts.podcast_id = told.podcast_id and podcasts.user_id = :tenant
on conflict (event_id, timestamp) do update
set listen_duration_seconds = greatest(known.listen_duration_seconds, excluded.listen_duration_seconds),
    completion_rate = greatest(known.completion_rate, excluded.completion_rate),
    metadata = known.metadata || jsonb_strip_nulls(
        jsonb_build_object(
            'ads',
            (
                -- of each ad the furthest; of more ads than a session has, the first by name
                select jsonb_object_agg(name, percent)
                from (
                    select name, max(percent::text::integer) as percent
                    from (
                        select name, percent
                        from jsonb_each(known.metadata -> 'ads') as told (name, percent)
                        union all
                        select name, percent
                        from jsonb_each(excluded.metadata -> 'ads') as told (name, percent)
                    ) as both_told
                    group by name
                    order by name
                    limit 100
                ) as furthest
            )
        )
    ),
    run_id = excluded.run_id
where exists (
        select
        from jsonb_each(excluded.metadata -> 'ads') as told (name, percent)
        where told.percent > coalesce(known.metadata -> 'ads' -> told.name, '0')
    )
    or greatest(known.listen_duration_seconds, excluded.listen_duration_seconds)
        is distinct from known.listen_duration_seconds
    or greatest(known.completion_rate, excluded.completion_rate) is distinct from known.completion_rate

-- name: save_player_events
-- one row per event of a session that is a row of its own; one that is there already stays as it is
insert into listener_events (
    event_id, timestamp, podcast_id, episode_id, campaign_id, event_type, platform, country_code, device_type,
    device_os, listen_duration_seconds, user_agent, ip_address, session_id, metadata, listener_key, run_id
)
select told.event_id, told.at, told.podcast_id, told.episode_id, campaigns.campaign_id, told.event_type, told.platform,
    told.country, told.device_type, told.device_os, told.seconds, told.user_agent, told.ip::inet, told.session_id,
    told.metadata::jsonb, told.listener_key, :run_id
from unnest(
    :event_ids::uuid[], :times::timestamptz[], :podcast_ids::uuid[], :episode_ids::uuid[], :campaign_ids::uuid[],
    :event_types::text[], :platforms::text[], :countries::text[], :device_types::text[], :device_systems::text[],
    :seconds::integer[], :user_agents::text[], :ips::text[], :session_ids::text[], :metadata::text[],
    :listener_keys::bytea[]
) as told (
    event_id, at, podcast_id, episode_id, campaign_id, event_type, platform, country, device_type, device_os, seconds,
    user_agent, ip, session_id, metadata, listener_key
)
join podcasts on podcasts.podcast_id = told.podcast_id and podcasts.user_id = :tenant
left join campaigns on campaigns.campaign_id = told.campaign_id and campaigns.user_id = :tenant
on conflict (event_id, timestamp) do nothing

-- name: count_ad_plays
-- one row per hour, day, week or month of a time zone and member of up to two dimensions: ads played, and how far
-- a play is an ad of a session, called by its id, its campaign or, nameless, by the campaign at its place
-- it is of the time of its first event, and a day's slack finds the whole of it; one event that knows its campaign will do
with heard as (
    select podcast_id, session_id, episode_id, campaign_id, timestamp, event_id, event_type, country_code, device_type,
        coalesce(metadata ->> 'ad_id', metadata ->> 'campaign', campaign_id::text, '') as ad,
        coalesce(metadata ->> 'app', platform) as app
    from my_listener_events
    where timestamp >= :start_at::timestamptz - interval '1 day' and timestamp < :end_at::timestamptz + interval '1 day'
        and event_type in ('ad_start', 'ad_complete', 'ad_skip')
        and :tenant::uuid = castline_tenant()
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
        and (:episode_ids::uuid[] is null or episode_id = any(:episode_ids))
), told as (
    select podcast_id, session_id, episode_id, ad,
        (array_agg(campaign_id order by timestamp, event_id) filter (where campaign_id is not null))[1] as campaign_id,
        min(timestamp) as begun_at,
        (array_agg(app order by timestamp, event_id))[1] as app,
        (array_agg(country_code order by timestamp, event_id))[1] as country,
        (array_agg(device_type order by timestamp, event_id))[1] as device,
        bool_or(event_type in ('ad_start', 'ad_complete')) as is_played,
        bool_or(event_type = 'ad_complete') as is_completed,
        bool_or(event_type = 'ad_skip') as is_skipped
    from heard
    group by podcast_id, session_id, episode_id, ad
), reached as (
    select session_id, episode_id, told.ad, max(told.percent::text::integer) as percent
    from my_listener_events
    cross join lateral jsonb_each(metadata -> 'ads') as told (ad, percent)
    where timestamp >= :start_at::timestamptz - interval '7 days' and timestamp < :end_at::timestamptz + interval '1 day'
        and event_type = 'listen_start'
        and metadata ? 'ads'
        and :tenant::uuid = castline_tenant()
    group by session_id, episode_id, told.ad
), plays as (
    select begun_at, is_skipped, is_completed,
        case when is_completed then 100 else coalesce(percent, 0) end as percent,
        jsonb_build_object(
            '', '', 'show', podcast_id, 'episode', episode_id, 'app', left(app, 255), 'country', country,
            'device', device, 'campaign', campaign_id, 'source', 'player'
        ) as members
    from told
    left join reached using (session_id, episode_id, ad)
    where is_played and begun_at >= :start_at and begun_at < :end_at
)
select
    case when :grain::text <> 'none' then date_trunc(:grain::text, begun_at, :tz::text) end as start_at,
    coalesce(members ->> :first_by::text, 'unknown') as first_member,
    coalesce(members ->> :second_by::text, 'unknown') as second_member,
    count(*) as ad_plays,
    count(*) filter (where percent >= 25) as ad_plays_25,
    count(*) filter (where percent >= 50) as ad_plays_50,
    count(*) filter (where percent >= 75) as ad_plays_75,
    count(*) filter (where is_completed) as ad_completes,
    count(*) filter (where is_skipped and not is_completed) as ad_skips
from plays
where (:platforms::text[] is null or coalesce(members ->> 'app', 'unknown') = any(:platforms))
    and (:country_codes::text[] is null or coalesce(members ->> 'country', 'unknown') = any(:country_codes))
    and (:device_types::text[] is null or coalesce(members ->> 'device', 'unknown') = any(:device_types))
    and (:sources::text[] is null or members ->> 'source' = any(:sources))
    and (:campaign_ids::uuid[] is null or members ->> 'campaign' = any(:campaign_ids::uuid[]::text[]))
group by 1, 2, 3

-- name: count_plays
-- one row per hour, day, week or month of a time zone and member of up to two dimensions: plays, and how far they came
-- a play is an episode in a session, of the time of its first event; without a session one listener's UTC day is one
with told as (
    select podcast_id, episode_id,
        coalesce(
            session_id,
            encode(listener_key, 'hex') || ' ' || coalesce(user_agent, '') || ' ' || (timestamp at time zone 'utc')::date
        ) as play_key,
        min(timestamp) as begun_at,
        (array_agg(coalesce(metadata ->> 'app', platform) order by timestamp, event_id))[1] as app,
        (array_agg(country_code order by timestamp, event_id))[1] as country,
        (array_agg(device_type order by timestamp, event_id))[1] as device,
        bool_or(event_type = 'listen_complete') as is_completed,
        max(completion_rate) as completion_rate
    from my_listener_events
    where timestamp >= :start_at::timestamptz - interval '7 days' and timestamp < :end_at::timestamptz + interval '7 days'
        and event_type in ('listen_start', 'listen_complete')
        and :tenant::uuid = castline_tenant()
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
        and (:episode_ids::uuid[] is null or episode_id = any(:episode_ids))
    group by podcast_id, episode_id, play_key
), plays as (
    select begun_at, is_completed, completion_rate,
        jsonb_build_object(
            '', '', 'show', podcast_id, 'episode', episode_id, 'app', left(app, 255), 'country', country,
            'device', device, 'source', 'player'
        ) as members
    from told
    where play_key is not null and begun_at >= :start_at and begun_at < :end_at
)
select
    case when :grain::text <> 'none' then date_trunc(:grain::text, begun_at, :tz::text) end as start_at,
    coalesce(members ->> :first_by::text, 'unknown') as first_member,
    coalesce(members ->> :second_by::text, 'unknown') as second_member,
    count(*) as plays,
    count(*) filter (where is_completed) as completed_plays,
    avg(completion_rate) as mean_completion_rate
from plays
where (:platforms::text[] is null or coalesce(members ->> 'app', 'unknown') = any(:platforms))
    and (:country_codes::text[] is null or coalesce(members ->> 'country', 'unknown') = any(:country_codes))
    and (:device_types::text[] is null or coalesce(members ->> 'device', 'unknown') = any(:device_types))
    and (:sources::text[] is null or members ->> 'source' = any(:sources))
group by 1, 2, 3

-- name: find_told_days
-- one row: the first and the last UTC day that players told of, and when they told of the last
select
    (
        -- whoever was offline tells late: what came first need not be of the first day
        select (min(first_at) at time zone 'utc')::date
        from batches
        where user_id = :tenant and kind = 'player_events'
    ) as first_on,
    (
        select (max(last_at) at time zone 'utc')::date
        from batches
        where user_id = :tenant and kind = 'player_events'
    ) as last_on,
    (
        select created_at
        from batches
        where user_id = :tenant and kind = 'player_events' and last_at is not null
        order by last_at desc
        limit 1
    ) as told_at

-- name: find_first_told
-- one row: the first UTC day in [start_at, end_at) with which a batch of what players told begins or ends, else null
select (min(told.at) at time zone 'utc')::date as day_on
from (
    select min(first_at)
    from batches
    where user_id = :tenant and kind = 'player_events' and first_at >= :start_at and first_at < :end_at
    union all
    select min(last_at)
    from batches
    where user_id = :tenant and kind = 'player_events' and last_at >= :start_at and last_at < :end_at
) as told (at)
