"""Logs that grow between two imports: what was imported of them stays, and only what came behind it is read.

Such a log is known by its content, whatever its name and compression: by its first line, and then by the hash of as
many bytes as an earlier import had whole lines of. Method: docs/how-to/import-logs.md
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from castline.ingest.logs.opened import OpenedLog
from castline.model.lineage import Batch
from castline.sources.logs.file import LogFile
from castline.store.listening.downloads import load_log_beginnings
from castline.store.pool import Connection


@dataclass(frozen=True, slots=True)
class LogName:
    """What a log is looked for by: the open file, what the ledger calls it, and the hash of its first line."""

    log: OpenedLog
    source: str
    first_line: str

    @classmethod
    def of(cls, log: OpenedLog, source: str) -> Self:
        """The name of the log. Raises SourceUnreadable."""
        return cls(log, source, sha256(log.read_anew().read_first_line()).hexdigest())


@dataclass(frozen=True, slots=True)
class Looked:
    """What was imported of a log: so many lines, the last of them with that batch; None and 0 for a new one.

    `open_lines` were refused because the log ended within them; the file at hand has more of them, by batch.
    """

    batch_id: UUID | None
    line_count: int
    seen: frozenset[UUID]
    open_lines: Mapping[UUID, int] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, object]:
        """What the batch of the rest keeps of it."""
        return {"continues": str(self.batch_id), "continues_after": self.line_count} if self.batch_id else {}


def describe_content(name: LogName, file: LogFile, refused_lines: Collection[int]) -> Mapping[str, object]:
    """What the batch of a file that was read keeps, so that its continuation is known.

    A last line without a line feed is read again with the rest, unless it was a request already.
    """
    lines = file.whole_lines
    if not lines.count:
        return {}
    is_request = file.open_bytes > 0 and lines.count + 1 not in refused_lines
    told = {
        "count": lines.count + is_request,
        "bytes": lines.byte_count,
        "hash": lines.digest.hex(),
        "open_bytes": file.open_bytes,
        "is_open_read": is_request,
    }
    return {"first_line": name.first_line, "lines": told}


def look_for_beginning(connection: Connection, owner_id: UUID, name: LogName) -> Looked:
    """The longest part of the file that was imported before. Raises SourceUnreadable."""
    return _look(name, _load_known(connection, owner_id, name))


def is_overtaken(connection: Connection, owner_id: UUID, name: LogName, looked: Looked) -> bool:
    """Whether a longer part of the file has been imported since it was looked for, or the part was withdrawn.

    Raises SourceUnreadable.
    """
    known = _load_known(connection, owner_id, name)
    if looked.batch_id is not None and looked.batch_id not in {batch.batch_id for batch in known}:
        return True
    if all(batch.batch_id in looked.seen for batch in known):
        return False
    again = _look(name, known)
    return again.line_count > looked.line_count or again.open_lines.keys() > looked.open_lines.keys()


def _load_known(connection: Connection, owner_id: UUID, name: LogName) -> list[Batch]:
    return load_log_beginnings(connection, owner_id, name.first_line, name.source)


def _look(name: LogName, known: Sequence[Batch]) -> Looked:
    seen = frozenset(batch.batch_id for batch in known)
    sizes = {size for batch in known for size in (_size_of(batch), _size_of(batch) + _open_of(batch))}
    hashes = dict(name.log.read_anew().iter_hashes(sizes)) if sizes else {}
    begun = [batch for batch in known if _fits(batch, hashes)]
    longest = max(begun, key=lambda batch: _count_of(batch, hashes), default=None)
    if longest is None:
        return Looked(None, 0, seen)
    count = _count_of(longest, hashes)
    open_lines = {batch.batch_id: _count_of(batch, hashes) + 1 for batch in begun if _is_refused_open(batch, hashes)}
    return Looked(longest.batch_id, count, seen, open_lines)


def _fits(batch: Batch, hashes: Mapping[int, bytes]) -> bool:
    found = hashes.get(_size_of(batch))
    return found is not None and found.hex() == _lines_of(batch)["hash"]


def _goes_on(batch: Batch, hashes: Mapping[int, bytes]) -> bool:
    """Whether the file has what stood behind the batch's last line feed, too."""
    return "open_bytes" not in _lines_of(batch) or hashes.get(_size_of(batch) + _open_of(batch)) == batch.content_hash


def _count_of(batch: Batch, hashes: Mapping[int, bytes]) -> int:
    """The batch's lines that the file has; an open line that was read is another one where the file differs in it."""
    lines = _lines_of(batch)
    return int(lines["count"]) - (bool(lines.get("is_open_read")) and not _goes_on(batch, hashes))


def _is_refused_open(batch: Batch, hashes: Mapping[int, bytes]) -> bool:
    return _open_of(batch) > 0 and not _lines_of(batch)["is_open_read"] and _goes_on(batch, hashes)


def _size_of(batch: Batch) -> int:
    return int(_lines_of(batch)["bytes"])


def _open_of(batch: Batch) -> int:
    return int(_lines_of(batch).get("open_bytes", 0))


def _lines_of(batch: Batch) -> Mapping[str, Any]:
    lines: Mapping[str, Any] = batch.metadata["lines"]
    return lines
