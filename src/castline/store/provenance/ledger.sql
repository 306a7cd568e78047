-- name: start_run
-- one row: the run as it begins, inside the transaction that will hold its data
insert into runs (run_id, user_id, job, status, code_version, parameters)
values (:run_id, :tenant, :job, 'running', :code_version, :parameters)

-- name: finish_run
-- the run as it ends, with its counts
update runs
set status = 'succeeded',
    counts = :counts,
    rule_versions = :rule_versions,
    watermark_at = :watermark_at,
    finished_at = clock_timestamp()
where run_id = :run_id and user_id = :tenant

-- name: save_failed_run
-- a run that wrote nothing, with its reason
insert into runs (run_id, user_id, job, status, code_version, parameters, error, started_at, finished_at)
values (:run_id, :tenant, :job, 'failed', :code_version, :parameters, :error, :started_at, clock_timestamp())
on conflict (run_id) do nothing

-- name: save_dataset_use
-- one row per run, direction, data set and reference
insert into run_datasets (run_id, direction, dataset, reference, row_count, content_hash, range_start, range_end)
values (:run_id, :direction, :dataset, :reference, :row_count, :content_hash, :range_start, :range_end)
on conflict (run_id, direction, dataset, reference)
do update set row_count = run_datasets.row_count + excluded.row_count

-- name: find_batch_by_content
-- at most one row: the batch that this content already became
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant and kind = :kind and content_hash = :content_hash

-- name: load_batches
-- one row per batch, newest first
select batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, created_at, metadata
from batches
where user_id = :tenant
order by created_at desc, batch_id

-- name: save_batch
-- one row: a batch, which the same content never becomes twice
insert into batches (
    batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count, refused_count,
    first_at, last_at, metadata
)
values (
    :batch_id, :tenant, :run_id, :kind, :source, :content_hash, :landed_as, :received_count, :accepted_count,
    :refused_count, :first_at, :last_at, :metadata
)

-- name: save_drops
-- one row per refused line of a batch
insert into quarantine (user_id, batch_id, line_number, reason, detail, payload)
select :tenant, :batch_id, line_number, reason, detail, payload
from unnest(:line_numbers::bigint[], :reasons::text[], :details::text[], :payloads::text[])
    as rows (line_number, reason, detail, payload)
on conflict (batch_id, line_number) do nothing

-- name: load_quarantine
-- one row per refused line that was not replayed yet, newest first
select quarantine_id, user_id, batch_id, line_number, reason, detail, payload, created_at, replayed_at, replayed_by
from quarantine
where user_id = :tenant and (:include_replayed or replayed_at is null)
order by created_at desc, batch_id, line_number
limit :row_limit

-- name: count_quarantine
-- one row per reason: refused lines that were not replayed
select reason, count(*) as row_count
from quarantine
where user_id = :tenant and replayed_at is null
group by reason
order by row_count desc, reason

-- name: summarise_quarantine
-- one row per reason, kind of batch and source: refused rows that were not replayed, and one of them as it stands
select reason, batches.kind, batches.source, count(*) as row_count, max(quarantine.created_at) as newest_at,
    (array_agg(detail order by quarantine.created_at desc, line_number))[1] as detail
from quarantine
join batches using (batch_id)
where quarantine.user_id = :tenant and replayed_at is null
group by reason, batches.kind, batches.source
order by row_count desc, reason, batches.kind, batches.source

-- name: mark_replayed
-- the quarantined line went through on a second try
update quarantine
set replayed_at = now(), replayed_by = :run_id
where user_id = :tenant and quarantine_id = :quarantine_id and replayed_at is null

-- name: load_waiting_lines
-- one row per refused line of the batch, and of those that it continues, that was not replayed; not what was read anew
with recursive chain (batch_id, continues, after_line, last_line) as (
    select batch_id, metadata ->> 'continues', (metadata ->> 'continues_after')::bigint, null::bigint
    from batches
    where user_id = :tenant and batch_id = :batch_id
    union all
    select batches.batch_id, metadata ->> 'continues', (metadata ->> 'continues_after')::bigint, chain.after_line
    from chain
    join batches on batches.batch_id = chain.continues::uuid
    where batches.user_id = :tenant
)
select quarantine.batch_id, line_number
from chain
join quarantine on quarantine.batch_id = chain.batch_id
where quarantine.user_id = :tenant and replayed_at is null and (last_line is null or line_number <= last_line)
order by line_number

-- name: load_refused_lines
-- one row per refused line of the batches up to that line, replayed or not
select batch_id, line_number, payload, replayed_by
from quarantine
where user_id = :tenant and batch_id = any(:batch_ids) and line_number <= :last_line

-- name: mark_lines_replayed
-- one row per line of the batch that went through on a second try and had not before
update quarantine
set replayed_at = now(), replayed_by = :run_id
where user_id = :tenant and batch_id = :batch_id and line_number = any(:line_numbers::bigint[]) and replayed_at is null
returning line_number

-- name: load_runs
-- one row per run, newest first
select run_id, user_id, job, status, code_version, rule_versions, parameters, counts, watermark_at, started_at,
    finished_at, error
from runs
where user_id = :tenant
order by started_at desc, run_id
limit :row_limit

-- name: load_dataset_uses
-- one row per data set that the runs read or wrote
select direction, dataset, reference, row_count, content_hash, range_start, range_end
from run_datasets
join runs using (run_id)
where runs.user_id = :tenant and run_id = any(:run_ids)
order by direction, dataset, reference
