-- name: find_entry
-- at most one row: what is kept under the key and still holds
select value
from cache_entries
where cache_key = :cache_key and expires_at > :at

-- name: save_entry
-- one row: the value is kept until it expires
insert into cache_entries (cache_key, value, expires_at)
values (:cache_key, :value, :expires_at)
on conflict (cache_key) do update set value = excluded.value, expires_at = excluded.expires_at

-- name: count_entry
-- one row: the sum of what was counted under the key in its window, which begins with the first count
insert into cache_entries as entry (cache_key, value, expires_at)
values (:cache_key, convert_to(:step::bigint::text, 'utf8'), :expires_at)
on conflict (cache_key) do update set
    value = case
        when entry.expires_at <= :at then excluded.value
        else convert_to((convert_from(entry.value, 'utf8')::bigint + :step::bigint)::text, 'utf8')
    end,
    expires_at = case when entry.expires_at <= :at then excluded.expires_at else entry.expires_at end
returning convert_from(value, 'utf8')::bigint as count, expires_at

-- name: delete_entry
-- nothing is kept under the key
delete from cache_entries
where cache_key = :cache_key

-- name: delete_expired_entries
-- what no longer holds is gone
delete from cache_entries
where expires_at <= :at
