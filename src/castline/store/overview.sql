-- name: find_extent
-- one row: the first and the last UTC day that has downloads, null where none has
select min(day_on) as first_on, max(day_on) as last_on
from my_daily_metrics
where metric = 'downloads' and dimension = 'total'
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: load_days
-- one row per UTC day with downloads, over the shows
select day_on, sum(value)::bigint as downloads
from my_daily_metrics
where metric = 'downloads' and dimension = 'total'
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
group by day_on
order by day_on

-- name: load_members
-- one row per member of a dimension: its downloads over the days, the most first
select member, sum(value)::bigint as downloads
from my_daily_metrics
where metric = 'downloads' and dimension = :dimension
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
group by member
order by downloads desc, member

-- name: count_consumers
-- one row: raw downloads of the period, and the distinct listeners (address and user agent) behind them
with listeners as (
    select listener_key, user_agent, count(*) as downloads
    from my_listener_events
    where timestamp >= :start_at and timestamp < :end_at
        and event_type = 'download'
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
        and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    group by listener_key, user_agent
)
select coalesce(sum(downloads), 0)::bigint as downloads, count(*) as consumers
from listeners

-- name: load_credited_campaigns
-- one row per campaign that conversions of the period were credited to
select distinct campaign_id
from my_attribution_events
where timestamp >= :start_at and timestamp < :end_at
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: find_freshness
-- one row: how far the imported logs and the conversions reach, when the counting ran last, and what waits for it
select
    (select max(last_at) from batches where user_id = :tenant and kind = 'access_log') as requests_until,
    (select max(occurred_at) from conversions where user_id = :tenant) as conversions_until,
    (select max(finished_at) from runs where user_id = :tenant and job = 'measure.run' and status = 'succeeded')
        as measured_at,
    (select count(*) from dirty_days where user_id = :tenant) as waiting_days,
    (select count(*) from quarantine where user_id = :tenant and replayed_at is null) as quarantined,
    (select count(*) from batches where user_id = :tenant and kind = 'access_log') as log_count

-- name: find_watermark
-- one row: what changes whenever a figure of the account may have changed
select
    (select max(started_at) from runs where user_id = :tenant) as last_run_at,
    (select max(updated_at) from campaigns where user_id = :tenant) as campaigns_at,
    (select max(updated_at) from podcasts where user_id = :tenant) as podcasts_at,
    (select max(placements.updated_at) from placements join campaigns using (campaign_id) where user_id = :tenant)
        as placements_at
