-- name: load_ad_slots
-- one row per episode of the account that has ad slots
select episode_id, ad_slots
from episodes
join podcasts using (podcast_id)
where podcasts.user_id = :tenant and ad_slots <> '[]'::jsonb
order by episode_id

-- name: find_ad_slots
-- at most one row: the ad slots of the episode, held until the transaction ends
select episode_id, ad_slots
from episodes
where episode_id = :episode_id and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
for update

-- name: mark_ad_days
-- UTC days of the campaigns' flights on which somebody asked for the episode or heard it: its ads are judged again
insert into dirty_days (user_id, day_on)
with flights as (
    select start_date, end_date
    from campaigns
    where user_id = :tenant and campaign_id = any(:campaign_ids)
)
select :tenant, day_on
from (
    select day_on
    from request_verdicts
    where user_id = :tenant and episode_id = :episode_id
    union
    select (timestamp at time zone 'utc')::date
    from my_listener_events
    where :tenant::uuid = castline_tenant()
        and episode_id = :episode_id
        and event_type in ('ad_start', 'ad_complete', 'ad_skip')
) as days (day_on)
where exists (
    select
    from flights
    where day_on >= (start_date at time zone 'utc')::date and day_on <= (end_date at time zone 'utc')::date
)
order by day_on
on conflict (user_id, day_on) do update set marked_at = clock_timestamp()

-- name: name_player_ads
-- the ads that players told of on the UTC days have the campaign that their own words or their place in the episode tell
-- an id of the account's campaign or placement decides; else the one campaign with an ad at that second, on the air then
update listener_events
set campaign_id = found.campaign_id
from (
    with told as (
        select event_id, timestamp, episode_id, event_type, listen_duration_seconds as seconds,
            metadata ->> 'campaign' as named, metadata ->> 'ad_id' as ad_id
        from listener_events
        where timestamp >= :start_at and timestamp < :end_at
            and event_type in ('ad_start', 'ad_complete', 'ad_skip')
            and (timestamp at time zone 'utc')::date = any(:days)
            and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    ), found as (
        select told.event_id, told.timestamp,
            coalesce(
                (
                    select campaign_id
                    from campaigns
                    where user_id = :tenant and campaign_id::text = told.named
                ),
                (
                    select placements.campaign_id
                    from placements
                    join campaigns using (campaign_id)
                    where user_id = :tenant and placement_id::text = told.ad_id
                ),
                (
                    select (array_agg(distinct places.campaign_id))[1]
                    from unnest(
                        :campaign_ids::uuid[], :episode_ids::uuid[], :first_seconds::numeric[], :end_seconds::numeric[],
                        :starts::timestamptz[], :ends::timestamptz[]
                    ) as places (campaign_id, episode_id, first_second, end_second, start_at, end_at)
                    where places.episode_id = told.episode_id
                        and told.seconds >= floor(places.first_second)
                        and told.seconds <= ceil(places.end_second)
                        -- where one ad ends the next may begin: an ad starts before its end and ends after its start
                        and (told.event_type <> 'ad_start' or told.seconds < floor(places.end_second))
                        and (told.event_type <> 'ad_complete' or told.seconds > floor(places.first_second))
                        and told.timestamp >= places.start_at
                        and told.timestamp < places.end_at
                    having count(distinct places.campaign_id) = 1
                )
            ) as campaign_id
        from told
    )
    select event_id, timestamp, campaign_id
    from found
) as found
where listener_events.event_id = found.event_id
    and listener_events.timestamp = found.timestamp
    and listener_events.campaign_id is distinct from found.campaign_id
