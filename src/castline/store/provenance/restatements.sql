-- name: load_daily_downloads
-- one row per show and UTC day of the list: its downloads as they stand
select day_on, podcast_id, value
from my_daily_metrics
where day_on = any(:days)
    and metric = 'downloads' and dimension = 'total'
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: load_day_batches
-- one row per UTC day of the list and batch whose requests of that day were judged
select distinct day_on, batch_id
from request_verdicts
where user_id = :tenant and day_on = any(:days)

-- name: save_restatements
-- one row per UTC day and show whose downloads the run changed
insert into restatements (
    user_id, day_on, podcast_id, before_count, after_count, cause, settings_before, settings_after, run_id, restated_at
)
select :tenant, day_on, podcast_id, before_count, after_count, cause, settings_before, settings_after, :run_id,
    clock_timestamp()
from unnest(
    :days::date[], :podcast_ids::uuid[], :before_counts::bigint[], :after_counts::bigint[], :causes::text[],
    :settings_before::text[], :settings_after::text[]
) as rows (day_on, podcast_id, before_count, after_count, cause, settings_before, settings_after)

-- name: load_restatements
-- one row per restatement of the days, the newest first
select restated_at, day_on, podcast_id, title as show, before_count, after_count, cause, settings_before,
    settings_after, run_id
from restatements
join podcasts using (podcast_id, user_id)
where restatements.user_id = :tenant
    and (:first_on::date is null or day_on >= :first_on)
    and (:last_on::date is null or day_on <= :last_on)
order by restated_at desc, day_on, title, podcast_id
