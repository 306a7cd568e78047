-- name: drop_media
-- the show's rows of these addresses are gone, to be written anew
delete from episode_media
where podcast_id = :podcast_id
    and audio_key = any(:audio_keys)
    and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: load_media_keys
-- one row per address and episode of the show that a feed named beside an enclosure
select episode_media.audio_key, episode_id, episode_media.kind, media_type, bits_per_second, episode_media.audio_bytes
from episode_media
join podcasts using (podcast_id)
where podcasts.user_id = :tenant and podcast_id = :podcast_id

-- name: save_media
-- one row per address and episode, which its guid names
insert into episode_media (podcast_id, episode_id, audio_key, kind, media_type, bits_per_second, audio_bytes)
select episodes.podcast_id, episode_id, told.audio_key, told.kind, told.media_type, told.bits_per_second,
    told.audio_bytes
from unnest(
    :guids::text[], :audio_keys::text[], :kinds::text[], :media_types::text[], :rates::bigint[], :sizes::bigint[]
) as told (guid, audio_key, kind, media_type, bits_per_second, audio_bytes)
join episodes on episodes.podcast_id = :podcast_id and episodes.guid = told.guid
join podcasts on podcasts.podcast_id = episodes.podcast_id and podcasts.user_id = :tenant
on conflict do nothing

-- name: load_url_patterns
-- one row per pattern of the account, by pattern
select pattern, podcast_id, episode_id
from url_patterns
where user_id = :tenant
order by pattern

-- name: save_url_pattern
-- one row: the pattern as it is now
insert into url_patterns (user_id, pattern, podcast_id, episode_id)
values (:tenant, :pattern, :podcast_id, :episode_id)
on conflict (user_id, pattern) do update
set podcast_id = excluded.podcast_id, episode_id = excluded.episode_id, created_at = now()

-- name: drop_url_pattern
-- the pattern is gone
delete from url_patterns
where user_id = :tenant and pattern = :pattern

-- name: load_probe_targets
-- one row per episode, newest first: its file and its last reading; of each show the newest ones
select podcast_id, podcast, image_url, episode_id, title, audio_url, audio_bytes, probed_url, probed_image, probed_at
from (
    select episodes.podcast_id, podcasts.title as podcast, podcasts.image_url, episode_id, episodes.title,
        episodes.audio_url, audio_bytes, file_probes.audio_url as probed_url, file_probes.image_url as probed_image,
        probed_at, row_number() over (partition by episodes.podcast_id order by publish_date desc, episode_id) as place
    from episodes
    join podcasts using (podcast_id)
    left join file_probes using (episode_id)
    where podcasts.user_id = :tenant and (:podcast_ids::uuid[] is null or episodes.podcast_id = any(:podcast_ids))
) as newest
where place <= :newest
order by podcast, podcast_id, place

-- name: save_probe
-- one row: what the file's first bytes said now
insert into file_probes (
    episode_id, podcast_id, audio_url, image_url, container, header_bytes, file_bytes, bits_per_second, probed_at
)
select episode_id, podcast_id, :audio_url, :image_url, :container, :header_bytes, :file_bytes, :bits_per_second,
    :probed_at
from episodes
join podcasts using (podcast_id)
where podcasts.user_id = :tenant and episode_id = :episode_id
on conflict (episode_id) do update
set audio_url = excluded.audio_url,
    image_url = excluded.image_url,
    container = excluded.container,
    header_bytes = excluded.header_bytes,
    file_bytes = excluded.file_bytes,
    bits_per_second = excluded.bits_per_second,
    probed_at = excluded.probed_at
