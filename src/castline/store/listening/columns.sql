-- name: delete_columns
-- nothing is left of the UTC days
delete from download_columns
where user_id = :tenant and day_on = any(:days)

-- name: save_column
-- one row: a column of a UTC day
insert into download_columns (user_id, day_on, name, download_count, members, codes, run_id)
values (:tenant, :day_on, :name, :download_count, :members, :codes, :run_id)

-- name: load_columns
-- one row per UTC day and column, by day
select day_on, name, download_count, members, codes
from download_columns
where user_id = :tenant
    and day_on >= :first_on and day_on <= :last_on
    and name = any(:names)
order by day_on

-- name: has_columns
-- one row: whether each UTC day has as many downloads in its columns as in the metrics
with counted as (
    select day_on, sum(value) as download_count
    from my_daily_metrics
    where metric = 'downloads' and dimension = 'total'
        and day_on >= :first_on and day_on <= :last_on
    group by day_on
), kept as (
    select day_on, download_count
    from download_columns
    where user_id = :tenant
        and day_on >= :first_on and day_on <= :last_on
        and name = 'show'
)
select coalesce(bool_and(coalesce(counted.download_count, 0) = coalesce(kept.download_count, 0)), true) as is_whole
from counted
full join kept using (day_on)
