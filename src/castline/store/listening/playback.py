"""What players tell, as rows of `listener_events`: one per session, and one per event that is a row of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.model.query import Query
from castline.store.listening.metrics import scope_events
from castline.store.rows import find_one, load_all, load_scalars, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("playback")
PLAYER_KIND: Final = "player_events"
_LISTENER: Final = {
    "platforms": "platform", "countries": "country", "device_types": "device_type", "device_systems": "device_os",
    "user_agents": "user_agent", "ips": "ip", "listener_keys": "listener_key",
}  # fmt: skip
_PLACE: Final = {"event_ids": "event_id", "times": "at", "podcast_ids": "podcast_id", "episode_ids": "episode_id",
                 "session_ids": "session_id", "seconds": "seconds", "metadata": "metadata"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens, as far as is kept."""

    listener_key: bytes | None
    ip: str | None
    country: str | None
    user_agent: str | None
    app: str | None
    platform: str | None
    device_type: str | None
    device_os: str | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session: `seconds` is its furthest point, `rate` the share of the episode up to there."""

    event_id: UUID
    at: datetime
    podcast_id: UUID
    episode_id: UUID
    session_id: str
    seconds: int | None
    rate: Decimal | None
    metadata: str
    listener: Listener


@dataclass(frozen=True, slots=True)
class PlayerEventRow:
    """An event with a row of its own: the end of an episode, a skip, an ad's start, end or skip."""

    event_id: UUID
    at: datetime
    podcast_id: UUID
    episode_id: UUID
    session_id: str
    seconds: int | None
    event_type: str
    campaign_id: UUID | None
    metadata: str
    listener: Listener


@dataclass(frozen=True, slots=True)
class AdPlayCount:
    """Ad plays that players confirmed, of a bucket and members as in `EventCount`; each holds those that came further.

    `ad_skips` were left by a skip.
    """

    start_at: datetime | None
    first_member: str
    second_member: str
    ad_plays: int
    ad_plays_25: int
    ad_plays_50: int
    ad_plays_75: int
    ad_completes: int
    ad_skips: int


@dataclass(frozen=True, slots=True)
class PlayCount:
    """Plays of episodes, of a bucket and members as in `EventCount`; the mean is over those that told a share."""

    start_at: datetime | None
    first_member: str
    second_member: str
    plays: int
    completed_plays: int
    mean_completion_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class ToldDays:
    """The first and the last UTC day that players told of, and when they told of the last."""

    first_on: date | None
    last_on: date | None
    told_at: datetime | None


def count_ad_plays(connection: Connection, owner_id: UUID, query: Query) -> list[AdPlayCount]:
    """One row per bucket of the query's grain and members of its dimensions with plays that began in its period."""
    return load_all(connection, AdPlayCount, _SQL["count_ad_plays"], scope_events(owner_id, query))


def count_plays(connection: Connection, owner_id: UUID, query: Query) -> list[PlayCount]:
    """One row per bucket of the query's grain and members of its dimensions with plays that began in its period."""
    return load_all(connection, PlayCount, _SQL["count_plays"], scope_events(owner_id, query))


def find_told_days(connection: Connection, owner_id: UUID) -> ToldDays:
    """What players told the account of; nothing where none ever did."""
    return find_one(connection, ToldDays, _SQL["find_told_days"], {"tenant": owner_id}) or ToldDays(*[None] * 3)


def find_first_told(connection: Connection, owner_id: UUID, start_at: datetime, end_at: datetime) -> date | None:
    """The first UTC day in [start_at, end_at) that players told of, kept or not; None where they told of none."""
    facts = {"tenant": owner_id, "start_at": start_at, "end_at": end_at}
    [day] = load_scalars(connection, _SQL["find_first_told"], facts)
    return day if isinstance(day, date) else None


def save_sessions(connection: Connection, owner_id: UUID, run_id: UUID, rows: Sequence[SessionRow]) -> int:
    """How many sessions are new or went further; no two rows have the same id and time."""
    facts = _columns(rows) | {"rates": [row.rate for row in rows]}
    return save(connection, _SQL["save_sessions"], facts | {"tenant": owner_id, "run_id": run_id})


def save_player_events(connection: Connection, owner_id: UUID, run_id: UUID, rows: Sequence[PlayerEventRow]) -> int:
    """How many events are new."""
    own = {"campaign_ids": "campaign_id", "event_types": "event_type"}
    facts = _columns(rows) | {key: [getattr(row, name) for row in rows] for key, name in own.items()}
    return save(connection, _SQL["save_player_events"], facts | {"tenant": owner_id, "run_id": run_id})


def _columns(rows: Sequence[SessionRow] | Sequence[PlayerEventRow]) -> dict[str, object]:
    told = {key: [getattr(row, name) for row in rows] for key, name in _PLACE.items()}
    return told | {key: [getattr(row.listener, name) for row in rows] for key, name in _LISTENER.items()}
