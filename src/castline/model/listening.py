"""Listening: the rows of `listener_events` and the rollups made of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from castline.model.vocab import EventType, Verdict


@dataclass(frozen=True, slots=True)
class ListenerEvent:
    """One row of `listener_events`: here one download, which bears the time of its window's first request."""

    event_id: UUID
    timestamp: datetime
    podcast_id: UUID
    episode_id: UUID | None
    campaign_id: UUID | None
    event_type: EventType
    platform: str | None
    country_code: str | None
    device_type: str | None
    device_os: str | None
    listen_duration_seconds: int | None
    completion_rate: float | None
    user_agent: str | None
    ip_address: str | None
    session_id: str | None
    metadata: dict[str, Any]
    listener_key: bytes | None
    run_id: UUID


@dataclass(frozen=True, slots=True)
class DailyMetric:
    """One row of `daily_metrics`: the value of a metric for one member of a dimension on one UTC day."""

    day_on: date
    podcast_id: UUID
    metric: str
    dimension: str
    member: str
    value: int


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """How many requests met one end, for a reason: a step of the waterfall."""

    verdict: Verdict
    reason: str
    request_count: int
