"""Figures of episodes or placements by day, so that any run of days is counted without reading those between."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Final
from uuid import UUID

from castline.attribute.exposure import Span
from castline.model.query import AnswerRow

_MOMENT: Final = timedelta(microseconds=1)


class DaySums:
    """Of answers by UTC day: what each member of the last dimension has, added up from its first day on."""

    def __init__(self, rows: Iterable[AnswerRow]) -> None:
        days: dict[str, list[tuple[date, int]]] = defaultdict(list)
        for row in rows:
            if row.start_at and row.value is not None:
                days[row.members[-1]].append((row.start_at.date(), row.value))
        self._sums = {member: _add_up(sorted(found)) for member, found in days.items()}

    def count(self, member: str, first_on: date, last_on: date) -> int:
        """What the member has from `first_on` to `last_on`, both included."""
        if member not in self._sums or last_on < first_on:
            return 0
        days, sums = self._sums[member]
        return sums[bisect_right(days, last_on)] - sums[bisect_left(days, first_on)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sums)


def count_downloads(spans: Sequence[Span], days: DaySums, end_at: datetime) -> dict[UUID, int]:
    """Downloads by episode on the UTC days that the spans touch before `end_at`; only episodes that have some."""
    found = {}
    for span in spans:
        last_on = (min(span.end_at, end_at) - _MOMENT).astimezone(UTC).date()
        first_on = span.start_at.astimezone(UTC).date()
        for member in days if span.episode_id is None else (str(span.episode_id),):
            if count := days.count(member, first_on, last_on):
                found[UUID(member)] = count
    return found


def _add_up(rows: list[tuple[date, int]]) -> tuple[list[date], list[int]]:
    """The days, and before each of them and at the end the sum of those before."""
    return [day for day, _ in rows], [0, *accumulate(value for _, value in rows)]
