"""What the dashboard asks of the rollups: sums over an account's shows, and how fresh they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeVar
from uuid import UUID

from psycopg import Connection

from castline.base.period import Period
from castline.store.listening import Dimension
from castline.store.rows import find_one, load_all, load_scalars
from castline.store.sql import load_sql

_SQL: Final = load_sql("overview")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Extent:
    """The first and the last UTC day that has downloads; None where none has."""

    first_on: date | None
    last_on: date | None


@dataclass(frozen=True, slots=True)
class DaySum:
    """Downloads of one UTC day over the shows."""

    day_on: date
    downloads: int


@dataclass(frozen=True, slots=True)
class MemberSum:
    """Downloads of one member of a dimension over the days."""

    member: str
    downloads: int


@dataclass(frozen=True, slots=True)
class ConsumerCount:
    """Raw downloads that are still kept, and the distinct listeners behind them."""

    downloads: int
    consumers: int


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


def load_days(
    connection: Connection, owner_id: UUID, first_on: date, last_on: date, podcast_ids: Sequence[UUID] | None
) -> list[DaySum]:
    """Downloads by UTC day, over the shows; a day without any is left out."""
    facts = {"tenant": owner_id, "first_on": first_on, "last_on": last_on, "podcast_ids": podcast_ids}
    return load_all(connection, DaySum, _SQL["load_days"], facts)


def load_members(
    connection: Connection,
    owner_id: UUID,
    days: tuple[date, date],
    podcast_ids: Sequence[UUID] | None,
    dimension: Dimension,
) -> list[MemberSum]:
    """Downloads of every member of a dimension from the first day to the last, the most first."""
    facts = {
        "tenant": owner_id,
        "first_on": days[0],
        "last_on": days[1],
        "podcast_ids": podcast_ids,
        "dimension": dimension,
    }
    return load_all(connection, MemberSum, _SQL["load_members"], facts)


def count_consumers(
    connection: Connection, owner_id: UUID, period: Period, podcast_ids: Sequence[UUID] | None
) -> ConsumerCount:
    """Distinct listeners of the raw downloads that are still kept of the period."""
    return _one(connection, ConsumerCount, "count_consumers", _of(owner_id, period, podcast_ids))


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


def _of(owner_id: UUID, period: Period, podcast_ids: Sequence[UUID] | None) -> dict[str, object]:
    return {
        "tenant": owner_id,
        "start_at": period.start_at,
        "end_at": period.end_at,
        "podcast_ids": podcast_ids,
    }


def _one(connection: Connection, row: type[Row], query: str, facts: dict[str, object]) -> Row:
    found = find_one(connection, row, _SQL[query], facts)
    if found is None:
        raise AssertionError
    return found
