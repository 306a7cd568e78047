"""Days are counted again under other settings, and nothing is written: what would change, reason by reason.

Both counts are of the same requests with the same tables, so that only the settings differ.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.period import Period
from castline.measure.judge import OUTCOMES, judge
from castline.measure.matching import EpisodeIndex
from castline.measure.rules import Rulebook, open_rulebook
from castline.model.lineage import Batch
from castline.model.measurement import MeasureSettings
from castline.model.vocab import Verdict
from castline.store.landing_files import decode_parts, find_incomplete_days, load_requests
from castline.store.listening import LOG_KIND, load_log_batches
from castline.store.pool import Store
from castline.store.shows import load_audio_keys

# A window may have begun before the period; a chain of windows without a day's gap seldom lasts longer than this.
_CONTEXT: Final = timedelta(days=7)
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
    days = list(period.iter_days())
    context = set(Period.of_days(days[0] - _CONTEXT, days[-1] + timedelta(days=1)).iter_days())
    with store.account(owner_id) as connection:
        batches = load_log_batches(connection, owner_id, Period.of_days(min(context), max(context)))
        index = EpisodeIndex(load_audio_keys(connection, owner_id))
    landed = Counter[date]()
    for batch in batches:
        for part in decode_parts(batch):
            landed[part.day_on] += part.row_count
    gone = find_incomplete_days(store.settings.landing_dir, owner_id, LOG_KIND, batches, context & landed.keys())
    kept = sorted((context & landed.keys()) - gone)
    books = [open_rulebook(store.settings, each) for each in (MeasureSettings(), settings)]
    totals: list[Counter[int]] = [Counter(), Counter()]
    shares = 1 + sum(landed[day] for day in kept) // _ROWS_AT_ONCE
    for share in range(shares):
        requests = _load_share(store, owner_id, batches, kept, (share, shares))
        for book, total in zip(books, totals, strict=True):
            total.update(_count(requests, index, book, (days[0], days[-1])))
    rows = [
        Difference(verdict, reason, totals[0][number], totals[1][number])
        for number, (verdict, reason) in enumerate(OUTCOMES)
        if totals[0][number] or totals[1][number]
    ]
    versions = [book.settings.version for book in books]
    return Recount(versions[0], versions[1], days[0], days[-1], tuple(sorted(gone & set(days))), tuple(rows))


def _load_share(
    store: Store, owner_id: UUID, batches: Sequence[Batch], days: Iterable[date], share: tuple[int, int]
) -> pl.DataFrame:
    """The requests of every so-manieth listener: windows are of one listener each, so shares can be judged alone."""
    number, count = share
    mine = pl.col("listener_key").bin.head(8).bin.reinterpret(dtype=pl.UInt64) % count == number
    frames = [
        load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, [day]).filter(mine) for day in days
    ]
    return pl.concat(frames or [load_requests(store.settings.landing_dir, owner_id, LOG_KIND, [], [])])


def _count(requests: pl.DataFrame, index: EpisodeIndex, book: Rulebook, days: tuple[date, date]) -> dict[int, int]:
    judged = judge(requests, index, book).requests.filter(pl.col("day_on").is_between(*days))
    return dict(judged.group_by("outcome").len().iter_rows())
