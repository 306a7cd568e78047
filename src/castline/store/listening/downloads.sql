-- name: load_measured_batches
-- one row per batch with requests of the measured days
select distinct batch_id
from request_verdicts
where user_id = :tenant and day_on = any(:days::date[])
order by batch_id

-- name: load_dirty_days
-- one row per UTC day whose requests changed since it was last measured, oldest first
select day_on, marked_at
from dirty_days
where user_id = :tenant
order by day_on

-- name: lock_dirty_days
-- one row per dirty day of the list, locked until the transaction ends
select day_on
from dirty_days
where user_id = :tenant and day_on = any(:days)
order by day_on
for update

-- name: mark_dirty_days
-- one row per UTC day that has to be measured again
insert into dirty_days (user_id, day_on)
select :tenant, day_on
from unnest(:days::date[]) as days (day_on)
on conflict (user_id, day_on) do update set marked_at = clock_timestamp()

-- name: clear_dirty_days
-- the days are measured
delete from dirty_days
where user_id = :tenant and day_on = any(:days)

-- name: hold_landing
-- one row of nothing: until the transaction ends, nobody removes landed files of the account
select pg_advisory_xact_lock_shared(hashtextextended('landed files ' || :tenant::uuid::text, 0))

-- name: load_landed_batches
-- one row per batch of the kind that has rows between the two times
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant and kind = :kind and first_at < :end_at and last_at >= :start_at
order by batch_id

-- name: find_log_by_file
-- at most one row: the batch that the very same file, as it lay on the disk, became
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant and kind = :kind and metadata ->> 'file_hash' = :file_hash
order by created_at
limit 1

-- name: load_log_beginnings
-- one row per batch of a log that begins with this line: those of the same name first, then the newest
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant and kind = :kind and metadata ->> 'first_line' = :first_line and received_count > 0
order by source = :source desc, created_at desc
limit 200

-- name: load_log_chain
-- one row per batch of a log that came in steps: this one, and those that it continues, the newest first
with recursive chain (batch_id) as (
    select :batch_id::uuid
    union
    select (batches.metadata ->> 'continues')::uuid
    from chain
    join batches on batches.batch_id = chain.batch_id
    where batches.user_id = :tenant and batches.metadata ->> 'continues' is not null
)
select batches.batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count,
    refused_count, first_at, last_at, created_at, metadata
from chain
join batches on batches.batch_id = chain.batch_id
where batches.user_id = :tenant
order by created_at desc

-- name: load_replays
-- one row per batch that these runs made of refused lines which went through on a second try
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant and kind = :kind and run_id = any(:run_ids) and metadata ->> 'replay_of' is not null
order by batch_id

-- name: hold_log_beginning
-- one row of nothing: until the transaction ends, no other log of the account that begins with this line is landed
select pg_advisory_xact_lock(hashtextextended('log ' || :tenant::uuid::text || ' ' || :first_line::text, 0))

-- name: delete_downloads
-- the account's downloads of the UTC days are gone, to be written anew
delete from listener_events
where timestamp >= :start_at and timestamp < :end_at
    and event_type = 'download'
    and (timestamp at time zone 'utc')::date = any(:days)
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: delete_hourly_metrics
-- the account's hourly rows of the UTC days are gone, to be written anew
delete from hourly_metrics
where hour_at >= :start_at and hour_at < :end_at
    and metric = any(:metrics)
    and (hour_at at time zone 'utc')::date = any(:days)
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: delete_daily_metrics
-- the account's daily rows of the UTC days are gone, to be written anew
delete from daily_metrics
where day_on = any(:days)
    and metric = any(:metrics)
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: delete_verdicts
-- what became of the requests of the UTC days is gone, to be written anew
delete from request_verdicts
where user_id = :tenant and day_on = any(:days)

-- name: delete_some_downloads
-- the account's downloads of these ids are gone
delete from listener_events
using unnest(:ids::uuid[]) as gone (event_id)
where listener_events.event_id = gone.event_id
    and timestamp >= :start_at and timestamp < :end_at
    and event_type = 'download'
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: delete_some_hourly_metrics
-- the account's hourly rows of these keys are gone
delete from hourly_metrics
using unnest(
    :hour_at::timestamptz[], :podcast_id::uuid[], :metric::text[], :dimension::text[], :member::text[]
) as gone (hour_at, podcast_id, metric, dimension, member)
where hourly_metrics.hour_at = gone.hour_at
    and hourly_metrics.podcast_id = gone.podcast_id
    and hourly_metrics.metric = gone.metric
    and hourly_metrics.dimension = gone.dimension
    and hourly_metrics.member = gone.member
    and hourly_metrics.podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: delete_some_daily_metrics
-- the account's daily rows of these keys are gone
delete from daily_metrics
using unnest(
    :day_on::date[], :podcast_id::uuid[], :metric::text[], :dimension::text[], :member::text[]
) as gone (day_on, podcast_id, metric, dimension, member)
where daily_metrics.day_on = gone.day_on
    and daily_metrics.podcast_id = gone.podcast_id
    and daily_metrics.metric = gone.metric
    and daily_metrics.dimension = gone.dimension
    and daily_metrics.member = gone.member
    and daily_metrics.podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: delete_some_verdicts
-- what became of some requests, by day, batch, episode, verdict and reason, is gone
delete from request_verdicts
using unnest(
    :day_on::date[], :batch_id::uuid[], :episode_id::uuid[], :verdict::text[], :reason::text[]
) as gone (day_on, batch_id, episode_id, verdict, reason)
where user_id = :tenant
    and request_verdicts.day_on = gone.day_on
    and request_verdicts.batch_id = gone.batch_id
    and request_verdicts.episode_id is not distinct from gone.episode_id
    and request_verdicts.verdict = gone.verdict
    and request_verdicts.reason = gone.reason

-- name: name_last_run
-- one row of the UTC day, whichever, tells that the run was the last that measured the day
update request_verdicts
set run_id = :run_id
where user_id = :tenant
    and ctid = (
        select ctid
        from request_verdicts
        where user_id = :tenant and day_on = :day_on
        limit 1
    )

-- name: save_verdicts
-- one row per UTC day, batch, episode, verdict and reason
insert into request_verdicts (
    user_id, day_on, batch_id, podcast_id, episode_id, verdict, reason, request_count, run_id
)
select :tenant, day_on, batch_id, podcast_id, episode_id, verdict, reason, request_count, :run_id
from unnest(
    :day_on::date[], :batch_id::uuid[], :podcast_id::uuid[], :episode_id::uuid[], :verdict::text[],
    :reason::text[], :count::bigint[]
) as rows (day_on, batch_id, podcast_id, episode_id, verdict, reason, request_count)

-- name: load_waterfall
-- one row per verdict and reason: requests, the most first
select verdict, reason, sum(request_count)::bigint as request_count
from request_verdicts
where user_id = :tenant
    and (:first_on::date is null or day_on >= :first_on)
    and (:last_on::date is null or day_on <= :last_on)
    and (:batch_ids::uuid[] is null or batch_id = any(:batch_ids))
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
group by verdict, reason
order by request_count desc, verdict, reason

-- name: load_refused
-- one row per reason: log lines that are no request, by the batches they came in or whose requests reach into the days
select 'dropped' as verdict, reason, count(*) as request_count
from quarantine
join batches using (batch_id, user_id)
where quarantine.user_id = :tenant and batches.kind = :kind and replayed_at is null
    and (:batch_ids::uuid[] is null or batch_id = any(:batch_ids))
    and (:start_at::timestamptz is null or batches.last_at >= :start_at)
    and (:end_at::timestamptz is null or batches.first_at < :end_at)
group by reason
order by request_count desc, reason
