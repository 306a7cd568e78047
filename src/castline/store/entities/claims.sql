-- name: find_audio_claims
-- one row per account and episode that an audio key leads to, the oldest show first; for the system role, before a tenant is known
select audio_key as name, user_id as owner_id, podcast_id, episode_id, duration_seconds, podcasts.created_at
from episodes
join podcasts using (podcast_id)
where audio_key = any(:keys)
union
select alias, user_id, episode_aliases.podcast_id, episode_id, duration_seconds, podcasts.created_at
from episode_aliases
join episodes using (episode_id)
join podcasts on podcasts.podcast_id = episode_aliases.podcast_id
where kind = 'audio_key' and alias = any(:keys)
order by created_at, owner_id, episode_id

-- name: find_guid_claims
-- one row per account and episode of these guids, as `guid` and as `show guid/guid`, the oldest show first; for the system role
select guid as name, podcast_guid as show_guid, user_id as owner_id, podcast_id, episode_id, duration_seconds
from episodes
join podcasts using (podcast_id)
where guid = any(:guids)
order by podcasts.created_at, owner_id, episode_id

-- name: find_id_claims
-- one row per episode of these ids; for the system role
select episode_id::text as name, user_id as owner_id, podcast_id, episode_id, duration_seconds
from episodes
join podcasts using (podcast_id)
where episode_id = any(:episode_ids)

-- name: find_show_claims
-- one row per show of these podcast:guids, the oldest first; for the system role
select podcast_guid as name, user_id as owner_id
from podcasts
where podcast_guid = any(:guids)
order by created_at, user_id

-- name: find_host_claims
-- one row per host of which one account alone has episodes; for the system role
select split_part(audio_key, '/', 1) as name, min(user_id::text)::uuid as owner_id
from episodes
join podcasts using (podcast_id)
where split_part(audio_key, '/', 1) = any(:hosts)
group by split_part(audio_key, '/', 1)
having count(distinct user_id) = 1

-- name: load_owners
-- one row per active account; for the system role
select user_id as owner_id, user_id::text as name
from users
where is_active
order by user_id
