"""One question, one answer: the coarsest table that tells it exactly is found here, and named in the answer.

Daily rollups answer UTC days, hourly rollups the days of other time zones, raw downloads whatever crosses two
dimensions and every count of consumers; where they are gone, sketches estimate consumers.
Method: docs/method/metrics.md
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from castline.base.clock import now
from castline.catalogue.metrics import load_metrics
from castline.measure.figures.annotations import find_gaps, find_stretches, load_annotations, load_release_notes
from castline.measure.figures.compared import find_compared
from castline.measure.figures.plays import count_as_days, count_told, find_lost_told, find_silence
from castline.measure.rows.column_counts import can_count_columns, count_columns
from castline.measure.rows.consumer_sets import unite_sets
from castline.measure.rows.sketch import ERROR_RATE, estimate_count
from castline.model.measurement import Stretch
from castline.model.query import (
    AD_MEASURES,
    PLAY_MEASURES,
    Annotation,
    Answer,
    AnswerRow,
    CountedFrom,
    Counting,
    Dimension,
    Measure,
    Query,
    Withheld,
    WithheldReason,
    start_of_bucket,
)
from castline.store.listening.annotations import GapCause, load_counted_days
from castline.store.listening.metrics import (
    CountedDays,
    Cut,
    EventCount,
    Rollup,
    count_events,
    find_counting,
    find_lost_days,
    sum_rollup,
)
from castline.store.listening.playback import find_told_days
from castline.store.listening.sketches import find_unsketched_day, has_mixed_keys
from castline.store.pool import Connection

# A day is final at 02:00 UTC of the next: what comes later restates it.
_FINAL_AFTER: Final = timedelta(hours=2)
# Written since these dimensions were added to the rollups: days that were measured before have none of them.
_LATER: Final[frozenset[Dimension]] = frozenset({"campaign", "source"})
_HOUR: Final = timedelta(hours=1)
Key = tuple[datetime | None, tuple[str, ...]]
Source = Literal["daily_metrics", "hourly_metrics", "listener_events", "consumer_sketches"]
_SECRET_CHANGED: Final = Withheld(
    "secret_changed",
    "not measurable: the secret that addresses are hashed with changed within these days, and nobody can tell which"
    " listeners before are which after; ask for the days before and after it apart",
)
_LOST: Final[dict[Source, tuple[WithheldReason, str]]] = {
    "hourly_metrics": (
        "hours_not_kept",
        "not measurable: hourly figures are kept for a year, and those of {day} are gone; ask in UTC, or by later days",
    ),
    "listener_events": (
        "raw_not_kept",
        "not measurable: it needs raw downloads, which are kept for 90 days, and those of {day} are gone",
    ),
    "consumer_sketches": (
        "raw_not_kept",
        "not measurable: raw downloads are gone, and {day} was measured before its consumers were sketched",
    ),
}
_OFF_THE_HOUR: Final = Withheld(
    "days_off_the_hour",
    "not measurable: placements are kept by whole hours, and days of this zone begin between them; ask in UTC",
)


@dataclass(frozen=True, slots=True)
class _Asked:
    connection: Connection
    owner_id: UUID
    query: Query
    days: CountedDays
    # UTC days between measured ones that have no figure.
    gaps: Mapping[date, GapCause]

    def is_measured(self, day: date) -> bool:
        """True if the day of the query's zone lies among the measured ones and touches no gap."""
        if not self._is_within(day):
            return False
        if self.query.is_utc or not self.gaps:
            return day not in self.gaps
        end_at = self.query.midnight(day + timedelta(days=1)) - timedelta(microseconds=1)
        ends = (self.query.midnight(day).astimezone(UTC).date(), end_at.astimezone(UTC).date())
        return self.gaps.keys().isdisjoint(ends)

    def is_hour_measured(self, at: datetime) -> bool:
        """True if the hour lies on a measured day."""
        day = at.astimezone(UTC).date()
        return self._is_within(day) and day not in self.gaps

    def _is_within(self, day: date) -> bool:
        first_on, last_on = self.days.first_on, self.days.last_on
        return first_on is not None and last_on is not None and first_on <= day <= last_on


def run_query(connection: Connection, owner_id: UUID, query: Query, *, at: datetime | None = None) -> Answer:
    """The figures, with where they were counted from; withheld with the reason where no table can tell them.

    Downloads of every table agree. Consumers are a union of sets in each bucket and are never summed.
    """
    compared = _compare(connection, owner_id, query, at)
    asked = _open(connection, owner_id, query)
    settings, annotations = _describe_days(asked)
    lost: Withheld | None = None
    for source in _iter_sources(query):
        loss = _find_loss(asked, source)
        lost = loss if source == "consumer_sketches" else lost or loss
        if loss is None:
            counting = replace(_counting(asked, source, at or now()), settings=settings)
            return _answer(asked, source, Answer(query, (), counting, None, compared, annotations=annotations))
    counting = replace(_counting(asked, "nothing", at or now()), settings=settings)
    return Answer(query, (), counting, lost or _OFF_THE_HOUR, compared, annotations=annotations)


def _describe_days(asked: _Asked) -> tuple[tuple[Stretch, ...], tuple[Annotation, ...]]:
    """By which settings the days were counted, and what happened on them, where the query is split by time."""
    place = (asked.connection, asked.owner_id, asked.query)
    is_split = asked.query.grain != "none"
    if asked.query.measure in PLAY_MEASURES:
        return (), load_release_notes(*place) if is_split else ()
    counted = load_counted_days(*place)
    return find_stretches(counted), load_annotations(*place, counted, asked.gaps) if is_split else ()


def _compare(connection: Connection, owner_id: UUID, query: Query, at: datetime | None) -> Answer | None:
    """The answer of the days that the query is compared with, or why there is none."""
    earlier = find_compared(connection, owner_id, query)
    if not isinstance(earlier, Withheld):
        return run_query(connection, owner_id, earlier, at=at) if earlier else None
    asked = _open(connection, owner_id, query.on_days(query.first_on, query.last_on))
    return Answer(asked.query, (), _counting(asked, "nothing", at or now()), earlier)


def _open(connection: Connection, owner_id: UUID, query: Query) -> _Asked:
    days = find_counting(connection, owner_id)
    if query.measure not in PLAY_MEASURES:
        return _Asked(connection, owner_id, query, days, find_gaps(connection, owner_id, query))
    return _Asked(connection, owner_id, query, count_as_days(find_told_days(connection, owner_id), days), {})


def _answer(asked: _Asked, source: Source, empty: Answer) -> Answer:
    """With the rows of the source; ads of which nobody knows whether they were sent stand apart, and are no zero."""
    found = _read(asked, source)
    if not found and asked.query.measure in PLAY_MEASURES:
        silence = find_silence(asked.connection, asked.owner_id, asked.query)
        if silence:
            return replace(empty, withheld=silence)
    rows = _fill(asked, found)
    if asked.query.measure != "ads_delivered":
        return replace(empty, rows=rows)
    unknown = _sum_ads(asked, source, "ads_not_measurable")
    if unknown and not any(row.value for row in rows) and not _sum_ads(asked, source, "ads_missed"):
        detail = f"not measurable: of none of {unknown:,} ads is known whether it was sent"
        return replace(empty, withheld=Withheld("bytes_not_told", detail), not_measurable=unknown)
    return replace(empty, rows=rows, not_measurable=unknown)


def _sum_ads(asked: _Asked, source: Source, measure: Measure) -> int:
    return sum(_read(replace(asked, query=replace(asked.query, measure=measure)), source).values())


def _iter_sources(query: Query) -> Iterator[Source]:
    """The tables that could answer, the smallest first."""
    if query.measure in PLAY_MEASURES:
        pass  # what players told is kept as it came, and summed nowhere
    elif query.measure == "consumers":
        if _is_stored_consumers(query):
            yield "daily_metrics"
    elif query.measure == "downloads" and query.filters.campaign_ids:
        pass  # a download that carried several campaigns is no member of any of them
    elif len(_used_dimensions(query)) <= 1:
        if query.is_utc and query.grain != "hour":
            yield "daily_metrics"
        elif _begins_on_hours(query):
            yield "hourly_metrics"
    if "placement" not in query.dimensions:
        yield "listener_events"
    if query.measure == "consumers" and _is_sketched(query):
        yield "consumer_sketches"


def _is_sketched(query: Query) -> bool:
    """Sets are kept of UTC days, by show and by the campaigns whose ads were delivered."""
    filtered = query.filters.by_dimension().keys()
    return query.is_utc and query.grain != "hour" and {*query.dimensions} <= {"show"} and filtered <= {"campaign"}


def _used_dimensions(query: Query) -> set[Dimension]:
    """What is split or filtered by, besides shows, which every rollup keeps apart."""
    return ({*query.dimensions} | {*query.filters.by_dimension()}) - {"show"}


def _is_stored_consumers(query: Query) -> bool:
    """The one count of consumers that is stored: of a show on a UTC day."""
    apart = "show" in query.dimensions or len(query.filters.podcast_ids) == 1
    return query.is_utc and query.grain == "day" and apart and not _used_dimensions(query)


def _begins_on_hours(query: Query) -> bool:
    """True if the zone's midnights in the period, and the one after it, are whole hours of UTC."""
    days = (query.first_on + timedelta(days=number) for number in range(query.day_count + 1))
    return all(query.midnight(day).astimezone(UTC).minute == 0 for day in days)


def _find_loss(asked: _Asked, source: Source) -> Withheld | None:
    """Why the table cannot answer, None if it can."""
    if source == "consumer_sketches":
        return _find_sketch_loss(asked)
    if asked.query.measure in PLAY_MEASURES:
        return find_lost_told(asked.connection, asked.owner_id, asked.query)
    if source != "daily_metrics":
        lost = find_lost_days(asked.connection, asked.owner_id, asked.query, source)
        if lost:
            reason, detail = _LOST[source]
            return Withheld(reason, detail.format(day=lost[0].day_on))
    later = set() if source == "listener_events" else _used_dimensions(asked.query) & _LATER
    if asked.query.measure in AD_MEASURES:
        # Ads are written since the same day as the dimension.
        later |= {"campaign"}
    rollup: Rollup = "hourly_metrics" if source == "hourly_metrics" else "daily_metrics"
    missing = [name for name in sorted(later) if not _is_covered(asked, rollup, name)]
    if missing:
        detail = f"not measurable: some of these days were measured before `{missing[0]}` was; measure them again"
        return Withheld("not_measured", detail)
    return None


def _find_sketch_loss(asked: _Asked) -> Withheld | None:
    day = find_unsketched_day(asked.connection, asked.owner_id, asked.query)
    if day:
        reason, detail = _LOST["consumer_sketches"]
        return Withheld(reason, detail.format(day=day))
    return _SECRET_CHANGED if has_mixed_keys(asked.connection, asked.owner_id, asked.query) else None


def _is_covered(asked: _Asked, source: Rollup, dimension: Dimension) -> bool:
    """True if the members of the dimension sum to the total."""
    whole = Query(asked.query.first_on, asked.query.last_on, tz=asked.query.tz, filters=asked.query.filters)
    sums = [
        sum(row.value for row in sum_rollup(asked.connection, asked.owner_id, whole, source, cut))
        for cut in (Cut("total"), Cut(dimension))
    ]
    return sums[0] == sums[1]


def _read(asked: _Asked, source: Source) -> dict[Key, int]:
    query = asked.query
    if source == "consumer_sketches":
        sets = unite_sets(asked.connection, asked.owner_id, query, by_show="show" in query.dimensions)
        return {(start, (str(show),) if show else ()): estimate_count(union) for (start, show), union in sets.items()}
    if source == "listener_events":
        counts = _count_rows(asked)
        width = len(query.dimensions)
        return {(row.start_at, (row.first_member, row.second_member)[:width]): row.value for row in counts}
    filtered = query.filters.by_dimension()
    dimension = next(iter(_used_dimensions(query)), None)
    cut = Cut(dimension, filtered.get(dimension)) if dimension else Cut("total")
    sums = sum_rollup(asked.connection, asked.owner_id, query, source, cut)
    if query.dimensions == ("show", dimension):
        return {(row.start_at, (row.show or "", row.member)): row.value for row in sums}
    are_shows = [name == "show" for name in query.dimensions]
    return {
        (row.start_at, tuple([(row.show or "") if is_show else row.member for is_show in are_shows])): row.value
        for row in sums
    }


def _count_rows(asked: _Asked) -> list[EventCount]:
    """What raw rows tell: players' own, or downloads, by column where these are whole."""
    place = (asked.connection, asked.owner_id, asked.query)
    if asked.query.measure in PLAY_MEASURES:
        return count_told(*place)
    return count_columns(*place) if can_count_columns(*place) else count_events(*place)


def _fill(asked: _Asked, found: dict[Key, int]) -> tuple[AnswerRow, ...]:
    """The rows in order of time, the most first; without dimensions one for each bucket, whether it has any or not."""
    # In UTC, for the two hours that a clock shows twice are equal in its own zone. Few starts, and many rows of each.
    # PostgreSQL begins a day whose midnight comes twice with the second one; an hour that clocks cut by half of it
    # begins before the change, in what is another hour.
    is_hour = asked.query.grain == "hour"
    begun_at = {start for start, _ in found if start}
    starts = {start: start if is_hour else asked.query.start_of(start) for start in begun_at}
    starts = {start: begun and begun.astimezone(UTC) for start, begun in starts.items()}
    known: dict[Key, int | None] = {
        (start and starts[start], members): value for (start, members), value in found.items()
    }
    if not asked.query.dimensions:
        for start in _iter_buckets(asked.query):
            known.setdefault((start and start.astimezone(UTC), ()), 0 if _was_measured(asked, start) else None)
    zone = asked.query.zone
    begun = {start for start, _ in known}
    local = {start: (start.timestamp(), start.astimezone(zone)) if start else (0.0, None) for start in begun}
    rows = sorted((local[start][0], -(value or 0), members, start) for (start, members), value in known.items())
    return tuple(AnswerRow(local[start][1], members, known[start, members]) for _, _, members, start in rows)


def _iter_buckets(query: Query) -> Iterator[datetime | None]:
    if query.grain == "none":
        yield None
    elif query.grain == "hour":
        at, end_at = query.period.start_at.astimezone(UTC), query.period.end_at
        while at < end_at:
            yield query.start_of(at)
            at += _HOUR - timedelta(minutes=at.astimezone(query.zone).minute)
    else:
        yield from map(query.midnight, query.iter_starts())


def _was_measured(asked: _Asked, start: datetime | None) -> bool:
    """True if any day of the bucket was measured: nothing found there is a zero."""
    query = asked.query
    if start is not None and query.grain == "hour":
        return asked.is_hour_measured(start)
    first_on = query.first_on if start is None else max(start.date(), query.first_on)
    last_on = query.last_on if start is None else min(_last_day(start.date(), query), query.last_on)
    return _count_measured(asked, first_on, last_on) > 0


def _count_measured(asked: _Asked, first_on: date, last_on: date) -> int:
    """How many of the days were measured."""
    return sum(asked.is_measured(first_on + timedelta(days=number)) for number in range((last_on - first_on).days + 1))


def _last_day(first_on: date, query: Query) -> date:
    if query.grain not in {"week", "month"}:
        return first_on
    day = first_on + timedelta(days=6 if query.grain == "week" else 31)
    return day if query.grain == "week" else start_of_bucket(day, "month") - timedelta(days=1)


def _counting(asked: _Asked, source: CountedFrom, at: datetime) -> Counting:
    query, days = asked.query, asked.days
    metric = load_metrics()[query.measure]
    open_on = (at.astimezone(UTC) - _FINAL_AFTER).date()
    return Counting(
        metric=f"{metric.name}/{metric.version}",
        counted_from=source,
        rules=days.rules,
        measured_at=days.measured_at,
        waiting_days=days.waiting_days,
        first_on=days.first_on,
        last_on=days.last_on,
        provisional_from=min(days.dirty_on, open_on) if days.dirty_on else open_on,
        day_count=query.day_count,
        measured_day_count=_count_measured(asked, query.first_on, query.last_on),
        basis="sketch" if source == "consumer_sketches" else "exact",
        error_rate=ERROR_RATE if source == "consumer_sketches" else 0.0,
    )
