-- name: find_extent
-- one row: the first and the last UTC day that has downloads, null where none has
select min(day_on) as first_on, max(day_on) as last_on
from my_daily_metrics
where metric = 'downloads' and dimension = 'total'
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

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
