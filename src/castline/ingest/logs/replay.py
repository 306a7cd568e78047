"""Refused lines of an imported log, tried again: in another format, or by a castline that reads more.

The quarantine keeps a line's text with its address cut, so the log itself is read once more. Only lines that wait are
taken from it; they become a batch of their own. Method: docs/how-to/quarantine.md
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.ahead import read_ahead
from castline.base.clock import now
from castline.base.errors import Conflict
from castline.ingest.logs.landing import LogImport, Reading, Tally, import_opened, make_batch
from castline.ingest.logs.locator import Locator
from castline.ingest.logs.opened import OpenedLog, open_log
from castline.model.lineage import Batch, DatasetUse
from castline.sources.logs.file import LogFile
from castline.sources.logs.reading import iter_requests
from castline.store.landing.files import Landing, open_landing
from castline.store.listening.downloads import LOG_KIND, mark_dirty_days
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, load_waiting_lines, mark_lines_replayed, open_run, save_batch

_JOB: Final = "log.import"


def import_again(store: Store, owner_id: UUID, path: Path, reading: Reading) -> LogImport:
    """The log is imported, and its refused lines have been tried once more, those of the file that was opened.

    Raises NotAnAccessLog, SourceUnreadable, Conflict.
    """
    done: LogImport | None = None
    while done is None:
        with open_log(path, reading.read_as.log_format) as log:
            done = import_opened(store, owner_id, log, reading)
            if done is not None:
                done = replay_log(store, owner_id, log, reading, done)
    return done


def replay_log(store: Store, owner_id: UUID, log: OpenedLog, reading: Reading, known: LogImport) -> LogImport:
    """Lines of the log that were refused and are requests now have landed; `known` itself where there are none.

    They are those of `known`, unless it was imported just now, and of all that it continues; what landed just now is
    told with them. Their days wait to be measured. Of a log that is emptied meanwhile nothing is taken: its lines have
    other numbers. Raises NotAnAccessLog, SourceUnreadable, Conflict.
    """
    file, tally = log.read_anew(), Tally()
    with store.account(owner_id) as connection:
        waiting = load_waiting_lines(connection, owner_id, known.batch_id)
    if known.is_new:  # its lines were tried as they would be now
        waiting = {line: batch_id for line, batch_id in waiting.items() if batch_id != known.batch_id}
    if not waiting:
        return known
    lines: list[int] = []
    with open_landing(store.settings.landing_dir, owner_id, LOG_KIND) as landing:
        with closing(_iter_waiting(store, owner_id, file, reading, list(waiting))) as found:
            for requests in found:
                landing.add(requests)
                tally.add(requests)
                lines += requests["line_number"].to_list()
        if not lines or log.was_emptied_under(file):
            return known
        with open_run(store, owner_id, _JOB, parameters={**reading.parameters(file), "again": True}) as run:
            replayed = _mark_replayed(run, lines, waiting, reading.source)
            batch = make_batch(run, reading.source, _name_content(file, lines), tally, landing)
            batch.metadata.update(host=reading.assumed.host, format=file.format_name, replay_of=replayed)
            landing.publish(batch.batch_id)
            _save(run, batch, landing)
    return _result(known, batch, {part.day_on for part in landing.parts})


def _result(known: LogImport, batch: Batch, days: set[date]) -> LogImport:
    """What landed: the replayed lines alone, or with an import of just now."""
    done = replace(known, is_new=True, log_format=batch.metadata["format"])
    if known.is_new:
        return replace(
            done,
            received_count=known.received_count + batch.received_count,
            landed_count=known.landed_count + batch.accepted_count,
            first_at=min(filter(None, (known.first_at, batch.first_at)), default=None),
            last_at=max(filter(None, (known.last_at, batch.last_at)), default=None),
            days=tuple(sorted(days.union(known.days))),
        )
    return replace(
        done,
        batch_id=batch.batch_id,
        received_count=batch.received_count,
        landed_count=batch.accepted_count,
        refused_count=0,
        refused_by_reason={},
        first_at=batch.first_at,
        last_at=batch.last_at,
        days=tuple(sorted(days)),
    )


def _mark_replayed(run: OpenRun, lines: Sequence[int], waiting: Mapping[int, UUID], source: str) -> str:
    """The lines do not wait any more; returns the ids of their batches. Raises Conflict."""
    by_batch: dict[UUID, list[int]] = {}
    for line in sorted(lines):
        by_batch.setdefault(waiting[line], []).append(line)
    for batch_id, some in by_batch.items():
        if len(mark_lines_replayed(run, batch_id, some)) < len(some):
            raise Conflict(noun="replay of", key=source, detail="another process takes its lines")
    return ", ".join(map(str, by_batch))


def _iter_waiting(
    store: Store, owner_id: UUID, file: LogFile, reading: Reading, waiting: list[int]
) -> Generator[pl.DataFrame, None, None]:
    locator = Locator(store.settings, owner_id, reading.assumed)
    lines = pl.DataFrame({"line_number": waiting}, schema={"line_number": pl.UInt32()})
    with closing(read_ahead(iter_requests(file, now_at=now(), read_as=reading.read_as))) as blocks:
        for block in blocks:
            requests, _ = locator.locate(block)
            yield requests.join(lines, on="line_number", how="semi", maintain_order="left")


def _name_content(file: LogFile, lines: Sequence[int]) -> bytes:
    """What the lines of the file are, hashed: the same lines tried again are the same batch."""
    return sha256(file.content_hash + ",".join(map(str, sorted(lines))).encode()).digest()


def _save(run: OpenRun, batch: Batch, landing: Landing) -> None:
    save_batch(run, batch)
    mark_dirty_days(run.connection, run.owner_id, sorted({part.day_on for part in landing.parts}))
    run.count("received", batch.received_count)
    run.count("landed", batch.accepted_count)
    span = (batch.first_at, batch.last_at)
    run.uses = [
        DatasetUse("input", "access_log", batch.source, batch.received_count, batch.content_hash, *span),
        DatasetUse("output", "landing_requests", str(batch.batch_id), batch.accepted_count, None, *span),
    ]
    run.watermark_at = batch.last_at
