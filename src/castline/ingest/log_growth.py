"""Logs that grow between two imports: what was imported of them stays, and only what came behind it is read.

Such a log is known by its content, whatever its name and compression: by its first line, and then by the hash of as
many bytes as an earlier import had whole lines of. Logs with request ids need none of it: a request that comes again is
dropped by its id. Method: docs/how-to/import-logs.md
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from castline.model.lineage import Batch
from castline.sources.log_file import LogFile
from castline.store.listening import load_log_beginnings
from castline.store.pool import Connection, Store


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was imported of a log: so many whole lines, the last of them with that batch."""

    batch_id: UUID
    line_count: int

    @property
    def facts(self) -> Mapping[str, object]:
        """What the batch of the rest keeps of it."""
        return {"continues": str(self.batch_id), "continues_after": self.line_count}


def describe_content(path: Path, file: LogFile, refused_lines: Collection[int]) -> Mapping[str, object]:
    """What the batch of a file that was read keeps, so that its continuation is known.

    A last line without a line feed is read again with the rest, unless it was a request already.
    """
    lines = file.whole_lines
    if not lines.count:
        return {}
    is_request = file.has_open_line and lines.count + 1 not in refused_lines
    told = {"count": lines.count + is_request, "bytes": lines.byte_count, "hash": lines.digest.hex()}
    return {"first_line": _hash_first_line(path), "lines": told}


def find_beginning(store: Store, owner_id: UUID, path: Path, source: str) -> Beginning | None:
    """The longest part of the file that was imported before; None if it is new. Raises SourceUnreadable."""
    with store.account(owner_id) as connection:
        known = _load_known(connection, owner_id, path, source)
    sizes = {int(_lines_of(batch)["bytes"]) for batch in known}
    hashes = {size: digest.hex() for size, digest in LogFile(path).iter_hashes(sizes)} if sizes else {}
    begun = [batch for batch in known if hashes.get(int(_lines_of(batch)["bytes"])) == _lines_of(batch)["hash"]]
    longest = max(begun, key=lambda batch: int(_lines_of(batch)["count"]), default=None)
    return Beginning(longest.batch_id, int(_lines_of(longest)["count"])) if longest else None


def _load_known(connection: Connection, owner_id: UUID, path: Path, source: str) -> list[Batch]:
    return load_log_beginnings(connection, owner_id, _hash_first_line(path), source)


def _hash_first_line(path: Path) -> str:
    return sha256(LogFile(path).read_first_line()).hexdigest()


def _lines_of(batch: Batch) -> Mapping[str, Any]:
    lines: Mapping[str, Any] = batch.metadata["lines"]
    return lines
