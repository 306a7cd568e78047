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

-- name: load_ad_plays
-- one row per campaign, null where none is known: plays of ads that players confirmed, and how far these came
-- a play is an ad of a session; it is of the time of its first event, and a day's slack finds the whole of it
with told as (
    select session_id, episode_id, campaign_id,
        coalesce(metadata ->> 'ad_id', metadata ->> 'campaign', '') as ad,
        min(timestamp) as begun_at,
        bool_or(event_type in ('ad_start', 'ad_complete')) as is_played,
        bool_or(event_type = 'ad_complete') as is_completed,
        bool_or(event_type = 'ad_skip') as is_skipped
    from my_listener_events
    where timestamp >= :start_at::timestamptz - interval '1 day' and timestamp < :end_at::timestamptz + interval '1 day'
        and event_type in ('ad_start', 'ad_complete', 'ad_skip')
        and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    group by session_id, episode_id, campaign_id, ad
), reached as (
    select session_id, episode_id, told.ad, max(told.percent::text::integer) as percent
    from my_listener_events
    cross join lateral jsonb_each(metadata -> 'ads') as told (ad, percent)
    where timestamp >= :start_at::timestamptz - interval '7 days' and timestamp < :end_at::timestamptz + interval '1 day'
        and event_type = 'listen_start'
        and metadata ? 'ads'
        and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    group by session_id, episode_id, told.ad
), plays as (
    select campaign_id, is_skipped, is_completed,
        case when is_completed then 100 else coalesce(percent, 0) end as percent
    from told
    left join reached using (session_id, episode_id, ad)
    where is_played and begun_at >= :start_at and begun_at < :end_at
)
select campaign_id, campaigns.name as campaign,
    count(*) as play_count,
    count(*) filter (where percent >= 25) as first_quarter_count,
    count(*) filter (where percent >= 50) as half_count,
    count(*) filter (where percent >= 75) as third_quarter_count,
    count(*) filter (where is_completed) as complete_count,
    count(*) filter (where is_skipped and not is_completed) as skip_count
from plays
left join campaigns using (campaign_id)
group by campaign_id, campaigns.name
order by play_count desc, campaign, campaign_id
