-- name: find_counting
-- one row: the measured days, when they were counted last and by which rules, and which days wait to be counted again
with counted as materialized (
    select min(day_on) as first_on, max(day_on) as last_on
    from my_daily_metrics
    where metric = 'downloads' and dimension = 'total' and :tenant::uuid = castline_tenant()
), last_run as materialized (
    select finished_at, rule_versions
    from runs
    where user_id = :tenant and job = 'measure.run' and status = 'succeeded'
    order by started_at desc
    limit 1
)
select
    least(
        (select first_on from counted),
        (select min(day_on) from request_verdicts where user_id = :tenant)
    ) as first_on,
    greatest(
        (select last_on from counted),
        (select max(day_on) from request_verdicts where user_id = :tenant)
    ) as last_on,
    (select finished_at from last_run) as measured_at,
    (select rule_versions ->> 'rules' from last_run) as rules,
    (select count(*) from dirty_days where user_id = :tenant) as waiting_days,
    (select min(day_on) from dirty_days where user_id = :tenant) as dirty_on

-- name: sum_daily_metrics
-- one row per UTC day, week or month, show if asked for, and member if asked for: the sum of the rollup's values
select
    case when :grain::text <> 'none' then date_trunc(:grain::text, day_on::timestamp) at time zone 'utc' end as start_at,
    case when :by_show::boolean then podcast_id::text end as show,
    case when :by_member::boolean then member else '' end as member,
    sum(value)::bigint as value
from my_daily_metrics
where day_on >= :first_on and day_on <= :last_on
    and metric = :metric and dimension = :dimension
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and (:members::text[] is null or member = any(:members))
    and :tenant::uuid = castline_tenant()
group by 1, 2, 3

-- name: sum_hourly_metrics
-- one row per hour, day, week or month of a time zone, show if asked for, and member if asked for: the sum of values
select
    case when :grain::text <> 'none' then date_trunc(:grain::text, hour_at, :tz::text) end as start_at,
    case when :by_show::boolean then podcast_id::text end as show,
    case when :by_member::boolean then member else '' end as member,
    sum(value)::bigint as value
from my_hourly_metrics
where hour_at >= :start_at and hour_at < :end_at
    and metric = :metric and dimension = :dimension
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and (:members::text[] is null or member = any(:members))
    and :tenant::uuid = castline_tenant()
group by 1, 2, 3

-- name: count_events
-- one row per hour, day, week or month of a time zone and member of up to two dimensions: raw downloads, consumers or ads
-- `counted` is `downloads`, `consumers` (distinct address and agent) or a list of ads; the rest is planned away
with downloads as not materialized (
    select
        timestamp,
        campaign_id,
        metadata,
        listener_key,
        user_agent,
        podcast_id::text as show,
        episode_id::text as episode,
        left(coalesce(metadata ->> 'app', platform), 255) as app,
        country_code as country,
        device_type as device,
        coalesce(metadata ->> 'source', 'file') as source
    from my_listener_events
    where timestamp >= :start_at and timestamp < :end_at
        and event_type = 'download'
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
        and (:episode_ids::uuid[] is null or episode_id = any(:episode_ids))
        and (:platforms::text[] is null or left(coalesce(metadata ->> 'app', platform, 'unknown'), 255) = any(:platforms))
        and (:country_codes::text[] is null or coalesce(country_code, 'unknown') = any(:country_codes))
        and (:device_types::text[] is null or coalesce(device_type, 'unknown') = any(:device_types))
        and (:sources::text[] is null or coalesce(metadata ->> 'source', 'file') = any(:sources))
        and :tenant::uuid = castline_tenant()
), carried as not materialized (
    select timestamp, show, episode, app, country, device, source, listener_key, user_agent,
        case
            when campaign_id is not null then campaign_id::text
            when metadata ? 'ads_delivered' then 'several'
            else 'none'
        end as campaign
    from downloads
    where :counted::text in ('downloads', 'consumers')
        and (
            :campaign_ids::uuid[] is null
            or campaign_id = any(:campaign_ids)
            or metadata -> 'ads_delivered' ?| :campaign_ids::uuid[]::text[]
        )
    union all
    select timestamp, show, episode, app, country, device, source, listener_key, user_agent, ads.campaign
    from downloads
    cross join lateral jsonb_array_elements_text(metadata -> :counted::text) as ads (campaign)
    where :counted::text not in ('downloads', 'consumers')
        and (:campaign_ids::uuid[] is null or ads.campaign = any(:campaign_ids::uuid[]::text[]))
), chosen as not materialized (
    select
        case when :grain::text <> 'none' then date_trunc(:grain::text, timestamp, :tz::text) end as start_at,
        coalesce(
            case :first_by::text
                when '' then ''
                when 'show' then show
                when 'episode' then episode
                when 'app' then app
                when 'country' then country
                when 'device' then device
                when 'campaign' then campaign
                when 'source' then source
            end,
            'unknown'
        ) as first_member,
        coalesce(
            case :second_by::text
                when '' then ''
                when 'show' then show
                when 'episode' then episode
                when 'app' then app
                when 'country' then country
                when 'device' then device
                when 'campaign' then campaign
                when 'source' then source
            end,
            'unknown'
        ) as second_member,
        listener_key,
        user_agent
    from carried
), listeners as (
    select distinct start_at, first_member, second_member, listener_key, user_agent
    from chosen
    where :counted::text = 'consumers'
)
select start_at, first_member, second_member, count(*) as value
from chosen
where :counted::text <> 'consumers'
group by start_at, first_member, second_member
union all
select start_at, first_member, second_member, count(*) as value
from listeners
group by start_at, first_member, second_member

-- name: find_lost_days
-- one row per show whose first day with downloads has no finer rows any more: retention deletes the oldest first
with counted as (
    select podcast_id, min(day_on) as day_on
    from my_daily_metrics
    where metric = 'downloads' and dimension = 'total' and value > 0
        and day_on >= :first_on and day_on <= :last_on
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
        and :tenant::uuid = castline_tenant()
    group by podcast_id
)
select podcast_id, day_on
from counted
where case
    when :series::text = 'hourly_metrics' then not exists (
        select
        from my_hourly_metrics as finer
        where finer.podcast_id = counted.podcast_id
            and finer.metric = 'downloads' and finer.dimension = 'total'
            and finer.hour_at >= counted.day_on::timestamp at time zone 'utc'
            and finer.hour_at < (counted.day_on + 1)::timestamp at time zone 'utc'
    )
    else not exists (
        select
        from my_listener_events as finer
        where finer.podcast_id = counted.podcast_id
            and finer.timestamp >= counted.day_on::timestamp at time zone 'utc'
            and finer.timestamp < (counted.day_on + 1)::timestamp at time zone 'utc'
            and finer.event_type = 'download'
    )
end
order by day_on, podcast_id

-- name: load_uncounted
-- one row per UTC day, show, episode and reason: requests that were dropped, partial or duplicate
select day_on, podcast_id, episode_id, reason, sum(request_count)::bigint as request_count
from request_verdicts
where user_id = :tenant
    and podcast_id is not null and episode_id is not null
    and day_on >= :first_on and day_on <= :last_on
    and verdict <> 'counted'
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
group by day_on, podcast_id, episode_id, reason
order by day_on, podcast_id, episode_id, reason
