"""Consumers of a day, a week, 28 days and a month as unions of sets, what shows share of them, and how far they listen.

Exact from raw downloads; where these are gone estimated from sketches, with their error.

Method: docs/method/consumers.md, docs/method/listen-through.md
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations
from math import ceil
from typing import Final, Literal
from uuid import UUID

import numpy as np

from castline.measure.figures.query import run_query
from castline.measure.rows.consumer_sets import unite_sets
from castline.measure.rows.sketch import ERROR_RATE, estimate_count
from castline.model.query import Answer, Basis, Filters, Query, Withheld, start_of_bucket
from castline.model.show import Episode
from castline.store.entities.shows import load_episodes, load_podcasts
from castline.store.listening.audience import count_shared_consumers
from castline.store.listening.playback import PlayCount, count_plays
from castline.store.pool import Connection

Span = Literal["day", "week", "days_28", "month"]
SPANS: Final[tuple[Span, ...]] = ("day", "week", "days_28", "month")
_DAYS: Final = 28
_LEAST_TIMES_ERROR: Final = 2  # a figure of which half may be error is none
NO_PLAYER: Final = "no_player_told"


@dataclass(frozen=True, slots=True)
class AudienceRow:
    """Consumers of a show, or of all shows together (`podcast_id` None), within a span; None where withheld.

    Estimates have the basis `sketch`: 19 of 20 lie within `error_rate` of the truth.
    """

    span: Span
    first_on: date
    last_on: date
    podcast_id: UUID | None
    show: str
    consumers: int | None
    withheld: Withheld | None = None
    basis: Basis = "exact"
    error_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class OverlapRow:
    """Consumers of two shows and of both; the rates are of the first's, of the second's, and of their union.

    19 of 20 estimates of `both_consumers` lie within `both_error_count` of the truth, 0 for exact figures. What
    is less than twice its error is withheld: None, and the rates with it.
    """

    first_id: UUID
    first_show: str
    first_consumers: int
    second_id: UUID
    second_show: str
    second_consumers: int
    both_consumers: int | None
    share_of_first_rate: float | None
    share_of_second_rate: float | None
    jaccard_rate: float | None
    both_error_count: int = 0


@dataclass(frozen=True, slots=True)
class Overlap:
    """Every pair of shows that have consumers, the most shared first; none where they are withheld.

    `error_rate` is that of each show's consumers, 0 for exact figures.
    """

    first_on: date
    last_on: date
    rows: tuple[OverlapRow, ...]
    withheld: Withheld | None
    basis: Basis = "exact"
    error_rate: float = 0.0


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
        measured = by_show.counting.measured_day_count > 0
        for key in chosen:
            value = None if by_show.withheld else counts.get(str(key), 0 if measured else None)
            rows.append(AudienceRow(span, first_on, last_on, key, titles[key], value, *_grounds(by_show)))
        union = run_query(connection, owner_id, asked)
        rows.append(AudienceRow(span, first_on, last_on, None, "all", union.total, *_grounds(union)))
    return rows


def _grounds(answer: Answer) -> tuple[Withheld | None, Basis, float]:
    return answer.withheld, answer.counting.basis, answer.counting.error_rate


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
    answer = run_query(connection, owner_id, asked)
    if answer.withheld:
        return Overlap(query.first_on, query.last_on, (), answer.withheld)
    titles = {show.podcast_id: show.title for show in load_podcasts(connection, owner_id)}
    is_exact = answer.counting.basis == "exact"
    pairs = (_count_pairs if is_exact else _estimate_pairs)(connection, owner_id, asked)
    rows = [_row(titles, pair) for pair in pairs]
    ranked = sorted(rows, key=lambda row: (-(row.both_consumers or 0), row.first_show, row.second_show))
    return Overlap(query.first_on, query.last_on, tuple(ranked), *_grounds(answer))


@dataclass(frozen=True, slots=True)
class _Pair:
    first_id: UUID
    second_id: UUID
    first: int
    second: int
    both: int
    union: int
    error_count: int = 0


def _count_pairs(connection: Connection, owner_id: UUID, query: Query) -> Iterator[_Pair]:
    found = count_shared_consumers(connection, owner_id, query.period, query.filters.podcast_ids or None)
    shared = {(row.first_id, row.second_id): row.consumers for row in found}
    for one, other in combinations(sorted({first for first, second in shared if first == second}), 2):
        first, second, both = shared[one, one], shared[other, other], shared.get((one, other), 0)
        yield _Pair(one, other, first, second, both, first + second - both)


def _estimate_pairs(connection: Connection, owner_id: UUID, query: Query) -> Iterator[_Pair]:
    """What two shows have in common is what their sum has more than their union: an estimate with the union's error."""
    sets = unite_sets(connection, owner_id, replace(query, grain="none"), by_show=True)
    by_show = {show: registers for (_, show), registers in sets.items() if show}
    counts = {show: estimate_count(registers) for show, registers in by_show.items()}
    for one, other in combinations(sorted(show for show, count in counts.items() if count), 2):
        first, second = counts[one], counts[other]
        union = max(estimate_count(np.maximum(by_show[one], by_show[other])), first, second)
        both = max(first + second - union, 0)
        yield _Pair(one, other, first, second, both, union, ceil(ERROR_RATE * union))


def _row(titles: dict[UUID, str], pair: _Pair) -> OverlapRow:
    facts = (pair.first_id, titles[pair.first_id], pair.first, pair.second_id, titles[pair.second_id], pair.second)
    if pair.both < _LEAST_TIMES_ERROR * pair.error_count:
        return OverlapRow(*facts, None, None, None, None, pair.error_count)
    rates = (pair.both / pair.first, pair.both / pair.second, pair.both / pair.union)
    return OverlapRow(*facts, pair.both, *rates, pair.error_count)


def compute_listen_through(connection: Connection, owner_id: UUID, query: Query) -> list[ListenThrough]:
    """One row per episode of the query's shows, the most played first; without players' word a row has no rate."""
    asked = replace(query, measure="plays", dimensions=("episode",), grain="none")
    plays = {row.first_member: row for row in count_plays(connection, owner_id, asked)}
    shows = query.filters.podcast_ids
    episodes = [item for item in load_episodes(connection, owner_id) if not shows or item.podcast_id in shows]
    rows = [_through(episode, plays.get(str(episode.episode_id))) for episode in episodes]
    return sorted(rows, key=lambda row: (-row.play_count, row.episode, row.episode_id))


def _through(episode: Episode, told: PlayCount | None) -> ListenThrough:
    if told is None:
        return ListenThrough(episode.episode_id, episode.podcast_id, episode.title, 0, 0, None, None, NO_PLAYER)
    return ListenThrough(
        episode.episode_id,
        episode.podcast_id,
        episode.title,
        told.plays,
        told.completed_plays,
        told.completed_plays / told.plays,
        None if told.mean_completion_rate is None else float(told.mean_completion_rate),
        None,
    )
