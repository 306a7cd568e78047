-- name: save_report
-- one row: one file
insert into reports (
    report_id, user_id, campaign_id, template_id, report_type, format, file_url, file_size_bytes, includes_roi,
    includes_attribution, includes_benchmarks, date_range_start, date_range_end, generated_at, metadata, content_hash,
    run_id
)
values (
    :report_id, :tenant, :campaign_id, :template_id, :report_type, :format, :file_url, :file_size_bytes, :includes_roi,
    :includes_attribution, :includes_benchmarks, :date_range_start, :date_range_end, :generated_at, :metadata,
    :content_hash, :run_id
)

-- name: load_reports
-- one row per file, newest first; without a campaign those of every campaign
select report_id, user_id, campaign_id, template_id, report_type, format, file_url, file_size_bytes, includes_roi,
    includes_attribution, includes_benchmarks, date_range_start, date_range_end, generated_at, metadata, content_hash,
    run_id
from reports
where user_id = :tenant and (:campaign_id::uuid is null or campaign_id = :campaign_id)
order by generated_at desc, format, report_id
limit :row_limit

-- name: count_sponsor_conversions
-- one row: records and orders of the sponsor between the two times, or credited to the campaign; visits left out
with credited_here as materialized (
    select conversion_id
    from my_attribution_events
    where campaign_id = :campaign_id and timestamp < :as_of
),
told as (
    select
        coalesce(order_id, conversion_id::text) as order_key,
        coalesce(sponsor_id = :sponsor_id, false) as is_sponsors,
        conversion_id in (select conversion_id from credited_here) as is_here,
        exists (
            select from my_attribution_events as credited
            where credited.conversion_id = conversions.conversion_id and credited.campaign_id <> :campaign_id
        ) as is_elsewhere
    from conversions
    where user_id = :tenant
        and conversion_type <> 'visit'
        and (
            occurred_at >= :start_at and occurred_at < :orders_end_at
            or conversion_id in (select conversion_id from credited_here)
        )
),
orders as (
    select order_key, count(*) as told_count, bool_or(is_here) as is_here, bool_or(is_elsewhere) as is_elsewhere
    from told
    where is_sponsors or is_here
    group by order_key
)
select
    coalesce(sum(told_count), 0)::bigint as record_count,
    count(*) as order_count,
    count(*) filter (where is_here) as credited_here,
    count(*) filter (where is_elsewhere and not is_here) as credited_elsewhere,
    count(*) filter (where not is_elsewhere and not is_here) as unattributed
from orders

-- name: count_raw_conversions
-- one row per method and tier: records that told of the orders credited to the campaign before the time, no visits
select attribution_method as method, tier, sum(coalesce((metadata ->> 'told_count')::bigint, 1))::bigint as record_count
from my_attribution_events
where campaign_id = :campaign_id
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    and conversion_data ->> 'conversion_type' is distinct from 'visit'
    and timestamp < :as_of
group by attribution_method, tier
order by attribution_method, tier

-- name: count_rows_used
-- one row per table: rows that the campaign's figures rest on, between the two times
with credited as materialized (
    select conversion_id
    from my_attribution_events
    where campaign_id = :campaign_id and timestamp < :as_of
), used_refunds as (
    select refunds.refund_id
    from refunds
    join conversions using (user_id, order_id)
    where user_id = :tenant
        and refunds.occurred_at < :as_of
        and conversion_id in (select conversion_id from credited)
)
select 'listener_events' as table, count(*) as row_count
from my_listener_events
where podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    and episode_id = any(:episode_ids)
    and timestamp >= :start_at and timestamp < :end_at
union all
select 'daily_metrics', count(*)
from my_daily_metrics
where podcast_id = :podcast_id
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    and metric = 'downloads'
    and dimension = 'episode'
    and member = any(:members)
    and day_on >= :first_on and day_on <= :last_on
union all
select 'request_verdicts', count(*)
from request_verdicts
where user_id = :tenant
    and podcast_id = :podcast_id
    and day_on >= :first_on and day_on <= :last_on
union all
select 'attribution_events', count(*)
from my_attribution_events
where podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    and campaign_id = :campaign_id
    and timestamp < :as_of
union all
select 'conversions', count(*)
from conversions
where user_id = :tenant
    and (
        sponsor_id = :sponsor_id and occurred_at >= :start_at and occurred_at < :orders_end_at
        or conversion_id in (select conversion_id from credited)
    )
union all
select 'refunds', count(*)
from refunds
where user_id = :tenant and refund_id in (select refund_id from used_refunds)
order by 1

-- name: load_batches_used
-- one row per file or body that the campaign's figures rest on, oldest first
with credited as materialized (
    select conversion_id
    from my_attribution_events
    where campaign_id = :campaign_id and timestamp < :as_of
)
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant
    and (
        batch_id in (
            select batch_id
            from request_verdicts
            where user_id = :tenant
                and podcast_id = :podcast_id
                and day_on >= :first_on and day_on <= :last_on
        )
        or batch_id in (
            select batch_id
            from conversions
            where user_id = :tenant
                and (
                    sponsor_id = :sponsor_id and occurred_at >= :start_at and occurred_at < :orders_end_at
                    or conversion_id in (select conversion_id from credited)
                )
        )
        or batch_id in (
            select refunds.batch_id
            from refunds
            join conversions using (user_id, order_id)
            where user_id = :tenant
                and refunds.occurred_at < :as_of
                and conversion_id in (select conversion_id from credited)
        )
    )
order by created_at, batch_id

-- name: load_runs_used
-- one row per job: its newest run that wrote rows which the campaign's figures rest on
with used as (
    select run_id
    from my_daily_metrics
    where podcast_id = :podcast_id
        and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
        and day_on >= :first_on and day_on <= :last_on
    union
    select run_id
    from my_attribution_events
    where campaign_id = :campaign_id
    union
    select run_id
    from batches
    where user_id = :tenant and batch_id = any(:batch_ids)
)
select distinct on (job) run_id, user_id, job, status, code_version, rule_versions, parameters, counts, watermark_at,
    started_at, finished_at, error
from runs
where user_id = :tenant and run_id in (select run_id from used) and finished_at is not null
order by job, finished_at desc, run_id
