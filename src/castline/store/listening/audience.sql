-- name: count_shared_consumers
-- one row per pair of shows, in order of their ids and each with itself: consumers of the period who heard both
with heard as (
    select distinct podcast_id, listener_key, user_agent
    from my_listener_events
    where timestamp >= :start_at and timestamp < :end_at
        and event_type = 'download'
        and (:podcast_ids::uuid[] is null or podcast_id = any(:podcast_ids))
        and podcast_id in (select podcast_id from podcasts where user_id = :tenant)
)
select one.podcast_id as first_id, other.podcast_id as second_id, count(*) as consumers
from heard as one
join heard as other
    on other.listener_key = one.listener_key
        and other.user_agent = one.user_agent
        and other.podcast_id >= one.podcast_id
group by one.podcast_id, other.podcast_id
order by consumers desc, first_id, second_id

-- name: load_episode_ages
-- one row per episode and age in UTC days, 0 on the day of publication: downloads; one without age where there are none
select
    episodes.episode_id,
    episodes.podcast_id,
    title,
    (publish_date at time zone 'utc')::date as publish_on,
    day_on - (publish_date at time zone 'utc')::date as age_days,
    coalesce(value, 0) as downloads
from episodes
left join my_daily_metrics
    on my_daily_metrics.podcast_id = episodes.podcast_id
        and metric = 'downloads' and dimension = 'episode'
        and member = episodes.episode_id::text
        and day_on >= (publish_date at time zone 'utc')::date
        and day_on < (publish_date at time zone 'utc')::date + :day_count::integer
where episodes.podcast_id in (select podcast_id from podcasts where user_id = :tenant)
    and (:podcast_ids::uuid[] is null or episodes.podcast_id = any(:podcast_ids))
    and (publish_date at time zone 'utc')::date <= :as_of_on
order by publish_date desc, episodes.episode_id, age_days
