"""What judged days become in the database: downloads, their sums, and where each request went."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

import polars as pl

from castline.measure.columns import make_columns
from castline.measure.event_rows import EVENT_COLUMNS, EventRows
from castline.measure.judge import OUTCOMES, Judged
from castline.measure.rollup import DAILY_COLUMNS, HOURLY_COLUMNS, Rollup, compute_rollup, encode_rows, find_carried
from castline.model.lineage import Batch
from castline.store.columns import DayColumn
from castline.store.ledger import OpenRun
from castline.store.listening import RowsOfTable, copy_rows, copying_rows, save_verdict_counts
from castline.store.timeseries import Partition

_NONE_FRESH: Final[Mapping[date, Partition]] = MappingProxyType({})
_VERDICTS: Final = pl.DataFrame(
    {
        "outcome": pl.Series(range(len(OUTCOMES)), dtype=pl.UInt8),
        "verdict": [verdict for verdict, _ in OUTCOMES],
        "reason": [reason for _, reason in OUTCOMES],
    }
)


@dataclass(frozen=True, slots=True)
class StoredDays:
    """What was written of days; `ends` has a row per verdict and reason with its `count` of requests."""

    rollup: Rollup
    columns: list[DayColumn]
    ends: pl.DataFrame


def store_days(
    run: OpenRun, judged: Judged, batches: Sequence[Batch], fresh: Mapping[date, Partition] = _NONE_FRESH
) -> StoredDays:
    """Downloads, sums and verdicts of the days are in the run's transaction; nothing of them was there before.

    `fresh` are weeks of events, by their Mondays, that are filled before they become partitions.
    """
    carried = find_carried(judged)
    rows = EventRows(judged, carried, run.owner_id, run.run_id)
    with copying_rows(run.connection, EVENT_COLUMNS, _iter_parts(rows, fresh)):
        rollup = compute_rollup(judged, carried, run.run_id)
        columns = make_columns(judged, carried, run.owner_id)
        verdicts = _count_verdicts(judged, batches)
    copy_rows(run.connection, "hourly_metrics", HOURLY_COLUMNS, encode_rows(rollup.hourly), form="binary")
    copy_rows(run.connection, "daily_metrics", DAILY_COLUMNS, encode_rows(rollup.daily), form="binary")
    save_verdict_counts(run.connection, run.owner_id, run.run_id, verdicts.to_dict(as_series=False))
    return StoredDays(rollup, columns, verdicts.group_by("verdict", "reason").agg(pl.col("count").sum()))


def _iter_parts(rows: EventRows, fresh: Mapping[date, Partition]) -> Iterator[RowsOfTable]:
    for monday, pieces in rows.iter_weeks():
        yield fresh.get(monday, "listener_events"), pieces


def _count_verdicts(judged: Judged, batches: Sequence[Batch]) -> pl.DataFrame:
    """One row per day, batch, episode and outcome; what is no episode's has none."""
    known = pl.when(pl.col("episode") >= 0).then(pl.col("episode"))
    ends = judged.requests.group_by("day_on", "batch", known.alias("episode"), "outcome").len("count")
    named = ends.join(judged.episodes.select("episode", "podcast_id", "episode_id"), on="episode", how="left")
    ordered = named.join(_VERDICTS, on="outcome").sort("day_on", "batch", "episode", "outcome")
    batch_ids = pl.Series([str(batch.batch_id) for batch in batches], dtype=pl.String)
    return ordered.select(
        "day_on",
        batch_ids[ordered["batch"]].alias("batch_id"),
        "podcast_id",
        "episode_id",
        "verdict",
        "reason",
        "count",
    )
