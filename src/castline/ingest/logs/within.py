"""Logs that are the beginning of one which was imported before: a copy of noon that comes after the day's whole log.

The ledger has the hash of the whole and not of every part, so the lines themselves are compared: each request with what
the longer log has landed of the line of that number, at first or on a second try, and each refused line with the text
that the longer one's refused line of that number has. Whatever cannot be compared is no copy, and lands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import polars as pl

from castline.ingest.logs.growth import LogName, Looked
from castline.model.lineage import Batch
from castline.sources.logs.file import LogFile
from castline.store.landing.files import Landing, LandingFileMissing, load_requests
from castline.store.listening.downloads import LOG_KIND, load_log_beginnings, load_log_chain, load_replays
from castline.store.pool import Connection
from castline.store.provenance.ledger import RefusedLine, load_refused_lines

# What the log itself says; country and network come from tables, which may be newer.
_COMPARED: Final = (
    "line_number", "time", "listener_key", "user_agent", "method", "status", "range", "bytes_sent", "host", "path",
    "referer", "request_id", "delivery",
)  # fmt: skip
_NO_END: Final = 2**32 - 1  # the highest line number that the landing zone can hold


@dataclass(frozen=True, slots=True)
class ReadLog:
    """A log that was read and is not landed yet: its requests behind what was `looked` up lie in the draft."""

    file: LogFile
    name: LogName
    landing: Landing
    refused: pl.DataFrame
    first_at: datetime | None
    looked: Looked


@dataclass(frozen=True, slots=True)
class _Whole:
    """A log as the ledger has it: its batches, the newest first, and the last line of each that is the log's."""

    batches: Sequence[Batch]
    last_lines: Sequence[int]

    def has_lines(self, batch_id: UUID, line_number: int) -> bool:
        """Whether the batch's lines are the log's, up to that one."""
        return any(
            batch.batch_id == batch_id and line_number <= last
            for batch, last in zip(self.batches, self.last_lines, strict=True)
        )


def find_longer(connection: Connection, owner_id: UUID, landing_dir: Path, log: ReadLog) -> Looked | None:
    """The longer log whose beginning this one is, with as many lines as this one has; None where there is none."""
    if not log.landing.parts:  # no request to compare: rubbish alone says too little of where it is from
        return None
    known = load_log_beginnings(connection, owner_id, log.name.first_line, log.name.source)
    by_id = {batch.batch_id: batch for batch in known}
    for batch in known:
        _complete_chain(connection, owner_id, batch, by_id)
        whole = _whole_of(batch, by_id)
        if _is_likely(log, whole) and _is_within(connection, owner_id, landing_dir, log, whole):
            return Looked(batch.batch_id, log.file.whole_lines.count, frozenset(by_id))
    return None


def _complete_chain(connection: Connection, owner_id: UUID, batch: Batch, by_id: dict[UUID, Batch]) -> None:
    """`by_id` has all that the batch continues: a log may have come in more steps than are looked at."""
    while (before := batch.metadata.get("continues")) is not None:
        if UUID(before) not in by_id:
            chain = load_log_chain(connection, owner_id, UUID(before))
            by_id.update({one.batch_id: one for one in chain})
            return
        batch = by_id[UUID(before)]


def _whole_of(batch: Batch, by_id: Mapping[UUID, Batch]) -> _Whole:
    """The batch and all that it continues, each up to the line behind which the next one goes on."""
    batches, last_lines = [batch], [_NO_END]
    while (before := batches[-1].metadata.get("continues")) and (found := by_id.get(UUID(before))) is not None:
        last_lines.append(min(last_lines[-1], int(batches[-1].metadata["continues_after"])))
        batches.append(found)
    return _Whole(batches, last_lines)


def _is_likely(log: ReadLog, whole: _Whole) -> bool:
    newest, oldest = whole.batches[0], whole.batches[-1]
    if int(newest.metadata["lines"]["bytes"]) <= log.file.whole_lines.byte_count:
        return False
    if log.looked.batch_id is not None:  # what stands before the draft has to be the longer one's, too
        return whole.has_lines(log.looked.batch_id, log.looked.line_count)
    # The first request may be one that the longer log's import had refused.
    return oldest.first_at == log.first_at or oldest.refused_count > 0


def _is_within(connection: Connection, owner_id: UUID, landing_dir: Path, log: ReadLog, whole: _Whole) -> bool:
    ids = [batch.batch_id for batch in whole.batches]
    refused = {
        line.line_number: line
        for line in load_refused_lines(connection, owner_id, ids, log.file.whole_lines.count + 1)
        if whole.has_lines(line.batch_id, line.line_number)
    }
    if not _has_refused(log, refused):
        return False
    runs = {line.replayed_by for line in refused.values() if line.replayed_by is not None}
    replays = load_replays(connection, owner_id, runs) if runs else []
    try:
        for day, draft in log.landing.iter_draft():
            landed = load_requests(landing_dir, owner_id, LOG_KIND, [*whole.batches, *replays], {day})
            same = _lines_of(landed, whole, refused)
            if not draft.select(_COMPARED).join(same, on=_COMPARED, how="anti", nulls_equal=True).is_empty():
                return False
    except LandingFileMissing:  # its requests passed their retention: nobody can tell
        return False
    return True


def _has_refused(log: ReadLog, refused: Mapping[int, RefusedLine]) -> bool:
    """Whether the log's refused lines are the longer one's.

    A log that was copied while it was written may end within a line: where the longer one has refused that line, it
    begins so; where it has a request there, nothing of its text is kept.
    """
    half_line = log.file.whole_lines.count + 1 if log.file.open_bytes else None
    for number, payload in log.refused.select("line_number", "payload").iter_rows():
        known = refused.get(number)
        if number == half_line:
            if known is not None and not known.payload.startswith(payload):
                return False
        elif known is None or known.payload != payload:
            return False
    return True


def _lines_of(landed: pl.DataFrame, whole: _Whole, refused: Mapping[int, RefusedLine]) -> pl.DataFrame:
    """The requests among `landed` that are lines of the whole log; of replays, those that it had refused."""
    last = pl.DataFrame(
        {"batch": range(len(whole.batches)), "last_line": whole.last_lines},
        schema={"batch": pl.UInt32(), "last_line": pl.UInt32()},
    )
    own = landed.join(last, on="batch").filter(pl.col("line_number") <= pl.col("last_line"))
    replayed = landed.filter(pl.col("batch") >= len(whole.batches), pl.col("line_number").is_in(list(refused)))
    return pl.concat([own.select(_COMPARED), replayed.select(_COMPARED)])
