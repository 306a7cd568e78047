"""Sums of the rollups and counts of raw events, as castline.measure.figures.query asks for them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from psycopg import Connection

from castline.model.query import Dimension, Measure, Query
from castline.store.rows import find_one, load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("metrics")
Rollup = Literal["daily_metrics", "hourly_metrics"]
Finer = Literal["hourly_metrics", "listener_events"]


@dataclass(frozen=True, slots=True)
class CountedDays:
    """The measured UTC days, when they were counted last and by which rules, and which of them wait."""

    first_on: date | None
    last_on: date | None
    measured_at: datetime | None
    rules: str | None
    waiting_days: int
    dirty_on: date | None


@dataclass(frozen=True, slots=True)
class RollupSum:
    """A sum of a rollup; `show` is an id, None where the query does not split by shows, as `member` is empty then."""

    start_at: datetime | None
    show: str | None
    member: str
    value: int


@dataclass(frozen=True, slots=True)
class EventCount:
    """A count of raw events; a member is empty where the query does not split so far."""

    start_at: datetime | None
    first_member: str
    second_member: str
    value: int


@dataclass(frozen=True, slots=True)
class LostDay:
    """The first day with downloads of a show, where its finer rows are no longer kept."""

    podcast_id: UUID
    day_on: date


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Requests for an episode on a UTC day that are no downloads, for a reason."""

    day_on: date
    podcast_id: UUID
    episode_id: UUID
    reason: str
    request_count: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The one dimension of a rollup to read: `total`, or one whose members are asked for or let through."""

    dimension: Dimension | Literal["total"]
    members: tuple[str, ...] | None = None


def find_counting(connection: Connection, owner_id: UUID) -> CountedDays:
    """What of the account is measured, and how freshly."""
    found = find_one(connection, CountedDays, _SQL["find_counting"], {"tenant": owner_id})
    if found is None:
        raise AssertionError
    return found


def sum_rollup(connection: Connection, owner_id: UUID, query: Query, rollup: Rollup, cut: Cut) -> list[RollupSum]:
    """One row per bucket of the query's grain, show and member, as far as the query splits by them."""
    facts = _scope(owner_id, query) | {
        "metric": query.measure,
        "dimension": cut.dimension,
        "members": None if cut.members is None else list(cut.members),
        "by_show": "show" in query.dimensions,
        "by_member": cut.dimension in query.dimensions,
    }
    return load_all(connection, RollupSum, _SQL[_SUMS[rollup]], facts)


def count_events(connection: Connection, owner_id: UUID, query: Query) -> list[EventCount]:
    """One row per bucket of the query's grain and members of its dimensions, from the raw downloads."""
    facts = scope_events(owner_id, query) | {"counted": _AD_LISTS.get(query.measure, query.measure)}
    return load_all(connection, EventCount, _SQL["count_events"], facts)


def scope_events(owner_id: UUID, query: Query) -> dict[str, object]:
    """What a count of raw events is told of the query: its time, splits and filters."""
    filters = query.filters
    first_by, second_by, *_ = (*query.dimensions, "", "")
    return _scope(owner_id, query) | {
        "first_by": first_by,
        "second_by": second_by,
        "episode_ids": list(filters.episode_ids) or None,
        "platforms": list(filters.apps) or None,
        "country_codes": list(filters.countries) or None,
        "device_types": list(filters.devices) or None,
        "campaign_ids": list(filters.campaign_ids) or None,
        "sources": list(filters.sources) or None,
    }


def find_lost_days(connection: Connection, owner_id: UUID, query: Query, series: Finer) -> list[LostDay]:
    """The first days of the query's shows whose finer rows have passed their retention, oldest first."""
    return load_all(connection, LostDay, _SQL["find_lost_days"], _scope(owner_id, query) | {"series": series})


def load_uncounted(connection: Connection, owner_id: UUID, query: Query) -> list[Uncounted]:
    """What was asked for on the query's UTC days and did not count, by day, episode and reason."""
    return load_all(connection, Uncounted, _SQL["load_uncounted"], _scope(owner_id, query))


def _scope(owner_id: UUID, query: Query) -> dict[str, object]:
    period = query.period
    last_at = period.end_at.astimezone(UTC) - timedelta(microseconds=1)
    return {
        "tenant": owner_id,
        "start_at": period.start_at,
        "end_at": period.end_at,
        "first_on": period.start_at.astimezone(UTC).date(),
        "last_on": last_at.date(),
        "grain": query.grain,
        "tz": query.tz,
        "podcast_ids": list(query.filters.podcast_ids) or None,
    }


_SUMS: Final[dict[Rollup, str]] = {"daily_metrics": "sum_daily_metrics", "hourly_metrics": "sum_hourly_metrics"}
# A download's metadata lists the campaigns of its ads, one entry for each, by what became of them.
_AD_LISTS: Final[dict[Measure, str]] = {
    "ads_delivered": "ads_delivered",
    "ads_missed": "ads_missed",
    "ads_not_measurable": "ads_unknown",
}
