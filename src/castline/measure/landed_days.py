"""An account's landed requests by UTC day, read as far as they are asked for; batches are numbered in one order."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from uuid import UUID

import polars as pl

from castline.base.clock import now
from castline.base.period import Period
from castline.model.lineage import Batch
from castline.store.landing.files import decode_parts, find_incomplete_days, load_listeners_requests, load_requests
from castline.store.listening.downloads import LOG_KIND, load_log_batches
from castline.store.pool import Connection, Store
from castline.store.upkeep.retention import LANDING_KEPT


class LandedDays:
    """Reads days through one transaction; whatever it read stands, though more may have landed since."""

    def __init__(self, store: Store, connection: Connection, owner_id: UUID) -> None:
        self._landing_dir, self._connection, self._owner_id = store.settings.landing_dir, connection, owner_id
        self._numbers: dict[UUID, int] = {}
        self._batches: list[Batch] = []
        self._by_day: dict[date, list[Batch]] = {}

    def load(self, days: Sequence[date]) -> pl.DataFrame:
        """The requests of the days. Raises LandingFileMissing."""
        batches = self._know(days)
        requests = load_requests(self._landing_dir, self._owner_id, LOG_KIND, batches, days)
        return self._renumber(requests, batches)

    def load_listeners(self, day: date, listeners: pl.Series) -> pl.DataFrame:
        """The listeners' requests of the day; none of a day whose requests retention has begun to delete."""
        batches = [] if self.find_gone([day]) else self._know([day])
        folder = (self._landing_dir, self._owner_id, LOG_KIND)
        return self._renumber(load_listeners_requests(folder, batches, day, listeners), batches)

    def find_gone(self, days: Iterable[date]) -> set[date]:
        """Old days whose landed requests retention has begun to delete: judged anew, they would lose what counted."""
        kept_on = (now() - LANDING_KEPT).date()
        old = [day for day in days if day <= kept_on]
        if not old:
            return set()
        batches = self._know(old)
        return find_incomplete_days(self._landing_dir, self._owner_id, LOG_KIND, batches, set(old))

    def count_requests(self, days: Iterable[date]) -> dict[date, int]:
        """How many requests landed, by day, in order; a day without any is not in it."""
        wanted = set(days)
        landed = Counter[date]()
        for batch in self._know(wanted):
            for part in decode_parts(batch):
                landed[part.day_on] += part.row_count
        return {day: landed[day] for day in sorted(wanted & landed.keys())}

    def in_order(self, requests: pl.DataFrame) -> tuple[pl.DataFrame, list[Batch]]:
        """The requests with the number of their batch in the list, which is in the order of the batches' ids."""
        ordered = sorted(self._batches, key=lambda batch: batch.batch_id)
        places = {batch.batch_id: place for place, batch in enumerate(ordered)}
        return _with_numbers(requests, [places[batch.batch_id] for batch in self._batches]), ordered

    def places(self, batch_id: UUID, line_numbers: Sequence[int]) -> pl.DataFrame:
        """The lines of a batch that was read, as `load` numbers it."""
        lines = pl.Series("line_number", line_numbers, dtype=pl.UInt32)
        return pl.DataFrame(lines).select(pl.lit(self._numbers[batch_id], pl.UInt32).alias("batch"), "line_number")

    def _know(self, days: Iterable[date]) -> list[Batch]:
        """The batches that have requests of the days."""
        wanted = sorted(set(days))
        for first, last in iter_stretches([day for day in wanted if day not in self._by_day]):
            self._by_day |= {day: [] for day in Period.of_days(first, last).iter_days()}
            for batch in load_log_batches(self._connection, self._owner_id, Period.of_days(first, last)):
                for day in {part.day_on for part in decode_parts(batch)}:
                    if first <= day <= last:
                        self._by_day[day].append(batch)
        found = {batch.batch_id: batch for day in wanted for batch in self._by_day[day]}
        for batch_id, batch in found.items():
            if batch_id not in self._numbers:
                self._numbers[batch_id] = len(self._batches)
                self._batches.append(batch)
        return list(found.values())

    def _renumber(self, requests: pl.DataFrame, batches: Sequence[Batch]) -> pl.DataFrame:
        return _with_numbers(requests, [self._numbers[batch.batch_id] for batch in batches])


def iter_stretches(days: Iterable[date]) -> Iterable[tuple[date, date]]:
    """The first and last day of each stretch of days without a gap."""
    for _, stretch in groupby(enumerate(sorted(days)), key=lambda item: item[1].toordinal() - item[0]):
        members = [day for _, day in stretch]
        yield members[0], members[-1]


def _with_numbers(requests: pl.DataFrame, numbers: Sequence[int]) -> pl.DataFrame:
    if requests.is_empty():
        return requests
    return requests.with_columns(batch=pl.Series(numbers, dtype=pl.UInt32)[requests["batch"]])
