"""Listening: rollups of downloads, and where requests ended."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from castline.model.vocab import Verdict


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
