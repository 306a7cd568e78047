"""Shows, episodes and the names they have had."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeVar
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline.base.errors import Ambiguous, NotFound
from castline.model.check import to_json
from castline.model.show import AdSlot, AudioKey, Episode, Podcast
from castline.model.vocab import IngestionStatus
from castline.store.entities.ads import find_ad_slots, mark_ad_days
from castline.store.rows import find_one, load_all, load_scalars, save
from castline.store.sql import load_sql

Row = TypeVar("Row")
_SQL: Final = load_sql("shows")
_PREFIX_LENGTH: Final = 4  # shorter beginnings of an id name too many rows to be meant


@dataclass(frozen=True, slots=True)
class FeedState:
    """What polling knows of one feed: validators, when it is due, how often it failed, where it says it moved to."""

    etag: str | None = None
    last_modified: str | None = None
    content_hash: bytes | None = None
    polled_at: datetime | None = None
    changed_at: datetime | None = None
    next_poll_at: datetime | None = None
    failure_count: int = 0
    moved_to: str | None = None
    moved_count: int = 0


@dataclass(frozen=True, slots=True)
class EpisodeAlias:
    """A former guid or a former enclosure key of an episode."""

    kind: Literal["guid", "audio_key"]
    alias: str
    episode_id: UUID


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A show whose feed is to be polled now."""

    user_id: UUID
    podcast_id: UUID


def load_podcasts(connection: Connection, owner_id: UUID) -> list[Podcast]:
    """The account's shows, by title."""
    return load_all(connection, Podcast, _SQL["load_podcasts"], {"tenant": owner_id})


def find_podcast(connection: Connection, owner_id: UUID, ref: str) -> Podcast:
    """The show that `ref` names: its id or the beginning of it, its feed address or its title.

    Raises NotFound, Ambiguous.
    """
    shows = load_podcasts(connection, owner_id)
    named = {
        show.podcast_id: show
        for show in shows
        if _fits(ref, show.podcast_id) or ref == show.feed_url or ref.casefold() == show.title.casefold()
    }
    if not named:
        raise NotFound(noun="show", key=ref, listed_by="feed list")
    return _only(list(named.values()), "show", ref, [(show.title, show.podcast_id) for show in named.values()])


def find_podcast_by_feed(
    connection: Connection, owner_id: UUID, feed_url: str, podcast_guid: str | None
) -> Podcast | None:
    """The account's show of this feed address or, failing that, of this podcast:guid."""
    facts = {"tenant": owner_id, "feed_url": feed_url, "podcast_guid": podcast_guid}
    return find_one(connection, Podcast, _SQL["find_podcast_by_feed"], facts)


def create_podcast(connection: Connection, owner_id: UUID, title: str, feed_url: str) -> UUID:
    """A new show of the account, by its id."""
    facts = {"tenant": owner_id, "title": title, "feed_url": feed_url}
    found = load_scalars(connection, _SQL["create_podcast"], facts)
    return UUID(str(found[0]))


def save_podcast(connection: Connection, owner_id: UUID, podcast_id: UUID, facts: Mapping[str, object]) -> None:
    """The show is as its feed says; `facts` are the parameters of the block."""
    metadata = Jsonb(facts["metadata"])
    save(
        connection,
        _SQL["save_podcast"],
        {**facts, "tenant": owner_id, "podcast_id": podcast_id, "metadata": metadata},
    )


def set_ingestion_status(
    connection: Connection, owner_id: UUID, podcast_id: UUID, ingestion_status: IngestionStatus
) -> None:
    """Polling of the show goes on, pauses, or is marked as failing."""
    facts = {"tenant": owner_id, "podcast_id": podcast_id, "ingestion_status": ingestion_status}
    save(connection, _SQL["set_ingestion_status"], facts)


def load_episodes(connection: Connection, owner_id: UUID, podcast_id: UUID | None = None) -> list[Episode]:
    """The account's episodes, or one show's, newest first."""
    facts = {"tenant": owner_id, "podcast_id": podcast_id}
    return load_all(connection, Episode, _SQL["load_episodes"], facts)


def find_episode(connection: Connection, owner_id: UUID, ref: str) -> Episode:
    """The episode that `ref` names: its id or the beginning of it, its guid or its title.

    Raises NotFound, Ambiguous.
    """
    named = [
        episode
        for episode in load_episodes(connection, owner_id)
        if _fits(ref, episode.episode_id) or ref == episode.guid or ref.casefold() == episode.title.casefold()
    ]
    return _only(named, "episode", ref, [(episode.title, episode.episode_id) for episode in named])


def load_aliases(connection: Connection, owner_id: UUID, podcast_id: UUID) -> list[EpisodeAlias]:
    """The former names of a show's episodes."""
    facts = {"tenant": owner_id, "podcast_id": podcast_id}
    return load_all(connection, EpisodeAlias, _SQL["load_episode_aliases"], facts)


def create_episode(connection: Connection, podcast_id: UUID, facts: Mapping[str, object]) -> None:
    """A new episode of the show."""
    save(connection, _SQL["create_episode"], _episode_facts(podcast_id, facts))


def save_episode(connection: Connection, podcast_id: UUID, episode_id: UUID, facts: Mapping[str, object]) -> None:
    """The episode is as the feed has it now."""
    save(connection, _SQL["save_episode"], _episode_facts(podcast_id, facts) | {"episode_id": episode_id})


def save_alias(connection: Connection, podcast_id: UUID, alias: EpisodeAlias) -> None:
    """The episode is also found under a name that it once had."""
    facts = {"podcast_id": podcast_id, "kind": alias.kind, "alias": alias.alias, "episode_id": alias.episode_id}
    save(connection, _SQL["save_alias"], facts)


def drop_alias(connection: Connection, podcast_id: UUID, kind: str, alias: str) -> None:
    """The name is no alias any more."""
    save(connection, _SQL["drop_alias"], {"podcast_id": podcast_id, "kind": kind, "alias": alias})


def load_audio_keys(connection: Connection, owner_id: UUID, podcast_id: UUID | None = None) -> list[AudioKey]:
    """Every address under which requests for the account's or the show's episodes may come, former ones included.

    With the header sizes that are known: an episode whose file was never read has that of the one that was, and was
    published nearest to it.
    """
    return load_all(connection, AudioKey, _SQL["load_audio_keys"], {"tenant": owner_id, "podcast_id": podcast_id})


def save_ad_slots(connection: Connection, owner_id: UUID, episode_id: UUID, slots: Iterable[AdSlot]) -> None:
    """The episode has exactly these slots, by time; the days that a change has a bearing on wait to be measured."""
    ordered = sorted(slots, key=lambda slot: (slot.start_time_seconds, slot.end_time_seconds))
    changed = set(find_ad_slots(connection, owner_id, episode_id)) ^ set(ordered)
    facts = {"tenant": owner_id, "episode_id": episode_id, "ad_slots": Jsonb([to_json(slot) for slot in ordered])}
    save(connection, _SQL["save_ad_slots"], facts)
    campaigns = {slot.campaign_id for slot in changed if slot.campaign_id is not None}
    mark_ad_days(connection, owner_id, episode_id, campaigns)


def mark_unmatched_days(connection: Connection, owner_id: UUID, first_on: date) -> int:
    """The days from `first_on` on whose unmatched requests may now find their episode are due; returns how many."""
    return save(connection, _SQL["mark_unmatched_days"], {"tenant": owner_id, "first_on": first_on})


def mark_file_days(connection: Connection, owner_id: UUID, episode_ids: Sequence[UUID], first_on: date) -> int:
    """The days from `first_on` on whose verdicts the files of these episodes have a bearing on are due; how many."""
    facts = {"tenant": owner_id, "episode_ids": list(episode_ids), "first_on": first_on}
    return save(connection, _SQL["mark_file_days"], facts)


def load_feed_state(connection: Connection, owner_id: UUID, podcast_id: UUID) -> FeedState:
    """What polling knows of the show's feed; a feed never polled has an empty state."""
    facts = {"tenant": owner_id, "podcast_id": podcast_id}
    return find_one(connection, FeedState, _SQL["find_feed_state"], facts) or FeedState()


def save_feed_state(
    connection: Connection, podcast_id: UUID, state: FeedState, problems: list[dict[str, object]] | None = None
) -> None:
    """What polling knows of the show's feed; without `problems` the ones of the last reading stand."""
    facts = {name: getattr(state, name) for name in FeedState.__dataclass_fields__}
    listed = None if problems is None else Jsonb(problems)
    save(connection, _SQL["save_feed_state"], facts | {"podcast_id": podcast_id, "problems": listed})


def load_due_feeds(connection: Connection, now: datetime) -> list[DueFeed]:
    """The shows of every account whose feed is due, the longest waiting first. Runs in the system role."""
    return load_all(connection, DueFeed, _SQL["load_due_feeds"], {"now": now})


def _episode_facts(podcast_id: UUID, facts: Mapping[str, object]) -> dict[str, object]:
    return {**facts, "podcast_id": podcast_id, "metadata": Jsonb(facts["metadata"])}


def _fits(ref: str, row_id: UUID) -> bool:
    return len(ref) >= _PREFIX_LENGTH and str(row_id).startswith(ref.lower())


def _only(found: list[Row], noun: str, ref: str, names: list[tuple[str, UUID]]) -> Row:
    if not found:
        raise NotFound(noun=noun, key=ref)
    if len(found) > 1:
        some = ", ".join(f"{name} ({key})" for name, key in names[:5])
        raise Ambiguous(noun=noun, key=ref, count=len(found), candidates=some)
    return found[0]
