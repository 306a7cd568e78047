"""What the dashboard shows beside its figures: which days there are, and how fresh they are."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeVar
from uuid import UUID

from psycopg import Connection

from castline.store.rows import find_one, load_scalars
from castline.store.sql import load_sql

_SQL: Final = load_sql("overview")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Extent:
    """The first and the last UTC day that has downloads; None where none has."""

    first_on: date | None
    last_on: date | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far what came in reaches, when it was counted last, and what waits."""

    requests_until: datetime | None
    conversions_until: datetime | None
    measured_at: datetime | None
    waiting_days: int
    quarantined: int
    log_count: int


@dataclass(frozen=True, slots=True)
class Watermark:
    """Changes whenever a figure of the account may have changed."""

    last_run_at: datetime | None
    campaigns_at: datetime | None
    podcasts_at: datetime | None
    placements_at: datetime | None


def find_extent(connection: Connection, owner_id: UUID) -> Extent:
    """The days that the account has downloads of."""
    return _one(connection, Extent, "find_extent", {"tenant": owner_id})


def load_credited_campaigns(connection: Connection, owner_id: UUID, start_at: datetime, end_at: datetime) -> set[UUID]:
    """The campaigns that conversions of [start_at, end_at) were credited to."""
    facts = {"tenant": owner_id, "start_at": start_at, "end_at": end_at}
    found = load_scalars(connection, _SQL["load_credited_campaigns"], facts)
    return {campaign_id for campaign_id in found if isinstance(campaign_id, UUID)}


def find_freshness(connection: Connection, owner_id: UUID) -> Freshness:
    """How far what came in reaches, when it was counted last, and what waits."""
    return _one(connection, Freshness, "find_freshness", {"tenant": owner_id})


def find_watermark(connection: Connection, owner_id: UUID) -> Watermark:
    """What to compare before a kept page is shown again."""
    return _one(connection, Watermark, "find_watermark", {"tenant": owner_id})


def _one(connection: Connection, row: type[Row], query: str, facts: dict[str, object]) -> Row:
    found = find_one(connection, row, _SQL[query], facts)
    if found is None:
        raise AssertionError
    return found
