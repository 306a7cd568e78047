-- name: load_log_objects
-- one row per imported object of a bucket: its name and its content's tag, between them a blank
select (metadata ->> 'object') || ' ' || (metadata ->> 'object_tag')
from batches
where user_id = :tenant and kind = :kind and metadata ->> 'object' like :prefix
