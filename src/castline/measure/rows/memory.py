"""What this process wrote of a day that goes on, so that the next time only what differs is written.

The worker measures the current day again and again, always whole: a request may change what became of any other.
Most of what it finds stands already. What a run wrote is remembered as a mark for each download and as the rows of sums
and verdicts; it is believed only while that run is the last that measured the day, which the database tells. Nothing is
lost with this memory: a day that is not remembered is written anew.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from threading import Lock
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.clock import now

# A day is remembered as long as it lasts: the first run after it writes it whole, and so in the name of one run.
LASTS: Final = timedelta(days=1)
# What is written whole in less than two seconds need not be remembered.
LARGE_DAY: Final = 50_000
_MOST_ROWS: Final = 8_000_000  # of all days, about 300 MB
_changing: Final = Lock()
remembered: OrderedDict[tuple[UUID, date], tuple[UUID, "Written"]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Written:
    """What stands of some days: a mark per download, and the rows of sums and of verdicts without their run.

    A mark is the two halves of the download's id and a hash of all that its row tells beside them.
    """

    downloads: pl.DataFrame
    hourly: pl.DataFrame
    daily: pl.DataFrame
    verdicts: pl.DataFrame

    @property
    def row_count(self) -> int:
        """How many rows are remembered."""
        return sum(getattr(self, part.name).height for part in fields(self))

    def of_day(self, day: date) -> "Written":
        """What stands of one of the days."""
        return Written(
            self.downloads.filter(pl.col("day_on") == day),
            self.hourly.filter(pl.col("hour_at").dt.date() == day),
            self.daily.filter(pl.col("day_on") == day),
            self.verdicts.filter(pl.col("day_on") == day),
        )


def list_remembered(owner_id: UUID, days: Iterable[date]) -> list[date]:
    """Those of the days of which anything is remembered."""
    return [day for day in days if (owner_id, day) in remembered and is_lasting(day)]


def recall(owner_id: UUID, stands: Mapping[date, UUID]) -> dict[date, Written]:
    """What is remembered of the days, by the run that measured each of them last."""
    known = {day: remembered.get((owner_id, day)) for day in stands}
    return {day: found[1] for day, found in known.items() if found is not None and found[0] == stands[day]}


def remember(owner_id: UUID, run_id: UUID, written: Mapping[date, Written]) -> None:
    """The days are remembered as the run has committed them."""
    with _changing:
        for day, rows in written.items():
            remembered[owner_id, day] = run_id, rows
            remembered.move_to_end((owner_id, day))
        for key in [key for key in remembered if not is_lasting(key[1])]:
            del remembered[key]
        while sum(rows.row_count for _, rows in remembered.values()) > _MOST_ROWS:
            remembered.popitem(last=False)


def is_worth_remembering(day: date, request_count: int) -> bool:
    """True for a large day that is not over."""
    return request_count >= LARGE_DAY and is_lasting(day)


def is_lasting(day: date) -> bool:
    """True for a day that is not over."""
    return now().date() < day + LASTS
