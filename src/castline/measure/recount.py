"""Days are counted again under other settings, and nothing is written: what would change, reason by reason.

Both counts are of the same requests with the same tables, so that only the settings differ.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias
from uuid import UUID

import polars as pl

from castline.base.period import Period
from castline.measure.days import Sources, find_suspects, judge_days, without_behaviour, without_suspects
from castline.measure.judge import OUTCOMES, Judged, judge
from castline.measure.landed_days import LandedDays
from castline.measure.neighbours import load_context
from castline.measure.rules.matching import load_index
from castline.measure.rules.table import Rulebook, open_rulebook
from castline.model.measurement import MeasureSettings
from castline.model.vocab import Verdict
from castline.store.pool import Store
from castline.store.provenance.measure_settings import load_live_settings

_ROWS_AT_ONCE: Final = 1_500_000
Report: TypeAlias = Callable[[float], object]


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


def compute_recount(
    store: Store, owner_id: UUID, period: Period, settings: MeasureSettings, *, report: Report | None = None
) -> Recount:
    """The period's requests under the settings in use and under `settings`. Raises LandingFileMissing.

    `report` is told how much of the work is done, from 0 to 1, as it goes on.
    """
    with store.account(owner_id) as connection:
        live = load_live_settings(connection, owner_id)
        sources = Sources(
            connection,
            owner_id,
            LandedDays(store, connection, owner_id),
            load_index(connection, owner_id),
        )
        sizes = sources.landed.count_requests(period.iter_days())
        gone = sources.landed.find_gone(sizes)
        kept = {day: size for day, size in sizes.items() if day not in gone}
        work = _Work(2 * sum(kept.values()), report)
        totals = [_count(sources, kept, open_rulebook(store.settings, each), work) for each in (live, settings)]
    rows = [
        Difference(verdict, reason, totals[0][number], totals[1][number])
        for number, (verdict, reason) in enumerate(OUTCOMES)
        if totals[0][number] or totals[1][number]
    ]
    days = list(period.iter_days())
    return Recount(live.version, settings.version, days[0], days[-1], tuple(sorted(gone)), tuple(rows))


@dataclass(slots=True)
class _Work:
    """How many requests there are to count, over both settings, and how many are counted."""

    total: int
    report: Report | None
    done: float = 0

    def add(self, request_count: float) -> None:
        """So many more are counted."""
        self.done += request_count
        if self.report is not None:
            self.report(self.done / self.total)


def _count(sources: Sources, sizes: Mapping[date, int], book: Rulebook, work: _Work) -> Counter[int]:
    """How many of the days' requests have each outcome."""
    days, size = list(sizes), sum(sizes.values())
    if not size:
        return Counter()
    if size <= _ROWS_AT_ONCE:
        found = _count_outcomes(judge_days(sources, days, book)[0], days)
        work.add(size)
        return found
    suspects = _find_suspects(sources, sizes, book, work)
    total = Counter(dict(suspects.group_by("outcome").len().iter_rows()))
    shares = 1 + size // _ROWS_AT_ONCE
    for share in range(shares):
        requests = _load_share(sources, days, (share, shares), suspects, book)
        total.update(_count_outcomes(judge(requests, sources.index, without_behaviour(book)), days))
        work.add(size / 2 / shares)
    return total


def _find_suspects(sources: Sources, sizes: Mapping[date, int], book: Rulebook, work: _Work) -> pl.DataFrame:
    """What behaves as no people do, day by day; about half of the work."""
    found = []
    for day, size in sizes.items():
        found.append(find_suspects(sources.landed.load([day]), sources.index, book))
        work.add(size / 2)
    return pl.concat(found)


def _load_share(
    sources: Sources, days: Sequence[date], share: tuple[int, int], suspects: pl.DataFrame, book: Rulebook
) -> pl.DataFrame:
    """The requests of every so-manieth listener, with those of other days that share a window with them.

    Windows are of one listener each, so shares can be judged alone once suspects, of whole days, are gone.
    """
    number, count = share
    mine = pl.col("listener_key").bin.head(8).bin.reinterpret(dtype=pl.UInt64) % count == number
    # What has no listener belongs to the first share.
    chosen = mine.fill_null(value=number == 0)
    loaded = (sources.landed.load([day]).filter(chosen) for day in days)
    own = pl.concat(rows.join(suspects, on=["batch", "line_number"], how="anti") for rows in loaded)
    beside = load_context(own, days, sources.landed.load_listeners, sources.index, [book])
    return sources.landed.in_order(pl.concat([own, without_suspects(sources, beside, book)]))[0]


def _count_outcomes(judged: Judged, days: Sequence[date]) -> Counter[int]:
    return Counter(dict(judged.requests.filter(pl.col("day_on").is_in(days)).group_by("outcome").len().iter_rows()))
