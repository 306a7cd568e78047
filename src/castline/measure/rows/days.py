"""What judged days become in the database: downloads, their sums, and where each request went."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, TypeAlias
from uuid import UUID

import polars as pl

from castline.base.period import Period
from castline.measure.judge import OUTCOMES, Judged
from castline.measure.rows.columns import make_columns
from castline.measure.rows.difference import find_change, mark_downloads
from castline.measure.rows.events import EVENT_COLUMNS, EventRows
from castline.measure.rows.memory import Written
from castline.measure.rows.rollup import (
    DAILY_COLUMNS,
    HOURLY_COLUMNS,
    Rollup,
    compute_rollup,
    encode_rows,
    find_carried,
)
from castline.model.lineage import Batch
from castline.store.listening.columns import DayColumn
from castline.store.listening.downloads import (
    KeyedTable,
    RowsOfTable,
    Series,
    copy_rows,
    copying_rows,
    delete_downloads,
    delete_rows,
    save_verdict_counts,
)
from castline.store.provenance.ledger import OpenRun
from castline.store.timeseries import Partition

Fresh: TypeAlias = Mapping[tuple[str, date], Partition]
_SUM_KEYS: Final = ("podcast_id", "metric", "dimension", "member")
_KEYS: Final[Mapping[KeyedTable, Sequence[str]]] = {
    "hourly_metrics": ("hour_at", *_SUM_KEYS),
    "daily_metrics": ("day_on", *_SUM_KEYS),
    "request_verdicts": ("day_on", "batch_id", "episode_id", "verdict", "reason"),
}
_VERDICTS: Final = pl.DataFrame(
    {
        "outcome": pl.Series(range(len(OUTCOMES)), dtype=pl.UInt8),
        "verdict": [verdict for verdict, _ in OUTCOMES],
        "reason": [reason for _, reason in OUTCOMES],
    }
)


@dataclass(frozen=True, slots=True)
class Before:
    """How the rows of days stand before they are written.

    `fresh` are weeks, by table and Monday, that are filled before they become partitions. `written` is what stands of
    days; of the others nothing does. What is written of the days `lasting` is to be remembered.
    """

    fresh: Fresh
    written: Mapping[date, Written]
    lasting: Collection[date]


@dataclass(frozen=True, slots=True)
class StoredDays:
    """What stands of days now; `ends` has a row per verdict and reason with its `count` of requests."""

    rollup: Rollup
    columns: list[DayColumn]
    ends: pl.DataFrame
    written: dict[date, Written]


def store_days(run: OpenRun, judged: Judged, batches: Sequence[Batch], before: Before) -> StoredDays:
    """Downloads, sums and verdicts of the days, and no others, are in the run's transaction."""
    carried = find_carried(judged)
    stood = [*before.written.values()]
    marks = mark_downloads(judged, carried, run.owner_id) if stood or before.lasting else None
    rows = EventRows(judged, carried, run.owner_id, run.run_id)
    if marks is not None and stood:
        rows = _change_downloads(run, rows, stood, marks)
    with copying_rows(run.connection, EVENT_COLUMNS, _iter_parts(rows, before.fresh)):
        rollup = compute_rollup(judged, carried, run.run_id)
        columns = make_columns(judged, carried, run.owner_id)
        verdicts = _count_verdicts(judged, batches)
    hourly = _change_rows(run, "hourly_metrics", [part.hourly for part in stood], rollup.hourly)
    for table, hours in _iter_weeks(hourly, before.fresh):
        copy_rows(run.connection, table, HOURLY_COLUMNS, encode_rows(hours), form="binary")
    daily = _change_rows(run, "daily_metrics", [part.daily for part in stood], rollup.daily)
    copy_rows(run.connection, "daily_metrics", DAILY_COLUMNS, encode_rows(daily), form="binary")
    come = _change_rows(run, "request_verdicts", [part.verdicts for part in stood], verdicts)
    save_verdict_counts(run.connection, run.owner_id, run.run_id, come.to_dict(as_series=False))
    ends = verdicts.group_by("verdict", "reason").agg(pl.col("count").sum())
    if marks is None:
        return StoredDays(rollup, columns, ends, {})
    now_stands = Written(marks, rollup.hourly.drop("run_id"), rollup.daily.drop("run_id"), verdicts)
    return StoredDays(rollup, columns, ends, {day: now_stands.of_day(day) for day in before.lasting})


def _change_downloads(run: OpenRun, rows: EventRows, stood: Sequence[Written], marks: pl.DataFrame) -> EventRows:
    """Downloads that differ from what shall stand are gone; returns those that must come."""
    change = find_change(pl.concat([part.downloads for part in stood]), marks.with_row_index("place"))
    for day, gone in change.gone.partition_by("day_on", as_dict=True).items():
        ids = [UUID(int=high << 64 | low) for high, low in gone.select("high", "low").iter_rows()]
        delete_downloads(run.connection, run.owner_id, ids, Period.of_days(day[0], day[0]))
    places = change.come["place"]
    return replace(
        rows,
        judged=replace(rows.judged, downloads=rows.judged.downloads[places]),
        carried=rows.carried[places],
    )


def _change_rows(run: OpenRun, table: KeyedTable, stood: Sequence[pl.DataFrame], rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table that differ from what shall stand are gone; returns those that must come."""
    if not stood:
        return rows
    change = find_change(pl.concat(stood), rows)
    keys = change.gone.select(_KEYS[table]).to_dict(as_series=False)
    delete_rows(run.connection, run.owner_id, table, keys)
    return change.come


def _iter_parts(rows: EventRows, fresh: Fresh) -> Iterator[RowsOfTable]:
    for monday, pieces in rows.iter_weeks():
        yield fresh.get(("listener_events", monday), "listener_events"), pieces


def _iter_weeks(hourly: pl.DataFrame, fresh: Fresh) -> Iterator[tuple[Series | Partition, pl.DataFrame]]:
    weeks = hourly.with_columns(week=pl.col("hour_at").dt.date().dt.truncate("1w"))
    for (monday,), rows in weeks.partition_by("week", as_dict=True, include_key=False).items():
        yield fresh.get(("hourly_metrics", monday), "hourly_metrics"), rows


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
