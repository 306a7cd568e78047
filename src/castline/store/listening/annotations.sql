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
-- a hole is all the empty days between two measured ones; what is usual is so in the four weeks before it and after it
with measured as (
    select min(day_on) as first_on, max(day_on) as last_on
    from request_verdicts
    where user_id = :tenant
), empty as (
    select day::date as day_on, first_on, last_on, after_on,
        (select max(day_on) from request_verdicts where user_id = :tenant and day_on < day::date) as before_on
    from measured
    cross join generate_series(
        greatest(:first_on::date, first_on)::timestamp, least(:last_on::date, last_on)::timestamp, '1 day'
    ) as days (day)
    cross join lateral (
        -- looked up day by day in the index: a join would read every verdict of the account
        select min(day_on) as after_on
        from request_verdicts
        where user_id = :tenant and day_on >= day::date
    ) as next
    where first_on is not null and after_on > day::date
), holes as materialized (
    select distinct before_on, after_on, after_on - before_on - 1 as day_count,
        greatest(before_on - 27, first_on) as around_from,
        least(after_on + 27, last_on) as around_to,
        (before_on + 1)::timestamp at time zone 'utc' as begin_at,
        after_on::timestamp at time zone 'utc' as end_at
    from empty
), around as (
    select distinct day::date as day_on
    from holes
    cross join lateral (
        select generate_series(around_from::timestamp, before_on::timestamp, '1 day') as day
        union all
        select generate_series(after_on::timestamp, around_to::timestamp, '1 day')
    ) as days
), heard as (
    select day_on, sum(value) as value
    from my_daily_metrics
    where metric = 'downloads' and dimension = 'total'
        and day_on >= (select min(around_from) from holes) and day_on <= (select max(around_to) from holes)
    group by day_on
), known as materialized (
    select day_on, coalesce(value, 0) as value
    from around
    left join heard using (day_on)
    where exists (
        select
        from request_verdicts
        where user_id = :tenant and request_verdicts.day_on = around.day_on
    )
), usual as (
    select before_on, after_on, begin_at, end_at,
        (
            -- where most days have no line, so may any ten of them
            select case
                when count(*) * 2 < around_to - around_from + 1 - holes.day_count then 0
                else percentile_cont(0.5) within group (order by value)
                    * greatest(1, holes.day_count::numeric * count(*) / (around_to - around_from + 1 - holes.day_count))
            end
            from known
            where day_on >= around_from and day_on <= around_to
        ) as expected_count
    from holes
), covered as (
    select before_on, after_on, usual.expected_count,
        count(logs.batch_id) > 0 as is_within_log,
        coalesce(min(logs.expected_count) < :least_count::int, false) as is_quiet_log,
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
    from usual
    left join lateral (
        select bridges.batch_id, rhythm.expected_count
        from (
            select later.batch_id,
                coalesce(later.metadata -> 'parts', '[]') || coalesce(earlier.metadata -> 'parts', '[]') as parts
            from (
                -- an intake has a batch every few seconds, and none of them covers a day: half a day of them is enough
                select batch_id, first_at, last_at, metadata
                from batches
                where user_id = :tenant and kind = 'access_log' and last_at >= end_at
                order by last_at
                limit 10000
            ) as later
            left join lateral (
                -- the limit keeps this a look into the index: a join would read every batch of the account
                select batch_id, metadata
                from batches
                where batch_id = (later.metadata ->> 'continues')::uuid and user_id = :tenant and last_at < begin_at
                limit 1
            ) as earlier on true
            -- the log of a day has lines that are a day late: only what reaches farther says what lies between
            where earlier.batch_id is not null
                or (later.first_at < begin_at and later.last_at > later.first_at + interval '48 hours')
        ) as bridges
        cross join lateral (
            select count(*) as day_count,
                max(day_on) - min(day_on) + 1 as span_count,
                percentile_cont(0.5) within group (order by line_count) as median_count,
                min(day_on) filter (where day_on >= after_on) - max(day_on) filter (where day_on <= before_on) - 1
                    as quiet_count
            from (
                select (part ->> 0)::date as day_on, sum((part ->> 2)::bigint) as line_count
                from jsonb_array_elements(parts) as parts (part)
                group by 1
            ) as days
        ) as lines
        cross join lateral (
            select case
                when lines.day_count * 2 < span_count - quiet_count then 0
                else median_count * greatest(1, quiet_count::numeric * lines.day_count / (span_count - quiet_count))
            end as expected_count
        ) as rhythm
    ) as logs on true
    group by before_on, after_on, begin_at, end_at, usual.expected_count
), judged as (
    select day_on,
        case
            when exists (
                select
                from dirty_days
                where user_id = :tenant and dirty_days.day_on = empty.day_on
            ) then 'not_counted'
            when is_within_log then
                case when not is_quiet_log or expected_count >= :least_count::int then 'no_request' end
            when format_before is not null and format_after is not null
                and (format_before, format_after) <> ('castline', 'castline') then 'no_log'
            when expected_count >= :least_count::int then 'no_request'
        end as cause
    from empty
    join covered using (before_on, after_on)
)
select day_on, cause
from judged
where cause is not null
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
