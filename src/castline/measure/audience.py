"""Consumers of a day, a week, 28 days and a month as unions of sets, what shows share of them, and how far they listen.

Method: docs/method/consumers.md, docs/method/listen-through.md
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

from castline.measure.query import run_query
from castline.model.query import Filters, Query, Withheld, start_of_bucket
from castline.store.audience import count_shared_consumers, load_listen_through
from castline.store.pool import Connection
from castline.store.shows import load_podcasts

Span = Literal["day", "week", "days_28", "month"]
SPANS: Final[tuple[Span, ...]] = ("day", "week", "days_28", "month")
_DAYS: Final = 28
NO_PLAYER: Final = "no_player_told"


@dataclass(frozen=True, slots=True)
class AudienceRow:
    """Consumers of a show, or of all shows together (`podcast_id` None), within a span; None where withheld."""

    span: Span
    first_on: date
    last_on: date
    podcast_id: UUID | None
    show: str
    consumers: int | None
    withheld: Withheld | None = None


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """Consumers of two shows and of both; the rates are of the first's, of the second's, and of their union."""

    first_id: UUID
    first_show: str
    first_consumers: int
    second_id: UUID
    second_show: str
    second_consumers: int
    both_consumers: int
    share_of_first_rate: float
    share_of_second_rate: float
    jaccard_rate: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """Every pair of shows that have consumers, the most shared first; none where they are withheld."""

    first_on: date
    last_on: date
    rows: tuple[OverlapRow, ...]
    withheld: Withheld | None


@dataclass(frozen=True, slots=True)
class ListenThrough:
    """How far an episode's listeners came, where players told; `reason` says why there is no rate."""

    episode_id: UUID
    podcast_id: UUID
    episode: str
    play_count: int
    completed_count: int
    listen_through_rate: float | None
    mean_completion_rate: float | None
    reason: Literal["no_player_told"] | None


def compute_audience(
    connection: Connection, owner_id: UUID, day: date, *, tz: str = "UTC", podcast_ids: tuple[UUID, ...] = ()
) -> list[AudienceRow]:
    """Consumers per span, of each show and then of all of them: the day, its week, the 28 days to it, its month."""
    titles = {show.podcast_id: show.title for show in load_podcasts(connection, owner_id)}
    chosen = podcast_ids or tuple(titles)
    rows = []
    for span in SPANS:
        first_on, last_on = _days_of(span, day)
        asked = Query(first_on, last_on, "consumers", tz=tz, filters=Filters(podcast_ids=chosen))
        by_show = run_query(connection, owner_id, replace(asked, dimensions=("show",)))
        counts = {row.members[0]: row.value for row in by_show.rows}
        measured = by_show.counting.first_on is not None and first_on <= (by_show.counting.last_on or first_on)
        for key in chosen:
            value = None if by_show.withheld else counts.get(str(key), 0 if measured else None)
            rows.append(AudienceRow(span, first_on, last_on, key, titles[key], value, by_show.withheld))
        union = run_query(connection, owner_id, asked)
        rows.append(AudienceRow(span, first_on, last_on, None, "all", union.total, union.withheld))
    return rows


def _days_of(span: Span, day: date) -> tuple[date, date]:
    """The ISO week and the calendar month hold the day; the 28 days end with it."""
    if span == "day":
        return day, day
    if span == "days_28":
        return day - timedelta(days=_DAYS - 1), day
    first_on = start_of_bucket(day, span)
    return first_on, first_on + timedelta(days=6) if span == "week" else _last_of_month(first_on)


def _last_of_month(first_on: date) -> date:
    return start_of_bucket(first_on + timedelta(days=31), "month") - timedelta(days=1)


def compute_overlap(connection: Connection, owner_id: UUID, query: Query) -> Overlap:
    """What each pair of the query's shows shares of its consumers in the query's days."""
    asked = Query(query.first_on, query.last_on, "consumers", ("show",), tz=query.tz, filters=query.filters)
    if withheld := run_query(connection, owner_id, asked).withheld:
        return Overlap(query.first_on, query.last_on, (), withheld)
    titles = {show.podcast_id: show.title for show in load_podcasts(connection, owner_id)}
    found = count_shared_consumers(connection, owner_id, query.period, query.filters.podcast_ids or None)
    shared = {(row.first_id, row.second_id): row.consumers for row in found}
    shows = sorted({first for first, second in shared if first == second})
    pairs = [(one, other) for place, one in enumerate(shows) for other in shows[place + 1 :]]
    rows = [_pair(titles, shared, one, other) for one, other in pairs]
    ranked = sorted(rows, key=lambda row: (-row.both_consumers, row.first_show, row.second_show))
    return Overlap(query.first_on, query.last_on, tuple(ranked), None)


def _pair(titles: dict[UUID, str], shared: dict[tuple[UUID, UUID], int], one: UUID, other: UUID) -> OverlapRow:
    first, second, both = shared[one, one], shared[other, other], shared.get((one, other), 0)
    return OverlapRow(
        one,
        titles[one],
        first,
        other,
        titles[other],
        second,
        both,
        both / first,
        both / second,
        both / (first + second - both),
    )


def compute_listen_through(connection: Connection, owner_id: UUID, query: Query) -> list[ListenThrough]:
    """One row per episode of the query's shows, the most played first; without players' word a row has no rate."""
    found = load_listen_through(connection, owner_id, query.period, query.filters.podcast_ids or None)
    return [
        ListenThrough(
            row.episode_id,
            row.podcast_id,
            row.title,
            row.play_count,
            row.completed_count,
            row.completed_count / row.play_count if row.play_count else None,
            _rate(row.mean_completion_rate),
            None if row.play_count else NO_PLAYER,
        )
        for row in found
    ]


def _rate(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
