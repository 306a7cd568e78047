-- name: load_adoptions
-- one row per adoption of settings, the newest first: the settings in use
select version, settings, adopted_at, adopted_by, reason
from measure_settings
where user_id = :tenant
order by adopted_at desc
limit :row_limit

-- name: save_adoption
-- one row: the settings by which the account counts from now on
insert into measure_settings (user_id, version, settings, adopted_at, adopted_by, reason)
values (:tenant, :version, :settings, clock_timestamp(), :adopted_by, :reason)

-- name: load_day_versions
-- one row per measured UTC day: the last run that judged its requests, and by which rules, tables and settings
-- a run ends in the transaction that holds the account's measuring, so the order of their ends is that of their writing
select distinct on (day_on) day_on, runs.run_id, runs.rule_versions, runs.started_at
from (
    select distinct day_on, run_id
    from request_verdicts
    where user_id = :tenant
        and (:days::date[] is null or day_on = any(:days))
        and (:first_on::date is null or day_on >= :first_on)
        and (:last_on::date is null or day_on <= :last_on)
) as measured
join runs using (run_id)
where runs.user_id = :tenant
order by day_on, runs.finished_at desc nulls first

-- name: lock_measuring
-- one row, nothing in it: nobody else measures the account until the transaction ends
select pg_advisory_xact_lock(hashtextextended('castline measures ' || :tenant::text, 0))
