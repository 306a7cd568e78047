"""One reading of a feed becomes rows: the show, its episodes, their former names, the batch, the refused items."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from castline.base.errors import InvalidInput
from castline.ingest.feeds.file_facts import marking_days
from castline.ingest.feeds.identity import Known, KnownEpisode, match_episodes
from castline.ingest.feeds.media import list_media
from castline.model.check import URL_LENGTH, check_length, check_text, check_url
from castline.model.feed import LEFT_OUT, Feed, FeedEpisode, FeedProblem
from castline.model.lineage import Batch, DatasetUse, Drop
from castline.model.show import Episode, Podcast
from castline.sources.enclosure import url_key
from castline.store.entities.addresses import NewMedia, load_media, save_media
from castline.store.entities.shows import (
    EpisodeAlias,
    create_episode,
    drop_alias,
    load_aliases,
    load_episodes,
    mark_unmatched_days,
    save_alias,
    save_episode,
    save_podcast,
)
from castline.store.payload import encode_json
from castline.store.provenance.ledger import OpenRun, find_batch, save_batch
from castline.store.upkeep.retention import LANDING_KEPT

BATCH_KIND: Final = "feed"


@dataclass(slots=True)
class FeedReading:
    """One body of a feed, parsed, on its way into the store; collects what was wrong with it."""

    podcast: Podcast
    feed: Feed
    content_hash: bytes
    landed_as: str
    fetched_at: datetime
    feed_url: str
    drops: list[Drop] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)

    def fitting(self, text: str | None, limit: int, name: str) -> str | None:
        """The optional text where it fits its column; else None, with the field named among the problems."""
        try:
            check_length(text, limit, field=name)
        except InvalidInput as error:
            self.too_long.append(error.message)
            return None
        return text


def apply_feed(run: OpenRun, reading: FeedReading) -> None:
    """The show and its episodes are as the feed says, within the run; the run has the counts.

    An episode that left the feed stays: its listening is history. Reading the same body again changes nothing.
    """
    podcast_id = reading.podcast.podcast_id
    save_podcast(run.connection, run.owner_id, podcast_id, _podcast_facts(reading))
    with marking_days(run, podcast_id):
        changed_address = _save_items(run, reading)
    _save_batch(run, reading)
    if changed_address:
        # The oldest kept day may be deleted at any moment, so it is left alone.
        first_on = (reading.fetched_at - LANDING_KEPT).date() + timedelta(days=1)
        run.count("days_to_measure_again", mark_unmatched_days(run.connection, run.owner_id, first_on))


def _save_items(run: OpenRun, reading: FeedReading) -> bool:
    """The feed's items are the show's episodes; true if any address is new."""
    podcast_id = reading.podcast.podcast_id
    stored = {one.episode_id: one for one in load_episodes(run.connection, run.owner_id, podcast_id)}
    known = _known(run, stored, podcast_id)
    changed_address = False
    media: list[NewMedia] = []
    for number, match in enumerate(match_episodes(known, reading.feed.episodes), start=1):
        before = stored[match.known.episode_id] if match.known else None
        try:
            facts = _episode_facts(reading, match.item, before)
        except InvalidInput as error:
            reading.drops.append(Drop(number, "invalid_field", error.message, _payload(match.item)))
            run.count("refused")
            continue
        changed_address |= before is None or before.audio_key != facts["audio_key"]
        _save(run, podcast_id, before, facts)
        media += list_media(match.item)
    return _save_media(run, podcast_id, media) or changed_address


def _save_media(run: OpenRun, podcast_id: UUID, media: Sequence[NewMedia]) -> bool:
    """The feed's other files and streams are stored; true if any is new."""
    known = {one.audio_key for one in load_media(run.connection, run.owner_id, podcast_id)}
    if media:
        run.count("other_media", save_media(run.connection, run.owner_id, podcast_id, media))
    return any(one.audio_key not in known for one in media)


def _known(run: OpenRun, stored: Mapping[UUID, Episode], podcast_id: UUID) -> Known:
    aliases = load_aliases(run.connection, run.owner_id, podcast_id)
    return Known(
        tuple(
            KnownEpisode(one.episode_id, one.guid, one.audio_key, one.title, one.publish_date)
            for one in stored.values()
        ),
        {one.alias: one.episode_id for one in aliases if one.kind == "guid"},
        {one.alias: one.episode_id for one in aliases if one.kind == "audio_key"},
    )


def _save(run: OpenRun, podcast_id: UUID, before: Episode | None, facts: dict[str, Any]) -> None:
    if before is None:
        create_episode(run.connection, podcast_id, facts)
        run.count("created")
        return
    if all(getattr(before, name) == (tuple(value) if name == "categories" else value) for name, value in facts.items()):
        run.count("unchanged")
        return
    save_episode(run.connection, podcast_id, before.episode_id, facts)
    run.count("changed")
    if before.guid != facts["guid"]:
        save_alias(run.connection, podcast_id, EpisodeAlias("guid", before.guid, before.episode_id))
        drop_alias(run.connection, podcast_id, "guid", facts["guid"])
    if before.audio_key != facts["audio_key"]:
        save_alias(run.connection, podcast_id, EpisodeAlias("audio_key", before.audio_key, before.episode_id))
        drop_alias(run.connection, podcast_id, "audio_key", facts["audio_key"])


def _episode_facts(reading: FeedReading, item: FeedEpisode, before: Episode | None) -> dict[str, Any]:
    """The columns of an episode. Raises InvalidInput for a field that must be there and does not fit."""
    title = item.title or item.guid
    check_text(item.guid, 500, field="guid")
    check_text(title, 500, field="title")
    check_url(item.audio_url, field="audio_url")
    first_seen = before.publish_date if before and before.publish_date_is_first_seen else reading.fetched_at
    transcript = item.transcripts[0].url if item.transcripts else None
    return {
        "guid": item.guid,
        "title": title,
        "description": _clean(item.description),
        "audio_url": item.audio_url,
        "duration_seconds": item.duration_seconds,
        "publish_date": item.publish_date or first_seen,
        "link": reading.fitting(item.link, URL_LENGTH, "link"),
        "author": reading.fitting(item.author, 255, "author"),
        "categories": list(item.categories),
        "explicit": bool(item.explicit),
        "transcript_url": reading.fitting(transcript, URL_LENGTH, "transcript_url"),
        "metadata": _metadata(item),
        "audio_bytes": item.audio_bytes,
        "audio_key": url_key(item.audio_url),
        "publish_date_is_first_seen": item.publish_date is None,
    }


def _metadata(item: FeedEpisode) -> dict[str, Any]:
    named = {
        "audio_type": item.audio_type,
        "episode_number": item.episode_number,
        "season_number": item.season_number,
        "episode_type": item.episode_type,
        "image_url": item.image_url,
        "chapters_url": item.chapters_url,
        "guid_source": item.guid_source,
    }
    return {name: value for name, value in named.items() if value is not None}


def _podcast_facts(reading: FeedReading) -> dict[str, object]:
    show = reading.feed.show
    title = show.title or reading.podcast.title
    check_text(title, 500, field="title")
    before = reading.podcast.metadata
    former = [*before.get("former_feed_urls", [])]
    if reading.feed_url != reading.podcast.feed_url:
        former.append(reading.podcast.feed_url)
    named = {"owner_email": show.owner_email, "medium": show.medium, "former_feed_urls": former or None}
    return {
        "title": title,
        "description": _clean(show.description),
        "author": reading.fitting(show.author, 255, "author"),
        "image_url": reading.fitting(show.image_url, URL_LENGTH, "image_url"),
        "feed_url": reading.feed_url,
        "website_url": reading.fitting(show.website_url, URL_LENGTH, "website_url"),
        "language": reading.fitting(show.language, 10, "language"),
        "category": reading.fitting(show.category, 100, "category"),
        "explicit": bool(show.explicit),
        "podcast_guid": show.podcast_guid,
        "ingested_at": reading.fetched_at,
        "metadata": before | {name: value for name, value in named.items() if value is not None},
    }


def _save_batch(run: OpenRun, reading: FeedReading) -> None:
    feed = reading.feed
    left_out = Counter(problem.code for problem in feed.problems if problem.code in LEFT_OUT)
    refused = left_out.total() + len(reading.drops)
    for code, count in left_out.items():
        run.count(code, count)
    run.count("items", feed.item_count)
    run.uses.append(DatasetUse("input", "feed", reading.feed_url, feed.item_count, reading.content_hash))
    run.uses.append(DatasetUse("output", "episodes", str(reading.podcast.podcast_id), len(feed.episodes)))
    if find_batch(run.connection, run.owner_id, BATCH_KIND, reading.content_hash):
        return
    batch = Batch(
        batch_id=uuid4(),
        user_id=run.owner_id,
        run_id=run.run_id,
        kind=BATCH_KIND,
        source=reading.feed_url,
        content_hash=reading.content_hash,
        landed_as=reading.landed_as,
        received_count=feed.item_count,
        accepted_count=feed.item_count - refused,
        refused_count=refused,
        first_at=None,
        last_at=None,
        created_at=reading.fetched_at,
        metadata={"left_out": dict(left_out)},
    )
    save_batch(run, batch, reading.drops)


def list_problems(reading: FeedReading) -> list[dict[str, object]]:
    """What was wrong with the feed, as it is stored and shown: at most 200 entries."""
    listed: list[dict[str, object]] = [
        {item.name: getattr(problem, item.name) for item in fields(FeedProblem)} for problem in reading.feed.problems
    ]
    listed += ({"code": "too_long", "message": message} for message in reading.too_long)
    return listed[:200]


def _payload(item: FeedEpisode) -> str:
    return encode_json({"guid": item.guid, "title": item.title, "audio_url": item.audio_url}).decode()


def _clean(text: str | None) -> str | None:
    # PostgreSQL holds no NUL in text.
    return text.replace("\0", "") if text else text
