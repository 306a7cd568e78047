-- name: load_log_with_rest
-- one row per batch that goes with this one: itself, what continues it, and what became of their refused lines later
with recursive later (batch_id) as (
    select batch_id
    from batches
    where user_id = :tenant and kind = :kind and batch_id = :batch_id
    union
    select batches.batch_id
    from later
    join batches on
        (batches.metadata ->> 'continues')::uuid = later.batch_id
        or later.batch_id::text = any(string_to_array(batches.metadata ->> 'replay_of', ', '))
    where batches.user_id = :tenant and batches.kind = :kind
)
select batches.batch_id, user_id, run_id, kind, source, content_hash, landed_as, received_count, accepted_count,
    refused_count, first_at, last_at, created_at, metadata
from later
join batches using (batch_id)
where batches.user_id = :tenant
order by created_at, batch_id

-- name: find_logs
-- one row per log's batch whose id begins so
select batch_id
from batches
where user_id = :tenant and kind = any(:kinds) and batch_id::text like :beginning
order by batch_id
limit 2

-- name: withdraw_batches
-- the batches are no logs any more, and their content may come again
update batches
set kind = :withdrawn,
    content_hash = sha256(content_hash || uuid_send(batch_id)),
    metadata = metadata || jsonb_build_object(
        'withdrawn', jsonb_build_object(
            'run_id', :run_id::uuid, 'reason', :reason::text, 'content_hash', encode(content_hash, 'hex')
        )
    )
where user_id = :tenant and batch_id = any(:batch_ids)

-- name: close_refused_lines
-- refused lines of the batches do not wait any more
update quarantine
set replayed_at = now(), replayed_by = :run_id
where user_id = :tenant and batch_id = any(:batch_ids) and replayed_at is null

-- name: reopen_refused_lines
-- refused lines of other batches wait again, where only the batches had them as requests
update quarantine
set replayed_at = null, replayed_by = null
from batches
where quarantine.user_id = :tenant and quarantine.replayed_by = batches.run_id
    and batches.user_id = :tenant and batches.batch_id = any(:batch_ids)
    and not quarantine.batch_id = any(:batch_ids)

-- name: count_withdrawn
-- one row: how many times this content was a log and was withdrawn
select count(*)
from batches
where user_id = :tenant and kind = :withdrawn and metadata -> 'withdrawn' ->> 'content_hash' = :content_hash
