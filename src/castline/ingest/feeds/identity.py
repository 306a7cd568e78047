"""Which episode of the store an item of the feed is: decided first, written later.

An episode stays one episode under a changed guid, host or tracking prefix. Method: docs/method/feed-identity.md
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from castline.model.feed import FeedEpisode
from castline.sources.enclosure import url_key


@dataclass(frozen=True, slots=True)
class KnownEpisode:
    """What identity needs to know of a stored episode."""

    episode_id: UUID
    guid: str
    audio_key: str
    title: str
    publish_date: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """A show's stored episodes and their former names."""

    episodes: tuple[KnownEpisode, ...] = ()
    guid_aliases: Mapping[str, UUID] = field(default_factory=dict)
    audio_aliases: Mapping[str, UUID] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """One item of the feed and the stored episode that it is; None for an episode seen for the first time."""

    item: FeedEpisode
    known: KnownEpisode | None


def match_episodes(known: Known, items: Sequence[FeedEpisode]) -> list[Match]:
    """Each item beside its stored episode, in the feed's order; no stored episode is matched twice.

    Strongest first: the guid, a former guid, the enclosure without prefixes, a former enclosure, and title with date.
    The weaker keys only reach episodes whose own guid has left the feed, and only where the key is theirs alone.
    """
    by_id = {episode.episode_id: episode for episode in known.episodes}
    by_guid = {episode.guid: episode.episode_id for episode in known.episodes}
    present = {item.guid for item in items}
    orphans = [episode for episode in known.episodes if episode.guid not in present]
    steps = (
        (lambda item: item.guid, by_guid),
        (lambda item: item.guid, {alias: of for alias, of in known.guid_aliases.items() if alias not in by_guid}),
        (lambda item: url_key(item.audio_url), _unique((one.audio_key, one.episode_id) for one in orphans)),
        (lambda item: url_key(item.audio_url), known.audio_aliases),
        (_title_and_date, _unique((_key(one.title, one.publish_date), one.episode_id) for one in orphans)),
    )
    found: dict[int, UUID] = {}
    for key_of, table in steps:
        wanted = Counter(key_of(item) for place, item in enumerate(items) if place not in found)
        taken = set(found.values())
        for place, item in enumerate(items):
            episode_id = table.get(key_of(item)) if place not in found else None
            if episode_id in by_id and episode_id not in taken and wanted[key_of(item)] == 1:
                found[place] = episode_id
                taken.add(episode_id)
    return [Match(item, by_id.get(found[place]) if place in found else None) for place, item in enumerate(items)]


def _unique(pairs: Iterable[tuple[str, UUID]]) -> dict[str, UUID]:
    """The pairs whose key stands for one episode only."""
    pairs = list(pairs)
    seen = Counter(key for key, _ in pairs)
    return {key: episode_id for key, episode_id in pairs if seen[key] == 1}


def _title_and_date(item: FeedEpisode) -> str:
    # Without a date the title alone would join every "Bonus"; the guid keeps such an item apart.
    return _key(item.title, item.publish_date) if item.publish_date else item.guid


def _key(title: str, publish_date: datetime) -> str:
    plain = re.sub(r"\W+", " ", unicodedata.normalize("NFKC", title).casefold()).strip()
    return f"{plain}\n{publish_date:%Y-%m-%d}"
