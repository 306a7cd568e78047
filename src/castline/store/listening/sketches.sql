-- name: delete_sketches
-- nothing is left of the UTC days
delete from consumer_sketches
where user_id = :tenant and day_on = any(:days)

-- name: save_sketches
-- one row per UTC day, show and campaign, or none for all of the show's listeners
insert into consumer_sketches (user_id, day_on, podcast_id, campaign_id, key_id, registers, run_id)
select :tenant, day_on, podcast_id, campaign_id, key_id, registers, :run_id
from unnest(:day_on::date[], :podcast_id::uuid[], :campaign_id::uuid[], :key_id::text[], :registers::bytea[])
    as rows (day_on, podcast_id, campaign_id, key_id, registers)

-- name: load_sketches
-- one row per UTC day, show and campaign: its set, and the day, week or month that it belongs to if asked for
select
    case when :grain::text <> 'none' then date_trunc(:grain::text, day_on::timestamp) at time zone 'utc' end as start_at,
    podcast_id,
    registers
from consumer_sketches
where user_id = :tenant
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and (
        case when :campaign_ids::uuid[] is null then campaign_id is null
        else campaign_id = any(:campaign_ids) end
    )

-- name: count_keys
-- one row: by how many secrets the sets of a day, week or month of the grain, and show if asked for, were hashed at most
select count(distinct key_id) as key_count
from consumer_sketches
where user_id = :tenant
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
group by
    case when :grain::text <> 'none' then date_trunc(:grain::text, day_on::timestamp) end,
    case when :by_show::boolean then podcast_id end
order by key_count desc
limit 1

-- name: find_unsketched_day
-- one row: the first of the UTC days with downloads of a show and without its set
select min(day_on) as day_on
from my_daily_metrics
where metric = 'downloads' and dimension = 'total' and value > 0
    and day_on >= :first_on and day_on <= :last_on
    and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
    and not exists (
        select
        from consumer_sketches
        where user_id = :tenant
            and consumer_sketches.day_on = my_daily_metrics.day_on
            and consumer_sketches.podcast_id = my_daily_metrics.podcast_id
            and campaign_id is null
    )
