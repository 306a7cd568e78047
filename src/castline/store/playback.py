"""What players tell, as rows of `listener_events`: one per session, and one per event that is a row of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.base.period import Period
from castline.store.rows import load_all, save
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
class CampaignPlays:
    """Ad plays that players confirmed, of one campaign, or of those whose campaign nobody knows.

    Of `play_count` plays so many came to the first quarter, the half, the third quarter and the end; `skip_count` were
    left by a skip. Each count holds those that came further.
    """

    campaign_id: UUID | None
    campaign: str | None
    play_count: int
    first_quarter_count: int
    half_count: int
    third_quarter_count: int
    complete_count: int
    skip_count: int


def load_ad_plays(
    connection: Connection, owner_id: UUID, period: Period, podcast_ids: Sequence[UUID] = ()
) -> list[CampaignPlays]:
    """One row per campaign with plays that began in the period, the most played first."""
    facts = {"start_at": period.start_at, "end_at": period.end_at, "podcast_ids": list(podcast_ids) or None}
    return load_all(connection, CampaignPlays, _SQL["load_ad_plays"], facts | {"tenant": owner_id})


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
