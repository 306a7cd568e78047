"""Downloads, their rollups, and where every request went."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

from psycopg import Connection, sql

from castline.base.ahead import read_ahead
from castline.base.period import Period, start_of_day
from castline.model.lineage import Batch
from castline.model.listening import VerdictCount
from castline.model.query import MEASURES
from castline.store.rows import find_one, load_all, load_scalars, save
from castline.store.sql import load_sql
from castline.store.timeseries import Partition

_SQL: Final = load_sql("downloads")
LOG_KIND: Final = "access_log"
CopyForm = Literal["csv", "text", "binary"]
Series = Literal["listener_events", "hourly_metrics", "daily_metrics"]
KeyedTable = Literal["hourly_metrics", "daily_metrics", "request_verdicts"]
_DELETES: Final[Mapping[KeyedTable, str]] = {
    "hourly_metrics": "delete_some_hourly_metrics",
    "daily_metrics": "delete_some_daily_metrics",
    "request_verdicts": "delete_some_verdicts",
}
RowsOfTable: TypeAlias = tuple[Series | Partition, Iterator[bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class DirtyDay:
    """A UTC day whose requests changed since it was last measured."""

    day_on: date
    marked_at: datetime


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One row of `request_verdicts`; without an episode the requests belong to no show of the account."""

    day_on: date
    batch_id: UUID
    podcast_id: UUID | None
    episode_id: UUID | None
    verdict: str
    reason: str
    request_count: int


def load_waterfall(
    connection: Connection,
    owner_id: UUID,
    period: Period | None = None,
    *,
    batch_ids: Sequence[UUID] | None = None,
    podcast_ids: Sequence[UUID] | None = None,
) -> list[VerdictCount]:
    """What became of the measured requests, by verdict and reason, the most first; they sum to the requests landed."""
    facts = {
        "tenant": owner_id,
        "first_on": None,
        "last_on": None,
        "batch_ids": None if batch_ids is None else list(batch_ids),
        "podcast_ids": None if podcast_ids is None else list(podcast_ids),
    }
    days = {} if period is None else _days_of(period)
    return load_all(connection, VerdictCount, _SQL["load_waterfall"], facts | days)


def load_refused(
    connection: Connection,
    owner_id: UUID,
    period: Period | None = None,
    *,
    batch_ids: Sequence[UUID] | None = None,
) -> list[VerdictCount]:
    """How many lines of imported logs were no request, by reason: what stands between received and landed.

    Such a line has no time and no show of its own: of a period are all those of the logs whose requests reach into it.
    """
    facts = {
        "tenant": owner_id,
        "kind": LOG_KIND,
        "batch_ids": None if batch_ids is None else list(batch_ids),
        "start_at": period and period.start_at,
        "end_at": period and period.end_at,
    }
    return load_all(connection, VerdictCount, _SQL["load_refused"], facts)


def load_measured_batches(connection: Connection, owner_id: UUID, days: Sequence[date]) -> list[UUID]:
    """The batches whose requests were judged on the days, by id."""
    found = load_scalars(connection, _SQL["load_measured_batches"], {"tenant": owner_id, "days": list(days)})
    return [batch_id for batch_id in found if isinstance(batch_id, UUID)]


def load_dirty_days(connection: Connection, owner_id: UUID) -> list[DirtyDay]:
    """The days that wait to be measured, oldest first."""
    return load_all(connection, DirtyDay, _SQL["load_dirty_days"], {"tenant": owner_id})


def lock_dirty_days(connection: Connection, owner_id: UUID, days: Sequence[date]) -> list[date]:
    """Those of the days that are still dirty; nobody else measures or marks them until the transaction ends."""
    found = load_scalars(connection, _SQL["lock_dirty_days"], {"tenant": owner_id, "days": list(days)})
    return [day for day in found if isinstance(day, date)]


def mark_dirty_days(connection: Connection, owner_id: UUID, days: Sequence[date]) -> None:
    """The days wait to be measured again."""
    # In one order everywhere, so that two imports of the same days wait for each other and never deadlock.
    save(connection, _SQL["mark_dirty_days"], {"tenant": owner_id, "days": sorted(days)})


def clear_dirty_days(connection: Connection, owner_id: UUID, days: Sequence[date]) -> None:
    """The days are measured."""
    save(connection, _SQL["clear_dirty_days"], {"tenant": owner_id, "days": list(days)})


def load_log_batches(connection: Connection, owner_id: UUID, period: Period) -> list[Batch]:
    """The imported logs that have requests in the period, by id; their files stay until the transaction ends."""
    connection.execute(_SQL["hold_landing"], {"tenant": owner_id})
    return load_landed_batches(connection, owner_id, LOG_KIND, period)


def load_landed_batches(connection: Connection, owner_id: UUID, kind: str, period: Period) -> list[Batch]:
    """The batches of the kind that have rows in the period, by id."""
    facts = {"tenant": owner_id, "kind": kind, "start_at": period.start_at, "end_at": period.end_at}
    return load_all(connection, Batch, _SQL["load_landed_batches"], facts)


def find_log_by_file(connection: Connection, owner_id: UUID, file_hash: str) -> Batch | None:
    """The batch that a file of these very bytes became, None if there is none."""
    facts = {"tenant": owner_id, "kind": LOG_KIND, "file_hash": file_hash}
    return find_one(connection, Batch, _SQL["find_log_by_file"], facts)


def load_log_beginnings(connection: Connection, owner_id: UUID, first_line: str, source: str) -> list[Batch]:
    """The batches of logs whose first line has that hash: at most 200, those of the source's name first."""
    facts = {"tenant": owner_id, "kind": LOG_KIND, "first_line": first_line, "source": source}
    return load_all(connection, Batch, _SQL["load_log_beginnings"], facts)


def load_log_chain(connection: Connection, owner_id: UUID, batch_id: UUID) -> list[Batch]:
    """The batch of a log, and all that it continues, the newest first."""
    return load_all(connection, Batch, _SQL["load_log_chain"], {"tenant": owner_id, "batch_id": batch_id})


def load_replays(connection: Connection, owner_id: UUID, run_ids: Iterable[UUID]) -> list[Batch]:
    """The batches that these runs made of refused lines of logs."""
    facts = {"tenant": owner_id, "kind": LOG_KIND, "run_ids": list(run_ids)}
    return load_all(connection, Batch, _SQL["load_replays"], facts)


def hold_log_beginning(connection: Connection, owner_id: UUID, first_line: str) -> None:
    """Until the transaction ends, nobody else lands a log of the account whose first line has that hash."""
    connection.execute(_SQL["hold_log_beginning"], {"tenant": owner_id, "first_line": first_line})


def delete_measured(connection: Connection, owner_id: UUID, days: Sequence[date]) -> None:
    """Nothing measured is left of the account's UTC days: no download, no rollup, no verdict."""
    if not days:
        return
    facts = {
        "tenant": owner_id,
        "days": list(days),
        "metrics": list(MEASURES),
        "start_at": start_of_day(min(days)),
        "end_at": start_of_day(max(days) + timedelta(days=1)),
    }
    for name in ("delete_downloads", "delete_hourly_metrics", "delete_daily_metrics", "delete_verdicts"):
        save(connection, _SQL[name], facts)


def delete_downloads(connection: Connection, owner_id: UUID, ids: Sequence[UUID], period: Period) -> int:
    """How many of the downloads with these ids were in the period; they are gone."""
    facts = {"tenant": owner_id, "ids": list(ids), "start_at": period.start_at, "end_at": period.end_at}
    return save(connection, _SQL["delete_some_downloads"], facts) if ids else 0


def delete_rows(connection: Connection, owner_id: UUID, table: KeyedTable, keys: Mapping[str, Sequence[object]]) -> int:
    """How many rows of the account had one of the keys, a list per column; they are gone."""
    facts = {name: list(values) for name, values in keys.items()}
    return save(connection, _SQL[_DELETES[table]], facts | {"tenant": owner_id})


def name_last_run(connection: Connection, owner_id: UUID, run_id: UUID, day: date) -> None:
    """The run is the last that measured the day, whatever it wrote of it."""
    save(connection, _SQL["name_last_run"], {"tenant": owner_id, "run_id": run_id, "day_on": day})


def save_verdicts(connection: Connection, owner_id: UUID, run_id: UUID, rows: Sequence[VerdictRow]) -> int:
    """How many rows were written."""
    columns = {name: [getattr(row, name) for row in rows] for name in VerdictRow.__dataclass_fields__}
    columns["count"] = columns.pop("request_count")
    return save_verdict_counts(connection, owner_id, run_id, columns)


def save_verdict_counts(
    connection: Connection, owner_id: UUID, run_id: UUID, columns: Mapping[str, Sequence[object]]
) -> int:
    """How many rows were written; the columns are those of VerdictRow, with `count` for the requests."""
    facts = {name: list(values) for name, values in columns.items()}
    return save(connection, _SQL["save_verdicts"], facts | {"tenant": owner_id, "run_id": run_id})


def copy_rows(
    connection: Connection,
    table: Series | Partition,
    columns: Sequence[str],
    content: bytes | Iterable[bytes | memoryview],
    *,
    form: CopyForm = "csv",
) -> int:
    """How many rows of the content, whole or in pieces, went into the table.

    The rows' partitions stand already (castline.store.timeseries.ensure_partitions), or the table is one that
    `begin_partitions` made in this transaction; the caller's transaction acts in the ingest role, which row-level
    security does not cover on event tables: the rows must be the account's own.
    """
    # Without `freeze`, though nobody sees a fresh table yet: once attached, its rows would show in snapshots that were
    # opened before, and what they tell of one moment would be of two.
    statement = sql.SQL("copy {} ({}) from stdin (format {})").format(
        sql.Identifier(table.name if isinstance(table, Partition) else table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(form),
    )
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in [content] if isinstance(content, bytes) else content:
                copy.write(piece)
        return cursor.rowcount


@contextmanager
def copying_rows(
    connection: Connection,
    columns: Sequence[str],
    parts: Iterable[RowsOfTable],
) -> Iterator[None]:
    """Tables and their rows, pieces in binary form, are made and copied in threads while the body runs; then they are
    there.

    The body must leave the connection alone. Each piece is made while the server reads the one before it.
    """

    def copy() -> None:
        for table, pieces in parts:
            with closing(read_ahead(pieces)) as made:
                copy_rows(connection, table, columns, made, form="binary")

    with ThreadPoolExecutor(1, "copy") as thread:
        copied = thread.submit(copy)
        try:
            yield
        finally:
            wait([copied])
        copied.result()


def _days_of(period: Period) -> dict[str, object]:
    last_at = period.end_at.astimezone(UTC) - timedelta(microseconds=1)
    return {"first_on": period.start_at.astimezone(UTC).date(), "last_on": last_at.date()}
