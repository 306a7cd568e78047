"""What a query asks of raw downloads, counted in their columns, a day at a time.

The same figures as castline.store.listening.metrics.count_events gives from the rows themselves.
Method: docs/design/cross-filters.md
"""

import json
import math
from bisect import bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from itertools import chain, groupby
from operator import attrgetter
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.rows.columns import QUARTER_SECONDS, QUARTERS, Column, Numbers, read_codes
from castline.measure.rows.rollup import NO_CAMPAIGN, SEVERAL_CAMPAIGNS
from castline.model.query import AD_MEASURES, Measure, Query
from castline.store.listening.columns import DayColumn, has_columns, load_columns
from castline.store.listening.metrics import EventCount
from castline.store.pool import Connection

Mask = npt.NDArray[np.bool_]
# Days that are read at once: some 50 MB of an account with a million downloads a day.
_DAYS_AT_ONCE: Final = 10
_AD_LISTS: Final[dict[Measure, str]] = {
    "ads_delivered": "ads_delivered",
    "ads_missed": "ads_missed",
    "ads_not_measurable": "ads_unknown",
}
# A group's number has as many bits for each of its parts: two million episodes, or hours.
_PART_BITS: Final = 21
_SMALL: Final = 1 << 16
_NARROW: Final = 1 << 31
_QUARTER: Final = timedelta(seconds=QUARTER_SECONDS)
_WHOLE: Final = Column([""], np.zeros(0, np.uint8))


def can_count_columns(connection: Connection, owner_id: UUID, query: Query) -> bool:
    """True if columns hold all downloads of the query's days."""
    return has_columns(connection, owner_id, *_utc_days(query))


def count_columns(connection: Connection, owner_id: UUID, query: Query) -> list[EventCount]:
    """One row per bucket of the query's grain and members of its dimensions, where there are any."""
    names = _Names({}, {}, {})
    days = [_group(_Day(columns, query), query, names) for columns in _iter_days(connection, owner_id, query)]
    if not days:
        return []
    numbers = np.concatenate([day.numbers for day in days])
    values = np.concatenate([day.values for day in days])
    counted = pl.DataFrame({"group": numbers, "value": values}).group_by("group")
    found = counted.agg(pl.col("value").n_unique() if query.measure == "consumers" else pl.col("value").sum())
    return names.name(found["group"].to_numpy(), found["value"].to_list())


@dataclass(frozen=True, slots=True)
class _Names:
    """What the three parts of a group's number stand for, numbered as the days tell of them."""

    starts: dict[datetime | None, int]
    first: dict[str, int]
    second: dict[str, int]

    def number(self, places: Sequence[Numbers], keys: Sequence[Sequence[Hashable]]) -> Numbers:
        """The groups' numbers, of their places among a day's starts and members."""
        number = np.zeros(len(places[0]), np.int64)
        for known, own, place in zip((self.starts, self.first, self.second), keys, places, strict=True):
            table: dict[Hashable, int] = known  # type: ignore[assignment]  # starts or members, each with their like
            renumbered = np.array([table.setdefault(key, len(table)) for key in own], np.int64)
            number = (number << _PART_BITS) | renumbered[place]
        return number

    def name(self, numbers: Numbers, values: list[int]) -> list[EventCount]:
        """The counts of the groups, by what their numbers stand for."""
        mask = (1 << _PART_BITS) - 1
        parts = (numbers >> (2 * _PART_BITS), (numbers >> _PART_BITS) & mask, numbers & mask)
        starts, first, second = list(self.starts), list(self.first), list(self.second)
        rows = zip(*(part.tolist() for part in parts), values, strict=True)
        return [EventCount(starts[start], first[one], second[two], value) for start, one, two, value in rows]


@dataclass(frozen=True, slots=True)
class _Groups:
    """Counts of a day by their groups' numbers; of consumers each row's, with who it was."""

    numbers: Numbers
    values: Numbers


class _Day:
    """The rows of one UTC day that a query is about, by column: downloads, or the ads that came with them."""

    def __init__(self, columns: dict[str, DayColumn], query: Query) -> None:
        self._columns, self._query = columns, query
        self.day_on, self.count = columns["show"].day_on, columns["show"].download_count
        self._ads: list[dict[str, list[str]]] = []
        self._of_row: Numbers | None = None
        self._campaigns = _WHOLE
        if "ads" in columns:
            self._ads = [json.loads(text) for text in columns["ads"].members]
        if query.measure in AD_MEASURES:
            self._spread(_AD_LISTS[query.measure])

    def read(self, name: str) -> Column:
        """The members of the column, and for each row its place among them."""
        if name == "campaign":
            return self._campaigns if self._query.measure in AD_MEASURES else self._read_campaigns()
        column = self._columns[name]
        codes = read_codes(column)
        return Column(column.members, codes if self._of_row is None else codes[self._of_row])

    def select(self, name: str, chosen: Sequence[str]) -> Mask:
        """The rows with one of the chosen members; a download of several campaigns is of each of them."""
        if name == "campaign" and self._query.measure not in AD_MEASURES:
            carried = [not {*chosen}.isdisjoint(ads.get("ads_delivered", ())) for ads in self._ads]
            return np.array(carried, np.bool_)[read_codes(self._columns["ads"])]
        column = self.read(name)
        places = [place for place, member in enumerate(column.members) if member in chosen]
        if len(places) == 1:  # comparing is several times faster than looking each up
            return np.asarray(column.codes == places[0])
        is_chosen = np.zeros(len(column.members), np.bool_)
        is_chosen[places] = True
        return is_chosen[column.codes]

    def _spread(self, name: str) -> None:
        """Rows are ads, as many of a download as the list of that name has."""
        lists = [ads.get(name, []) for ads in self._ads]
        sizes, kinds = np.array([len(ads) for ads in lists], np.int64), read_codes(self._columns["ads"])
        members = sorted({*chain.from_iterable(lists)})
        flat = np.searchsorted(members, list(chain.from_iterable(lists))) if members else np.zeros(0, np.int64)
        counts = sizes[kinds]
        self._of_row = np.repeat(np.arange(self.count), counts)
        first, begun = (np.cumsum(sizes) - sizes)[kinds], np.cumsum(counts) - counts
        self.count = len(self._of_row)
        self._campaigns = Column(members or [""], flat[np.repeat(first - begun, counts) + np.arange(self.count)])

    def _read_campaigns(self) -> Column:
        """The one campaign whose ads were delivered with each download, or that there were several or none."""
        named = []
        for ads in self._ads:
            sent = {*ads.get("ads_delivered", ())}
            named.append(sent.pop() if len(sent) == 1 else SEVERAL_CAMPAIGNS if sent else NO_CAMPAIGN)
        members = sorted({*named})
        return Column(members, np.searchsorted(members, named)[read_codes(self._columns["ads"])])


def _group(day: _Day, query: Query, names: _Names) -> _Groups:
    """The day's rows that the filters let through, by bucket and members."""
    starts, of_quarter = _find_starts(day.day_on, query)
    keep = _select(day, query, of_quarter)
    columns = [day.read(name) for name in query.dimensions]
    columns += [_WHOLE] * (2 - len(columns))
    keys: tuple[Sequence[Hashable], ...] = (starts, columns[0].members, columns[1].members)
    shape = tuple(map(len, keys))
    # In place and no wider than needed: that is most of the time of large days.
    count = day.count if keep is None else int(np.count_nonzero(keep))
    local: Numbers = np.zeros(count, np.int32 if math.prod(shape) < _NARROW else np.int64)
    if len(starts) > 1:
        local += of_quarter[_keep(day.read("quarter").codes, keep)]
    for column in columns[:2]:
        if len(column.members) > 1:
            local *= len(column.members)
            np.add(local, _keep(column.codes, keep), out=local, casting="unsafe")
    if query.measure == "consumers":
        who = _keep(day.read("consumer").codes, keep)
        return _Groups(names.number(np.unravel_index(local, shape), keys), who)
    found, values = _count_each(local, math.prod(shape))
    return _Groups(names.number(np.unravel_index(found, shape), keys), values)


def _keep(codes: Numbers, mask: Mask | None) -> Numbers:
    return codes if mask is None else codes[mask]


def _select(day: _Day, query: Query, of_quarter: Numbers) -> Mask | None:
    """The rows that lie in the query and that its filters let through; None for all of them."""
    shows = tuple(map(str, query.filters.podcast_ids))
    chosen = ({"show": shows} if shows else {}) | query.filters.by_dimension()
    masks = [day.select(name, members) for name, members in chosen.items()]
    if of_quarter.min() < 0:
        masks.append((of_quarter >= 0)[day.read("quarter").codes])
    return reduce(np.logical_and, masks) if masks else None


def _count_each(numbers: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The different numbers, which are below `size`, and how often each is there."""
    if size > max(2 * len(numbers), _SMALL):
        return np.unique(numbers, return_counts=True)
    counts = np.bincount(numbers, minlength=size)
    found = np.flatnonzero(counts)
    return found, counts[found]


def _find_starts(day_on: date, query: Query) -> tuple[list[datetime | None], Numbers]:
    """The buckets of a UTC day, and each quarter's place among them, -1 where it lies outside of the query."""
    midnight = datetime.combine(day_on, time(), UTC)
    if not _needs_quarters(query):
        return [query.start_of(midnight)], np.zeros(1, np.int16)
    moments = [midnight + number * _QUARTER for number in range(QUARTERS)]
    begun = [query.start_of(at) for at in moments] if query.grain == "hour" else _find_days(moments, query)
    period = query.period
    starts: dict[datetime | None, int] = {}
    places = [
        starts.setdefault(start, len(starts)) if period.start_at <= at < period.end_at else -1
        for at, start in zip(moments, begun, strict=True)
    ]
    return list(starts), np.array(places, np.int16)


def _find_days(moments: Sequence[datetime], query: Query) -> list[datetime | None]:
    """What `start_of` gives for each moment of a UTC day: its days of the zone are few, and their midnights decide."""
    days = [moments[0].date() + timedelta(days=number) for number in (-1, 0, 1, 2)]
    midnights = [query.midnight(day).astimezone(UTC) for day in days]
    starts = [query.start_of(midnight) for midnight in midnights]
    return [starts[bisect_right(midnights, at) - 1] for at in moments]


def _needs_quarters(query: Query) -> bool:
    return not query.is_utc or query.grain == "hour"


def _iter_days(connection: Connection, owner_id: UUID, query: Query) -> Iterator[dict[str, DayColumn]]:
    """The columns of each UTC day that the query needs."""
    names: set[str] = {"show", *query.dimensions, *query.filters.by_dimension()}
    if "campaign" in names or query.measure in AD_MEASURES:
        names = names - {"campaign"} | {"ads"}
    if query.measure == "consumers":
        names |= {"consumer"}
    if _needs_quarters(query):
        names |= {"quarter"}
    first_on, last_on = _utc_days(query)
    while first_on <= last_on:
        end_on = min(first_on + timedelta(days=_DAYS_AT_ONCE - 1), last_on)
        found = load_columns(connection, owner_id, first_on, end_on, sorted(names))
        for _, columns in groupby(found, key=attrgetter("day_on")):
            yield {column.name: column for column in columns}
        first_on = end_on + timedelta(days=1)


def _utc_days(query: Query) -> tuple[date, date]:
    """The first and the last UTC day that the query's period touches."""
    period = query.period
    last_at = period.end_at.astimezone(UTC) - timedelta(microseconds=1)
    return period.start_at.astimezone(UTC).date(), last_at.date()
