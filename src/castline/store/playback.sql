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
    run_id = excluded.run_id
where greatest(known.listen_duration_seconds, excluded.listen_duration_seconds)
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
