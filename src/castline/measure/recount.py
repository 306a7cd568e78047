"""Days are counted again under other settings, and nothing is written: what would change, reason by reason.

Both counts are of the same requests with the same tables, so that only the settings differ.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.period import Period
from castline.measure.context import load_context
from castline.measure.judge import OUTCOMES, judge
from castline.measure.landed import LandedDays
from castline.measure.matching import EpisodeIndex, load_index
from castline.measure.rules import Rulebook, open_rulebook
from castline.model.measurement import MeasureSettings
from castline.model.vocab import Verdict
from castline.store.measure_settings import load_live_settings
from castline.store.pool import Connection, Store

_ROWS_AT_ONCE: Final = 1_500_000


@dataclass(frozen=True, slots=True)
class Difference:
    """How many requests ended so under the settings in use and would under the others."""

    verdict: Verdict
    reason: str
    before_count: int
    after_count: int


@dataclass(frozen=True, slots=True)
class Recount:
    """Both counts of a period's requests, by `before` and `after`, the versions of their settings.

    `missing_days` have requests that passed their retention and are left out.
    """

    before: str
    after: str
    first_on: date
    last_on: date
    missing_days: tuple[date, ...]
    differences: tuple[Difference, ...]

    @property
    def download_counts(self) -> tuple[int, int]:
        """Downloads before and after."""
        counted = [row for row in self.differences if row.verdict == "counted"]
        return sum(row.before_count for row in counted), sum(row.after_count for row in counted)


def compute_recount(store: Store, owner_id: UUID, period: Period, settings: MeasureSettings) -> Recount:
    """The period's requests under the settings in use and under `settings`. Raises LandingFileMissing."""
    totals: list[Counter[int]] = [Counter(), Counter()]
    with store.account(owner_id) as connection:
        live = load_live_settings(connection, owner_id)
        work = _open_work(store, connection, owner_id, (live, settings))
        sizes = work.landed.count_requests(period.iter_days())
        gone = work.landed.find_gone(sizes)
        kept = [day for day in sizes if day not in gone]
        shares = 1 + sum(sizes[day] for day in kept) // _ROWS_AT_ONCE
        for share in range(shares):
            requests = _load_share(work, kept, (share, shares))
            for book, total in zip(work.books, totals, strict=True):
                total.update(_count(requests, work.index, book, kept))
    rows = [
        Difference(verdict, reason, totals[0][number], totals[1][number])
        for number, (verdict, reason) in enumerate(OUTCOMES)
        if totals[0][number] or totals[1][number]
    ]
    days = list(period.iter_days())
    return Recount(live.version, settings.version, days[0], days[-1], tuple(sorted(gone)), tuple(rows))


@dataclass(frozen=True, slots=True)
class _Work:
    """What a recount is made with: the requests, the episodes, and both rulebooks."""

    landed: LandedDays
    index: EpisodeIndex
    books: Sequence[Rulebook]


def _open_work(store: Store, connection: Connection, owner_id: UUID, both: Iterable[MeasureSettings]) -> _Work:
    return _Work(
        LandedDays(store, connection, owner_id),
        load_index(connection, owner_id),
        [open_rulebook(store.settings, each) for each in both],
    )


def _load_share(work: _Work, days: Sequence[date], share: tuple[int, int]) -> pl.DataFrame:
    """The requests of every so-manieth listener, with those of other days that share a window with them.

    Windows are of one listener each, so shares can be judged alone.
    """
    number, count = share
    mine = pl.col("listener_key").bin.head(8).bin.reinterpret(dtype=pl.UInt64) % count == number
    # What has no listener belongs to the first share.
    chosen = mine.fill_null(value=number == 0)
    own = pl.concat([work.landed.load([]), *(work.landed.load([day]).filter(chosen) for day in days)])
    beside = load_context(own, days, work.landed.load_listeners, work.index, work.books)
    return work.landed.in_order(pl.concat([own, beside]))[0]


def _count(requests: pl.DataFrame, index: EpisodeIndex, book: Rulebook, days: Sequence[date]) -> dict[int, int]:
    judged = judge(requests, index, book).requests.filter(pl.col("day_on").is_in(days))
    return dict(judged.group_by("outcome").len().iter_rows())
