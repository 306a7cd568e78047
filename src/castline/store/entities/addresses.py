"""Addresses of episodes beside their enclosures, patterns of the operator, and what files said of themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.model.show import UrlPattern
from castline.model.vocab import MediaKind
from castline.store.rows import load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("addresses")


@dataclass(frozen=True, slots=True)
class NewMedia:
    """A file or a stream's playlist that the feed names beside the enclosure of the episode with this guid."""

    guid: str
    audio_key: str
    kind: MediaKind
    media_type: str | None
    bits_per_second: int | None
    audio_bytes: int | None


@dataclass(frozen=True, slots=True)
class KnownMedia:
    """The same as it is stored."""

    audio_key: str
    episode_id: UUID
    kind: MediaKind
    media_type: str | None
    bits_per_second: int | None
    audio_bytes: int | None


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """An episode's file, with the address and the artwork at its last reading, if there was one."""

    podcast_id: UUID
    podcast: str
    image_url: str | None
    episode_id: UUID
    title: str
    audio_url: str
    audio_bytes: int | None
    probed_url: str | None
    probed_image: str | None
    probed_at: datetime | None

    @property
    def is_due(self) -> bool:
        """True if the file was never read, or its address or the artwork is another one since."""
        return self.probed_at is None or (self.probed_url, self.probed_image) != (self.audio_url, self.image_url)


@dataclass(frozen=True, slots=True)
class FileProbe:
    """What the first bytes of an episode's file said."""

    episode_id: UUID
    audio_url: str
    image_url: str | None
    container: str
    header_bytes: int
    file_bytes: int | None
    bits_per_second: int | None
    probed_at: datetime


def load_media(connection: Connection, owner_id: UUID, podcast_id: UUID) -> list[KnownMedia]:
    """What the show's feed has named beside the enclosures."""
    facts = {"tenant": owner_id, "podcast_id": podcast_id}
    return load_all(connection, KnownMedia, _SQL["load_media_keys"], facts)


def save_media(connection: Connection, owner_id: UUID, podcast_id: UUID, media: Sequence[NewMedia]) -> int:
    """The addresses are those of the episodes that the feed now names them for; how many rows."""
    columns: dict[str, object] = {
        "guids": [item.guid for item in media],
        "audio_keys": [item.audio_key for item in media],
        "kinds": [item.kind for item in media],
        "media_types": [item.media_type for item in media],
        "rates": [item.bits_per_second for item in media],
        "sizes": [item.audio_bytes for item in media],
    }
    facts = columns | {"tenant": owner_id, "podcast_id": podcast_id}
    save(connection, _SQL["drop_media"], facts)
    return save(connection, _SQL["save_media"], facts)


def load_url_patterns(connection: Connection, owner_id: UUID) -> list[UrlPattern]:
    """The operator's patterns."""
    return load_all(connection, UrlPattern, _SQL["load_url_patterns"], {"tenant": owner_id})


def save_url_pattern(connection: Connection, owner_id: UUID, pattern: UrlPattern) -> None:
    """Addresses of the pattern are the episode's, or the show's."""
    facts = {item.name: getattr(pattern, item.name) for item in fields(pattern)}
    save(connection, _SQL["save_url_pattern"], facts | {"tenant": owner_id})


def drop_url_pattern(connection: Connection, owner_id: UUID, pattern: str) -> bool:
    """The pattern is gone; false if there was none."""
    return bool(save(connection, _SQL["drop_url_pattern"], {"tenant": owner_id, "pattern": pattern}))


def load_probe_targets(
    connection: Connection, owner_id: UUID, podcast_ids: Sequence[UUID] | None = None, *, newest: int
) -> list[ProbeTarget]:
    """The files of so many newest episodes of each show, newest first."""
    facts = {"tenant": owner_id, "podcast_ids": None if podcast_ids is None else list(podcast_ids), "newest": newest}
    return load_all(connection, ProbeTarget, _SQL["load_probe_targets"], facts)


def save_probe(connection: Connection, owner_id: UUID, probe: FileProbe) -> None:
    """The episode's file is known by this reading."""
    facts = {item.name: getattr(probe, item.name) for item in fields(probe)}
    save(connection, _SQL["save_probe"], facts | {"tenant": owner_id})
