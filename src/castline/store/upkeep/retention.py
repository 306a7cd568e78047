"""What has passed its retention goes: whole partitions, rows in batches, files of the landing zone.

The rules are the catalogue's. Each step is one transaction that also writes the step into the ledger of every account
whose rows went, so a kill between two steps loses nothing and doubles nothing: the next run goes on from there.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline import __version__
from castline.base.clock import now
from castline.base.period import start_of_day
from castline.catalogue.tables import Table, parents_first
from castline.store.landing.aged_files import iter_landed_files, remove_file
from castline.store.pool import Store
from castline.store.rows import save
from castline.store.sql import load_sql
from castline.store.upkeep.retained_rows import (
    BATCH_ROWS,
    Gone,
    compute_cutoff,
    count_expired,
    delete_batch,
    drop_expired_partition,
    list_expired_partitions,
    measure_partition,
)

JOB: Final = "retention.apply"
LANDING: Final = "landing zone"
LANDING_KEPT: Final = timedelta(days=90)  # as raw listener events: the landing zone is their rawest form
_LEDGER: Final = load_sql("ledger")


@dataclass(frozen=True, slots=True)
class Expired:
    """One thing past its retention: a partition, the rows of a table, or the files of one day in the landing zone.

    What it holds lies between `first_at` and `last_at`; both are None where it holds nothing.
    """

    table: str
    part: str
    row_count: int
    first_at: datetime | None
    last_at: datetime | None


def find_expired(store: Store, *, at: datetime | None = None) -> list[Expired]:
    """What `apply_retention` would take away at that moment, children before parents; nothing has changed."""
    at = at or now()
    found: list[Expired] = []
    with store.owner() as connection:
        found.extend(
            Expired(partition.table, partition.name, *measure_partition(connection, partition))
            for partition in list_expired_partitions(connection, at)
        )
    for table in _tables_by_rows():
        with store.system() as connection:
            row_count, first_at, last_at = count_expired(connection, table, at)
        if row_count:
            found.append(Expired(table.name, "rows", row_count, first_at, last_at))
    return found + [_describe_day(day, files) for day, files in _expired_files(store, at)]


def apply_retention(store: Store, *, at: datetime | None = None) -> list[Expired]:
    """Everything past its retention is gone; returns what went. May be killed at any moment and run twice at once."""
    at = at or now()
    return [*_drop_partitions(store, at), *_delete_rows(store, at), *_remove_files(store, at)]


def _drop_partitions(store: Store, at: datetime) -> Iterator[Expired]:
    with store.owner() as connection:
        due = list_expired_partitions(connection, at)
    for partition in due:
        with store.owner() as connection:
            dropped = drop_expired_partition(connection, partition)
            if dropped is not None:
                _record(connection, partition.table, partition.name, dropped[1])
        if dropped is not None:
            yield Expired(partition.table, partition.name, *dropped[0])


def _delete_rows(store: Store, at: datetime) -> Iterator[Expired]:
    for table in _tables_by_rows():
        row_count = 0
        while True:
            with store.system() as connection:
                more, gone, files = delete_batch(connection, table, at)
                for file in files:
                    # Before the commit: a row without its file is found again, a file without its row never is.
                    _remove_report(store, file)
                _record(connection, table.name, "rows", gone)
            row_count += more
            if more < BATCH_ROWS:
                break
        if row_count:
            yield Expired(table.name, "rows", row_count, None, compute_cutoff(table, at))


def _remove_files(store: Store, at: datetime) -> Iterator[Expired]:
    for day, files in _expired_files(store, at):
        described = _describe_day(day, files)
        for file in files:
            remove_file(file, store.settings.landing_dir)
        yield described


def _tables_by_rows() -> list[Table]:
    return [table for table in reversed(parents_first()) if table.retention.how == "rows"]


def _expired_files(store: Store, at: datetime) -> list[tuple[date, list[Path]]]:
    by_day: dict[date, list[Path]] = defaultdict(list)
    for path, day in iter_landed_files(store.settings.landing_dir):
        if start_of_day(day + timedelta(days=1)) <= at - LANDING_KEPT:
            by_day[day].append(path)
    return sorted(by_day.items())


def _describe_day(day: date, files: list[Path]) -> Expired:
    first_at = start_of_day(day)
    return Expired(LANDING, str(day), len(files), first_at, first_at + timedelta(days=1))


def _remove_report(store: Store, file_url: str) -> None:
    """The file is gone if it is one that castline keeps; what somebody built into a folder of their own stays there."""
    path = Path(unquote(urlsplit(file_url).path))
    if path.is_absolute() and store.settings.data_dir in path.parents:
        path.unlink(missing_ok=True)


def _record(connection: Connection, table: str, part: str, gone: Gone) -> None:
    """The ledger of each account says how many of its rows went; part of the transaction that took them."""
    nothing = {"content_hash": None, "range_start": None, "range_end": None}
    for owner_id, row_count in gone.items():
        facts: dict[str, object] = {
            "run_id": uuid4(),
            "tenant": owner_id,
            "job": JOB,
            "code_version": __version__,
            "parameters": Jsonb({"table": table, "part": part}),
            "counts": Jsonb({"deleted": row_count}),
            "rule_versions": Jsonb({}),
            "watermark_at": None,
        }
        use = {"direction": "output", "dataset": table, "reference": part, "row_count": row_count}
        save(connection, _LEDGER["start_run"], facts)
        save(connection, _LEDGER["save_dataset_use"], facts | nothing | use)
        save(connection, _LEDGER["finish_run"], facts)
