-- name: load_log_objects
-- one row per imported object of a bucket: its name and its content's tag, between them a blank
select (metadata ->> 'object') || ' ' || (metadata ->> 'object_tag')
from batches
where user_id = :tenant and kind = :kind and metadata ->> 'object' like :prefix
union
select names.name
from batches
cross join lateral jsonb_array_elements_text(metadata -> 'same_objects') as names (name)
where user_id = :tenant and kind = :kind and names.name like :prefix

-- name: save_log_object
-- the batch keeps the name and tag of one more object that has its content
update batches
set metadata = jsonb_set(
    metadata, '{same_objects}', coalesce(metadata -> 'same_objects', '[]'::jsonb) || to_jsonb(:name::text)
)
where user_id = :tenant and batch_id = :batch_id and not coalesce(metadata -> 'same_objects', '[]'::jsonb) ? :name
