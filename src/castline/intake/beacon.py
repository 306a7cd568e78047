"""What players tell: a session of one episode, and what happened in it. Described in docs/how-to/intake.md."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from msgspec import Meta

BeaconType: TypeAlias = Literal[
    "start", "progress", "complete", "skip", "ad_start", "ad_progress", "ad_complete", "ad_skip"
]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Address: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4096)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1_000_000)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
EVENTS_AT_ONCE: Final = 1000
_ESCAPED_NUL: Final = rb"\u0000"


@dataclass(frozen=True, slots=True)
class EpisodeName:
    """An episode by one of its names: its address, its guid (with the show's), or its id."""

    url: Address | None = None
    guid: Address | None = None
    podcast_guid: Name | None = None
    id: UUID | None = None

    def __post_init__(self) -> None:
        if self.url is None and self.guid is None and self.id is None:
            raise ValueError("`episode` needs one of `url`, `guid` and `id`")


@dataclass(frozen=True, slots=True)
class Session:
    """One listener, one episode, one playback; the same id and time in every delivery."""

    id: Name
    started_at: Moment
    episode: EpisodeName
    duration_seconds: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Beacon:
    """One thing that happened; a second delivery of the same id within the session changes nothing."""

    id: Name
    type: BeaconType
    at: Moment
    position_seconds: Seconds | None = None
    percent: Literal[25, 50, 75] | None = None
    campaign_id: UUID | None = None
    ad_id: Name | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one request brings of one session."""

    session: Session
    events: Annotated[list[Beacon], Meta(min_length=1, max_length=EVENTS_AT_ONCE)]


_decoder: Final = msgspec.json.Decoder(
    Delivery | Annotated[list[Delivery], Meta(min_length=1, max_length=EVENTS_AT_ONCE)]
)
_GET_NAMES: Final = {
    "session": ("session", "id"), "started_at": ("session", "started_at"), "duration": ("session", "duration_seconds"),
    "url": ("episode", "url"), "guid": ("episode", "guid"), "podcast_guid": ("episode", "podcast_guid"),
    "episode_id": ("episode", "id"), "id": ("event", "id"), "type": ("event", "type"), "at": ("event", "at"),
    "position": ("event", "position_seconds"), "percent": ("event", "percent"),
    "campaign_id": ("event", "campaign_id"), "ad_id": ("event", "ad_id"),
}  # fmt: skip


def parse_deliveries(body: bytes) -> list[Delivery]:
    """The deliveries of a JSON body, one or a list. Raises msgspec.MsgspecError with the field's name."""
    try:
        found = _decoder.decode(body)
    except RecursionError as error:
        raise msgspec.ValidationError("the JSON is nested too deep") from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("the JSON is no UTF-8") from error
    deliveries = found if isinstance(found, list) else [found]
    if _ESCAPED_NUL in body and any("\0" in text for delivery in deliveries for text in _iter_texts(delivery)):
        raise msgspec.ValidationError("a text holds the character NUL, which no store keeps")
    if sum(len(delivery.events) for delivery in deliveries) > EVENTS_AT_ONCE:
        raise msgspec.ValidationError(f"more than {EVENTS_AT_ONCE} events in one request")
    return deliveries


def encode_query(query: bytes) -> bytes:
    """The JSON body that says what a GET with this query says. Raises msgspec.MsgspecError."""
    parts: dict[str, dict[str, Any]] = {"session": {}, "episode": {}, "event": {}}
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=40, errors="strict")
    except ValueError as error:
        raise msgspec.ValidationError("the query is none") from error
    for name, value in pairs:
        if name in _GET_NAMES:
            part, key = _GET_NAMES[name]
            parts[part][key] = value
    told = {"session": parts["session"] | {"episode": parts["episode"]}, "events": [parts["event"]]}
    return msgspec.json.encode(msgspec.convert(told, Delivery, strict=False))


def _iter_texts(delivery: Delivery) -> Iterator[str]:
    """Every text of the delivery that a client chose."""
    session, episode = delivery.session, delivery.session.episode
    yield session.id
    yield from (name for name in (episode.url, episode.guid, episode.podcast_guid) if name)
    for event in delivery.events:
        yield event.id
        if event.ad_id:
            yield event.ad_id


def describe_fault(error: msgspec.MsgspecError) -> Mapping[str, str]:
    """The fault as the answer tells it."""
    return {"title": "The events cannot be read", "detail": str(error)}
