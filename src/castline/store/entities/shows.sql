-- name: load_podcasts
-- one row per show of the account, by title
select podcast_id, user_id, title, description, author, image_url, feed_url, website_url, language, category, explicit,
    platform_configs, ingestion_status, last_ingested_at, created_at, updated_at, metadata, podcast_guid, deactivated_at
from podcasts
where user_id = :tenant
order by title, podcast_id

-- name: find_podcast_by_feed
-- at most one row: the show of this feed address, or of this podcast:guid
select podcast_id, user_id, title, description, author, image_url, feed_url, website_url, language, category, explicit,
    platform_configs, ingestion_status, last_ingested_at, created_at, updated_at, metadata, podcast_guid, deactivated_at
from podcasts
where user_id = :tenant and (feed_url = :feed_url or podcast_guid = :podcast_guid)
order by (feed_url = :feed_url) desc, created_at
limit 1

-- name: create_podcast
-- one row: the new show
insert into podcasts (user_id, title, feed_url)
values (:tenant, :title, :feed_url)
returning podcast_id

-- name: save_podcast
-- what the feed says of the show
update podcasts
set title = :title,
    description = :description,
    author = :author,
    image_url = :image_url,
    feed_url = :feed_url,
    website_url = :website_url,
    language = :language,
    category = :category,
    explicit = :explicit,
    podcast_guid = coalesce(:podcast_guid, podcast_guid),
    ingestion_status = 'active',
    last_ingested_at = :ingested_at,
    metadata = :metadata
where user_id = :tenant and podcast_id = :podcast_id

-- name: set_ingestion_status
-- polling of the show goes on, pauses, or is in error
update podcasts
set ingestion_status = :ingestion_status
where user_id = :tenant and podcast_id = :podcast_id and ingestion_status <> :ingestion_status

-- name: load_episodes
-- one row per episode, newest first
select episode_id, podcast_id, guid, episodes.title, episodes.description, audio_url, duration_seconds, publish_date,
    link, episodes.author, categories, episodes.explicit, transcript_url, transcript_status, ad_slots,
    episodes.created_at, episodes.updated_at, episodes.metadata, audio_bytes, audio_key, publish_date_is_first_seen
from episodes
join podcasts using (podcast_id)
where podcasts.user_id = :tenant and (:podcast_id::uuid is null or podcast_id = :podcast_id)
order by publish_date desc, episode_id

-- name: load_episode_aliases
-- one row per former guid or former enclosure of the show's episodes
select kind, alias, episode_id
from episode_aliases
join podcasts using (podcast_id)
where podcasts.user_id = :tenant and podcast_id = :podcast_id

-- name: create_episode
-- one row: the new episode
insert into episodes (
    podcast_id, guid, title, description, audio_url, duration_seconds, publish_date, link, author, categories,
    explicit, transcript_url, metadata, audio_bytes, audio_key, publish_date_is_first_seen
)
values (
    :podcast_id, :guid, :title, :description, :audio_url, :duration_seconds, :publish_date, :link, :author,
    :categories, :explicit, :transcript_url, :metadata, :audio_bytes, :audio_key, :publish_date_is_first_seen
)

-- name: save_episode
-- the episode as the feed has it now
update episodes
set guid = :guid,
    title = :title,
    description = :description,
    audio_url = :audio_url,
    duration_seconds = :duration_seconds,
    publish_date = :publish_date,
    link = :link,
    author = :author,
    categories = :categories,
    explicit = :explicit,
    transcript_url = :transcript_url,
    metadata = :metadata,
    audio_bytes = :audio_bytes,
    audio_key = :audio_key,
    publish_date_is_first_seen = :publish_date_is_first_seen
where podcast_id = :podcast_id and episode_id = :episode_id

-- name: save_alias
-- a name that the episode once had
insert into episode_aliases (podcast_id, kind, alias, episode_id)
values (:podcast_id, :kind, :alias, :episode_id)
on conflict (podcast_id, kind, alias) do update set episode_id = excluded.episode_id

-- name: drop_alias
-- the name belongs to an episode of its own again
delete from episode_aliases
where podcast_id = :podcast_id and kind = :kind and alias = :alias

-- name: load_audio_keys
-- one row per address under which requests for an episode may come: enclosures, former ones, other files and streams
-- a file that was not read has the header of the one read that was published nearest to it
with told as (
    select episode_id, episodes.podcast_id, publish_date, header_bytes,
        count(header_bytes) over (partition by episodes.podcast_id order by publish_date, episode_id) as from_earlier,
        count(header_bytes) over (
            partition by episodes.podcast_id order by publish_date desc, episode_id desc
        ) as from_later
    from episodes
    join podcasts using (podcast_id)
    left join file_probes using (episode_id)
    where podcasts.user_id = :tenant and (:podcast_id::uuid is null or episodes.podcast_id = :podcast_id)
), near as (
    select episode_id, publish_date,
        first_value(header_bytes) over earlier as earlier_bytes, first_value(publish_date) over earlier as earlier_at,
        first_value(header_bytes) over later as later_bytes, first_value(publish_date) over later as later_at
    from told
    window earlier as (partition by podcast_id, from_earlier order by publish_date, episode_id),
        later as (partition by podcast_id, from_later order by publish_date desc, episode_id desc)
), headers as (
    select episode_id,
        case
            when earlier_bytes is null then later_bytes
            when later_bytes is null then earlier_bytes
            when later_at - publish_date < publish_date - earlier_at then later_bytes
            else earlier_bytes
        end as header_bytes
    from near
)
select episodes.podcast_id, episode_id, audio_key, duration_seconds,
    coalesce(case when file_probes.audio_url = episodes.audio_url then file_bytes end, audio_bytes) as audio_bytes,
    'enclosure' as kind, case when strpos(episodes.audio_url, '?') > 0 then episodes.audio_url end as audio_url,
    file_probes.bits_per_second, headers.header_bytes, guid
from episodes
join headers using (episode_id)
left join file_probes using (episode_id)
union all
select episode_aliases.podcast_id, episode_id, alias, duration_seconds, audio_bytes, 'enclosure', null,
    file_probes.bits_per_second, headers.header_bytes, guid
from episode_aliases
join episodes using (episode_id)
join headers using (episode_id)
left join file_probes using (episode_id)
where episode_aliases.kind = 'audio_key'
union all
select episode_media.podcast_id, episode_id, episode_media.audio_key, duration_seconds, episode_media.audio_bytes,
    episode_media.kind, null, episode_media.bits_per_second, null, null
from episode_media
join episodes using (episode_id)
join headers using (episode_id)
order by podcast_id, episode_id, audio_key

-- name: save_ad_slots
-- the slots of one episode
update episodes
set ad_slots = :ad_slots
where episode_id = :episode_id and podcast_id in (select podcast_id from podcasts where user_id = :tenant)

-- name: mark_unmatched_days
-- UTC days, as far back as their requests are kept, whose unmatched requests may belong to an episode that was not known before
insert into dirty_days (user_id, day_on)
select distinct user_id, day_on
from request_verdicts
where user_id = :tenant and day_on >= :first_on and reason in ('no_episode', 'ambiguous_url')
on conflict (user_id, day_on) do nothing

-- name: mark_file_days
-- UTC days, as far back as their requests are kept, on which a minute of these episodes' files was looked for
insert into dirty_days (user_id, day_on)
select distinct user_id, day_on
from request_verdicts
where user_id = :tenant
    and day_on >= :first_on
    and episode_id = any(:episode_ids)
    and verdict in ('counted', 'partial')
    and reason not in ('prefix', 'provisional_probe')
order by user_id, day_on
on conflict (user_id, day_on) do update set marked_at = clock_timestamp()

-- name: find_feed_state
-- at most one row: what polling knows of the show's feed
select etag, last_modified, content_hash, polled_at, changed_at, next_poll_at, failure_count, moved_to, moved_count
from feed_states
join podcasts using (podcast_id)
where podcasts.user_id = :tenant and podcast_id = :podcast_id

-- name: save_feed_state
-- one row: what polling knows of the show's feed
insert into feed_states (
    podcast_id, etag, last_modified, content_hash, polled_at, changed_at, next_poll_at, failure_count, moved_to,
    moved_count, problems
)
values (
    :podcast_id, :etag, :last_modified, :content_hash, :polled_at, :changed_at, :next_poll_at, :failure_count,
    :moved_to, :moved_count, coalesce(:problems, '[]'::jsonb)
)
on conflict (podcast_id) do update
set etag = excluded.etag,
    last_modified = excluded.last_modified,
    content_hash = excluded.content_hash,
    polled_at = excluded.polled_at,
    changed_at = excluded.changed_at,
    next_poll_at = excluded.next_poll_at,
    failure_count = excluded.failure_count,
    moved_to = excluded.moved_to,
    moved_count = excluded.moved_count,
    problems = coalesce(:problems, feed_states.problems)

-- name: load_due_feeds
-- one row per show, over all accounts, whose feed is due; for the scheduler
select podcasts.user_id, podcast_id
from podcasts
join feed_states using (podcast_id)
where ingestion_status <> 'paused' and deactivated_at is null and next_poll_at <= :now
order by next_poll_at, podcast_id
