"""Logs that are the beginning of one which was imported before: a copy of noon that comes after the day's whole log.

The ledger has the hash of the whole and not of every part, so the lines themselves are compared: each request with what
the longer log has landed of the line of that number, each refused line with the longer one's refused lines. Only a log
that begins with the same line, is longer and begins at the same time is looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import polars as pl

from castline.ingest.logs.growth import LogName, Looked
from castline.model.lineage import Batch
from castline.sources.logs.file import LogFile
from castline.store.landing.files import Landing, LandingFileMissing, load_requests
from castline.store.listening.downloads import LOG_KIND, load_log_beginnings
from castline.store.pool import Connection
from castline.store.provenance.ledger import load_waiting_lines

# What the log itself says; country and network come from tables, which may be newer.
_COMPARED = (
    "line_number", "time", "listener_key", "user_agent", "method", "status", "range", "bytes_sent", "host", "path",
    "referer", "request_id", "delivery",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReadLog:
    """A log that was read and is not landed yet: its requests lie in the draft; it continues the batch `after`."""

    file: LogFile
    name: LogName
    landing: Landing
    refused_lines: Sequence[int]
    first_at: datetime | None
    after: UUID | None


def find_longer(connection: Connection, owner_id: UUID, landing_dir: Path, log: ReadLog) -> Looked | None:
    """The longer log whose beginning this one is, with as many lines as this one has; None where there is none."""
    if not log.landing.parts and not log.refused_lines:
        return None
    known = load_log_beginnings(connection, owner_id, log.name.first_line, log.name.source)
    by_id = {batch.batch_id: batch for batch in known}
    for batch in known:
        chain = _chain_of(batch, by_id)
        if _is_likely(log, batch, chain) and _is_within(connection, owner_id, landing_dir, log, chain):
            return Looked(batch.batch_id, log.file.whole_lines.count, frozenset(by_id))
    return None


def _chain_of(batch: Batch, by_id: Mapping[UUID, Batch]) -> list[Batch]:
    """The batch and all that it continues, the newest first."""
    chain = [batch]
    while (before := chain[-1].metadata.get("continues")) and (found := by_id.get(UUID(before))) is not None:
        chain.append(found)
    return chain


def _is_likely(log: ReadLog, batch: Batch, chain: Sequence[Batch]) -> bool:
    if int(batch.metadata["lines"]["bytes"]) <= log.file.whole_lines.byte_count:
        return False
    return chain[-1].first_at == log.first_at or log.after in {one.batch_id for one in chain}


def _is_within(connection: Connection, owner_id: UUID, landing_dir: Path, log: ReadLog, chain: Sequence[Batch]) -> bool:
    # The last line of a log that was copied while it was written may be half of one.
    last_line = log.file.whole_lines.count
    waiting = load_waiting_lines(connection, owner_id, chain[0].batch_id)
    if any(line <= last_line and line not in waiting for line in log.refused_lines):
        return False
    try:
        for day, draft in log.landing.iter_draft():
            landed = load_requests(landing_dir, owner_id, LOG_KIND, chain, {day}).select(_COMPARED)
            whole = draft.filter(pl.col("line_number") <= last_line).select(_COMPARED)
            if not whole.join(landed, on=_COMPARED, how="anti", nulls_equal=True).is_empty():
                return False
    except LandingFileMissing:  # its requests passed their retention: nobody can tell
        return False
    return True
