-- name: load_counted_days
-- one row per UTC day with figures of the shows and the versions that they were counted by
select distinct
    day_on,
    coalesce(runs.rule_versions ->> 'settings', '') as settings_version,
    coalesce(runs.rule_versions ->> 'rules', '') as rules_version
from my_daily_metrics
join runs using (run_id)
where runs.user_id = :tenant
    and metric = 'downloads' and dimension = 'total'
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
order by day_on, settings_version, rules_version

-- name: load_restated_days
-- one row per UTC day whose downloads of the shows changed after it was final: by how many in all, when last, and why
select day_on, sum(after_count - before_count)::bigint as change_count, max(restated_at) as restated_at,
    array_agg(distinct cause::text order by cause::text) as causes
from restatements
where user_id = :tenant
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
group by day_on
order by day_on

-- name: load_empty_days
-- one row per UTC day between measured ones of which nothing was counted and no zero is known, and why
-- logs cover a day from their first line to their last; so does what continues a log, and the intake while it runs
with measured as (
    select min(day_on) as first_on, max(day_on) as last_on
    from request_verdicts
    where user_id = :tenant
), empty as (
    select day::date as day_on, first_on, last_on,
        day at time zone 'utc' as begin_at, (day + interval '1 day') at time zone 'utc' as end_at
    from measured
    cross join generate_series(
        greatest(:first_on::date, first_on)::timestamp, least(:last_on::date, last_on)::timestamp, '1 day'
    ) as days (day)
    where first_on is not null
        and not exists (
            select
            from request_verdicts
            where user_id = :tenant and day_on = day::date
        )
), known as (
    select day_on,
        greatest(first_on, day_on - 28) as around_from,
        least(last_on, day_on + 28) as around_to,
        exists (
            select
            from dirty_days
            where user_id = :tenant and dirty_days.day_on = empty.day_on
        ) as is_waiting,
        exists (
            select
            from (
                -- an intake has a batch every few seconds, and none of them covers a day: half a day of them is enough
                select first_at, (metadata ->> 'continues')::uuid as continues
                from batches
                where user_id = :tenant and kind = 'access_log' and last_at >= begin_at
                order by last_at
                limit 10000
            ) as later
            where first_at < end_at
                or exists (
                    select
                    from batches as earlier
                    where earlier.batch_id = later.continues and earlier.user_id = :tenant and earlier.last_at < begin_at
                )
        ) as is_covered,
        (
            select coalesce(metadata ->> 'format', '')
            from batches
            where user_id = :tenant and kind = 'access_log' and last_at < begin_at
            order by last_at desc
            limit 1
        ) as format_before,
        (
            select coalesce(metadata ->> 'format', '')
            from batches
            where user_id = :tenant and kind = 'access_log' and last_at >= end_at
            order by last_at
            limit 1
        ) as format_after
    from empty
), judged as (
    select day_on, around_from, around_to,
        case
            when is_waiting then 'not_counted'
            when is_covered or (format_before = 'castline' and format_after = 'castline') then 'no_request'
            when format_before is not null and format_after is not null then 'no_log'
            else 'no_request'
        end as cause
    from known
)
select day_on, cause
from judged
where cause <> 'no_request' or (
    -- whatever days are asked for, what is usual is so in the four weeks before and after
    select sum(value) >= :least_count * (around_to - around_from + 1)
    from my_daily_metrics
    where metric = 'downloads' and dimension = 'total'
        and my_daily_metrics.day_on >= around_from and my_daily_metrics.day_on <= around_to
)
order by day_on

-- name: load_release_days
-- one row per day of a time zone on which episodes of the shows were published: how many, and the title of one
select (publish_date at time zone :tz::text)::date as day_on, count(*) as episode_count, min(episodes.title) as title
from episodes
join podcasts using (podcast_id)
where podcasts.user_id = :tenant
    and publish_date >= :start_at and publish_date < :end_at
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and (:episode_ids::uuid[] is null or episode_id = any(:episode_ids))
group by 1
order by day_on

-- name: load_releases
-- one row per episode of the shows that was published by the end of a day, the newest first: the day in a time zone
select episode_id, podcast_id, (publish_date at time zone :tz::text)::date as publish_on
from episodes
join podcasts using (podcast_id)
where podcasts.user_id = :tenant
    and publish_date < :end_at
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
order by publish_date desc, episode_id
