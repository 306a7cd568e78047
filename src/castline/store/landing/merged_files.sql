-- name: try_own_landing
-- one row: whether nobody reads landed files of the account; then nobody begins to until the transaction ends
select pg_try_advisory_xact_lock(hashtextextended('landed files ' || :tenant::uuid::text, 0))

-- name: lock_merging
-- one row of nothing: whoever else merges landed files of the account waits until the transaction ends
select pg_advisory_xact_lock(hashtextextended('merging ' || :tenant::uuid::text, 0))

-- name: save_parts
-- one row per batch: where its landed rows are now
update batches
set metadata = jsonb_set(metadata, '{parts}', told.parts::jsonb)
from unnest(:batch_ids::uuid[], :parts::text[]) as told (batch_id, parts)
where batches.user_id = :tenant and batches.batch_id = told.batch_id
