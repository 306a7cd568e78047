-- name: load_monthly_waterfall
-- one row per calendar month (UTC), show (null: none matched), verdict and reason: requests
select date_trunc('month', day_on::timestamp)::date as month_on, title as show, verdict, reason,
    sum(request_count)::bigint as request_count
from request_verdicts
left join podcasts using (podcast_id, user_id)
where request_verdicts.user_id = :tenant and day_on >= :first_on and day_on <= :last_on
group by 1, podcast_id, title, verdict, reason
order by 1, title nulls last, podcast_id, verdict, reason

-- name: load_audited_batches
-- one row per batch with requests in the days: what came, what was refused, and how many of its requests have a verdict
select batch_id, kind, source, encode(content_hash, 'hex') as content_hash, received_count, accepted_count,
    refused_count, coalesce(judged.request_count, 0)::bigint as judged_count, batches.run_id
from batches
join (
    select batch_id, bool_or(day_on >= :first_on and day_on <= :last_on) as is_asked,
        sum(request_count) as request_count
    from request_verdicts
    where user_id = :tenant
    group by batch_id
) as judged using (batch_id)
where batches.user_id = :tenant and is_asked
order by batch_id

-- name: load_audited_runs
-- one row per run that judged the days, restated them, or took their requests in; and per adoption of settings
select run_id, job, status, code_version, rule_versions, counts, started_at, finished_at
from runs
where user_id = :tenant
    and (
        job = 'measure.adopt'
        or run_id in (
            select run_id
            from request_verdicts
            where user_id = :tenant and day_on >= :first_on and day_on <= :last_on
        )
        or run_id in (
            select run_id
            from restatements
            where user_id = :tenant and day_on >= :first_on and day_on <= :last_on
        )
        or run_id in (
            select batches.run_id
            from batches
            join request_verdicts using (batch_id, user_id)
            where batches.user_id = :tenant and day_on >= :first_on and day_on <= :last_on
        )
    )
order by started_at, run_id

-- name: sample_downloads
-- one row per download of the days, the same few each time: those whose ids have the least hashes
select event_id, timestamp, podcasts.title as show, episodes.title as episode, episodes.episode_id, platform,
    country_code, user_agent, listener_key, run_id
from my_listener_events
join podcasts using (podcast_id)
join episodes using (episode_id)
where podcasts.user_id = :tenant and event_type = 'download'
    and timestamp >= :start_at and timestamp < :end_at
order by md5(event_id::text), event_id
limit :row_limit
