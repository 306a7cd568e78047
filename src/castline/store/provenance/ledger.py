"""The run ledger: a run, its data and its counts are one transaction, or nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Final, Literal
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline import __version__
from castline.base.clock import now
from castline.base.errors import CastlineError
from castline.base.text import printable
from castline.model.lineage import Batch, DatasetUse, Drop, Quarantined, Run
from castline.store.pool import RowsBusy, Store
from castline.store.rows import find_one, load_all, load_scalars, save, save_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("ledger")
_PAYLOAD_LENGTH: Final = 65_536
_ERROR_LENGTH: Final = 2_000
_MOST_USES: Final = 100  # of one data set by one run
_DROPS_AT_ONCE: Final = 1_000  # at the longest, some 64 MB


@dataclass(frozen=True, slots=True)
class RefusedRows:
    """Rows of one source that were refused for one reason; `detail` says of the newest of them what was wrong."""

    reason: str
    kind: str
    source: str
    row_count: int
    newest_at: datetime
    detail: str


@dataclass(slots=True)
class OpenRun:
    """A run under way: its connection is the transaction that its data, counts and uses commit in."""

    run_id: UUID
    owner_id: UUID
    job: str
    connection: Connection
    counts: dict[str, int] = field(default_factory=dict)
    rule_versions: dict[str, str] = field(default_factory=dict)
    uses: list[DatasetUse] = field(default_factory=list)
    watermark_at: object = None

    def count(self, name: str, more: int = 1) -> None:
        """The run's count of `name` is higher by `more`."""
        self.counts[name] = self.counts.get(name, 0) + more


@contextmanager
def open_run(
    store: Store,
    owner_id: UUID,
    job: str,
    *,
    role: Literal["app", "ingest"] = "ingest",
    parameters: Mapping[str, object] | None = None,
) -> Iterator[OpenRun]:
    """A run that commits with all that is written through its connection, or leaves a failed row with the reason."""
    started_at, run_id = now(), uuid4()
    facts = {
        "run_id": run_id,
        "tenant": owner_id,
        "job": job,
        "code_version": __version__,
        "parameters": Jsonb(dict(parameters or {})),
    }
    transaction = store.ingest if role == "ingest" else store.account
    try:
        with transaction(owner_id) as connection:
            save(connection, _SQL["start_run"], facts)
            run = OpenRun(run_id, owner_id, job, connection)
            yield run
            _finish(run)
    except RowsBusy:
        raise  # it was not begun, and is tried again
    except Exception as error:
        told = error.message if isinstance(error, CastlineError) else printable(f"{type(error).__name__}: {error}")
        _record_failure(store, owner_id, facts | {"error": told[:_ERROR_LENGTH], "started_at": started_at})
        raise


def _finish(run: OpenRun) -> None:
    uses = ({"run_id": run.run_id} | _use_facts(use) for use in condense_uses(run.uses))
    save_all(run.connection, _SQL["save_dataset_use"], uses)
    save(
        run.connection,
        _SQL["finish_run"],
        {
            "run_id": run.run_id,
            "tenant": run.owner_id,
            "counts": Jsonb(run.counts),
            "rule_versions": Jsonb(run.rule_versions),
            "watermark_at": run.watermark_at,
        },
    )


def condense_uses(uses: Sequence[DatasetUse]) -> Iterator[DatasetUse]:
    """The uses; where they are very many parts of one data set, one of them all, with a hash over theirs.

    A day of the intake has thousands of batches and is measured thousands of times. Which of them a figure rests on
    stands in the rows that were written; what a run read as a whole can still be told from its hash.
    """
    groups: dict[tuple[Literal["input", "output"], str], list[DatasetUse]] = {}
    for use in uses:
        groups.setdefault((use.direction, use.dataset), []).append(use)
    for (direction, dataset), members in groups.items():
        if len(members) <= _MOST_USES:
            yield from members
            continue
        parts = sorted(f"{use.reference} {use.row_count} {(use.content_hash or b'').hex()}" for use in members)
        yield DatasetUse(
            direction,
            dataset,
            f"{len(members)} parts",
            sum(use.row_count for use in members),
            sha256("\n".join(parts).encode()).digest(),
            min((use.range_start for use in members if use.range_start), default=None),
            max((use.range_end for use in members if use.range_end), default=None),
        )


def _use_facts(use: DatasetUse) -> dict[str, object]:
    return {name: getattr(use, name) for name in DatasetUse.__dataclass_fields__}


def _record_failure(store: Store, owner_id: UUID, facts: Mapping[str, object]) -> None:
    try:
        with store.account(owner_id) as connection:
            save(connection, _SQL["save_failed_run"], facts)
    except CastlineError:
        # The database that failed the run cannot take the note of it either; the caller sees the first error.
        return


def find_batch(connection: Connection, owner_id: UUID, kind: str, content_hash: bytes) -> Batch | None:
    """The batch that the same content already became, None if it is new."""
    return find_one(
        connection,
        Batch,
        _SQL["find_batch_by_content"],
        {"tenant": owner_id, "kind": kind, "content_hash": content_hash},
    )


def load_batches(connection: Connection, owner_id: UUID) -> list[Batch]:
    """Every batch of the account, newest first."""
    return load_all(connection, Batch, _SQL["load_batches"], {"tenant": owner_id})


def save_batch(run: OpenRun, batch: Batch, drops: Iterable[Drop] = ()) -> None:
    """The batch and its refused rows are part of the run."""
    facts = {name: getattr(batch, name) for name in Batch.__dataclass_fields__}
    save(run.connection, _SQL["save_batch"], facts | {"tenant": run.owner_id, "metadata": Jsonb(batch.metadata)})
    save_drops(run, batch.batch_id, drops)


def save_drops(run: OpenRun, batch_id: UUID, drops: Iterable[Drop]) -> None:
    """The refused rows lie in quarantine with their reasons; a payload is kept up to 64 KiB, without NUL bytes."""
    waiting = iter(drops)
    while rows := list(islice(waiting, _DROPS_AT_ONCE)):
        facts = {
            "tenant": run.owner_id,
            "batch_id": batch_id,
            "line_numbers": [drop.line_number for drop in rows],
            "reasons": [drop.reason for drop in rows],
            "details": [drop.detail[:1000].replace("\0", "\N{REPLACEMENT CHARACTER}") for drop in rows],
            "payloads": [drop.payload[:_PAYLOAD_LENGTH].replace("\0", "\N{REPLACEMENT CHARACTER}") for drop in rows],
        }
        save(run.connection, _SQL["save_drops"], facts)


def load_quarantine(
    connection: Connection, owner_id: UUID, *, include_replayed: bool = False, row_limit: int = 1000
) -> list[Quarantined]:
    """Refused rows of the account, newest first."""
    facts = {"tenant": owner_id, "include_replayed": include_replayed, "row_limit": row_limit}
    return load_all(connection, Quarantined, _SQL["load_quarantine"], facts)


def count_quarantine(connection: Connection, owner_id: UUID) -> dict[str, int]:
    """How many refused rows wait, by reason."""
    rows = connection.execute(_SQL["count_quarantine"], {"tenant": owner_id}).fetchall()
    return {str(reason): int(row_count) for reason, row_count in rows}


def summarise_quarantine(connection: Connection, owner_id: UUID) -> list[RefusedRows]:
    """Refused rows that wait, by reason, kind and source, the most first."""
    return load_all(connection, RefusedRows, _SQL["summarise_quarantine"], {"tenant": owner_id})


def load_waiting_lines(connection: Connection, owner_id: UUID, batch_id: UUID) -> dict[int, UUID]:
    """The refused lines of a file that were not replayed, ascending, and which batch each is of.

    The file is the batch's; where that continues others, it begins with theirs.
    """
    rows = connection.execute(_SQL["load_waiting_lines"], _batch(owner_id, batch_id)).fetchall()
    return {int(line): batch for batch, line in rows}


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A refused line of a batch, its text as it is kept, and the run in which it went through after all."""

    batch_id: UUID
    line_number: int
    payload: str
    replayed_by: UUID | None


def load_refused_lines(
    connection: Connection, owner_id: UUID, batch_ids: Sequence[UUID], last_line: int
) -> list[RefusedLine]:
    """The refused lines of the batches up to `last_line`, replayed or not, in no order."""
    facts = {"tenant": owner_id, "batch_ids": list(batch_ids), "last_line": last_line}
    return load_all(connection, RefusedLine, _SQL["load_refused_lines"], facts)


def mark_lines_replayed(run: OpenRun, batch_id: UUID, line_numbers: Sequence[int]) -> list[int]:
    """The refused lines of the batch went through in this run; returns those that had not before."""
    facts = _batch(run.owner_id, batch_id) | {"run_id": run.run_id, "line_numbers": list(line_numbers)}
    return [int(str(line)) for line in load_scalars(run.connection, _SQL["mark_lines_replayed"], facts)]


def _batch(owner_id: UUID, batch_id: UUID) -> dict[str, object]:
    return {"tenant": owner_id, "batch_id": batch_id}


def mark_replayed(run: OpenRun, quarantine_id: UUID) -> None:
    """The refused row went through in this run."""
    facts = {"tenant": run.owner_id, "run_id": run.run_id, "quarantine_id": quarantine_id}
    save(run.connection, _SQL["mark_replayed"], facts)


def load_runs(connection: Connection, owner_id: UUID, *, row_limit: int = 100) -> list[Run]:
    """The account's runs, newest first."""
    return load_all(connection, Run, _SQL["load_runs"], {"tenant": owner_id, "row_limit": row_limit})


def load_dataset_uses(connection: Connection, owner_id: UUID, run_ids: Iterable[UUID]) -> list[DatasetUse]:
    """What the runs read and wrote."""
    facts = {"tenant": owner_id, "run_ids": list(run_ids)}
    return load_all(connection, DatasetUse, _SQL["load_dataset_uses"], facts)
