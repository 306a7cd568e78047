"""Shows, episodes and what is known of them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.model.check import (
    URL_LENGTH,
    check_aware,
    check_choice,
    check_length,
    check_range,
    check_text,
    check_url,
    convert_json,
)
from castline.model.vocab import DetectionMethod, IngestionStatus, MediaKind, TranscriptStatus


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """How one platform's figures of a show are reached; credentials are ciphertext, never plain (ruling 8)."""

    connect_api_key: str | None = None
    api_key: str | None = None
    podcast_id: str | None = None
    show_id: str | None = None
    feed_id: str | None = None
    last_sync: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlatformConfigs:
    """`podcasts.platform_configs`, one entry per platform that the show is read from."""

    apple_podcasts: PlatformConfig | None = None
    spotify: PlatformConfig | None = None
    google_podcasts: PlatformConfig | None = None
    youtube: PlatformConfig | None = None


@dataclass(frozen=True, slots=True)
class AdSlot:
    """One entry of `episodes.ad_slots`: seconds from the start, half-open; the campaign is unknown until matched."""

    start_time_seconds: Decimal
    end_time_seconds: Decimal
    campaign_id: UUID | None = None
    detection_method: DetectionMethod = "manual"
    confidence: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        check_range(self.confidence, 0, 1, field="ad_slots.confidence")
        check_choice(self.detection_method, DetectionMethod, field="ad_slots.detection_method")
        if not 0 <= self.start_time_seconds < self.end_time_seconds:
            raise InvalidInput(
                field="ad_slots",
                detail=f"{self.start_time_seconds} to {self.end_time_seconds} s is no range after the start",
            )


@dataclass(frozen=True, slots=True)
class Podcast:
    """One row of `podcasts`."""

    podcast_id: UUID
    user_id: UUID
    title: str
    description: str | None
    author: str | None
    image_url: str | None
    feed_url: str
    website_url: str | None
    language: str | None
    category: str | None
    explicit: bool
    platform_configs: PlatformConfigs
    ingestion_status: IngestionStatus
    last_ingested_at: datetime | None
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, Any]
    podcast_guid: str | None
    deactivated_at: datetime | None

    def __post_init__(self) -> None:
        check_text(self.title, 500, field="title")
        check_length(self.author, 255, field="author")
        check_length(self.language, 10, field="language")
        check_length(self.category, 100, field="category")
        check_url(self.website_url, field="website_url")
        if isinstance(self.platform_configs, dict):
            configs = convert_json(self.platform_configs, PlatformConfigs, field="platform_configs")
            object.__setattr__(self, "platform_configs", configs)


@dataclass(frozen=True, slots=True)
class Episode:
    """One row of `episodes`; `audio_key` is its enclosure without tracking prefixes, scheme and query."""

    episode_id: UUID
    podcast_id: UUID
    guid: str
    title: str
    description: str | None
    audio_url: str
    duration_seconds: int | None
    publish_date: datetime
    link: str | None
    author: str | None
    categories: tuple[str, ...]
    explicit: bool
    transcript_url: str | None
    transcript_status: TranscriptStatus
    ad_slots: tuple[AdSlot, ...]
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, Any]
    audio_bytes: int | None
    audio_key: str
    publish_date_is_first_seen: bool

    def __post_init__(self) -> None:
        check_text(self.guid, 500, field="guid")
        check_text(self.title, 500, field="title")
        check_length(self.author, 255, field="author")
        check_url(self.audio_url, field="audio_url")
        check_aware(self.publish_date, field="publish_date")
        object.__setattr__(self, "categories", tuple(self.categories or ()))
        object.__setattr__(
            self, "ad_slots", convert_json(list(self.ad_slots or ()), tuple[AdSlot, ...], field="ad_slots")
        )


@dataclass(frozen=True, slots=True)
class AudioKey:
    """One address (host and path) under which requests for an episode come, with what its size threshold needs.

    `kind` is `enclosure` for the file of the feed and its former addresses, `file` for another of the same length,
    `stream` for a playlist, whose folder holds the segments. `audio_url` is there where its parameters may matter;
    `bits_per_second` is what the feed says of a file or stream that is no enclosure.
    """

    podcast_id: UUID
    episode_id: UUID
    audio_key: str
    duration_seconds: int | None
    audio_bytes: int | None
    kind: MediaKind = "enclosure"
    audio_url: str | None = None
    bits_per_second: int | None = None
    header_bytes: int | None = None
    guid: str | None = None


@dataclass(frozen=True, slots=True)
class UrlPattern:
    """Addresses that the operator says are an episode's, or a show's where the pattern names the episode.

    Host and path as in a key, or a path alone: `*` stands for a part of a name, `**` for any part, `{guid}` for the
    episode's guid, `{file}` for the name of its enclosure's file without its ending.
    """

    pattern: str
    podcast_id: UUID
    episode_id: UUID | None

    def __post_init__(self) -> None:
        if not self.pattern or "/" not in self.pattern or len(self.pattern) > URL_LENGTH:
            raise InvalidInput(
                field="pattern", detail=f"{self.pattern[:200]!r} is no host and path, such as cdn.example.org/a/*"
            )
        if self.episode_id is None and not ("{guid}" in self.pattern or "{file}" in self.pattern):
            raise InvalidInput(field="pattern", detail="says not which episode of the show: it needs {guid} or {file}")
