-- name: load_owners_to_measure
-- one row per account, over all accounts, that has UTC days due for measuring; for the scheduler
select user_id
from dirty_days
group by user_id
order by min(marked_at)

-- name: load_owners_to_attribute
-- one row per account, over all accounts, whose conversions, events or campaigns changed since it was last attributed; for the scheduler
with attributed as (
    select user_id, max(started_at) as started_at
    from runs
    where job = 'attribution.run' and status = 'succeeded'
    group by user_id
),

changed as (
    select user_id, max(finished_at) as changed_at
    from runs
    where job not in ('attribution.run', 'landing.compact') and status = 'succeeded'
    group by user_id
)

select user_id
from changed
left join attributed using (user_id)
where exists (select from conversions where conversions.user_id = changed.user_id)
    and changed.changed_at > coalesce(attributed.started_at, 'epoch')
order by changed_at

-- name: count_late_days
-- one row: closed UTC days that are still due for measuring, over all accounts
select count(*)
from dirty_days
where day_on < :today
