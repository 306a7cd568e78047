"""A log as tests read it: whole, with what it said of each request."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from castline.sources.logs.file import LogFile
from castline.sources.logs.reading import ReadAs, iter_requests
from castline.sources.logs.rows import REQUEST_SCHEMA

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MIDNIGHT = datetime(2026, 9, 7, tzinfo=UTC)


class Read:
    """A whole file as read."""

    def __init__(self, path: Path, content: bytes | str, read_as: ReadAs | None = None) -> None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.file = LogFile(path)
        blocks = list(iter_requests(self.file, now_at=NOW, read_as=read_as or ReadAs()))
        self.requests = pl.concat([REQUEST_SCHEMA.to_frame(), *(block.requests for block in blocks)])
        self.refused = [row for block in blocks for row in block.refused.select("line_number", "reason").rows()]

    @property
    def rows(self) -> list[dict[str, object]]:
        return self.requests.to_dicts()

    @property
    def numbers(self) -> list[int]:
        return self.requests["line_number"].to_list()


def say(row: dict[str, object]) -> dict[str, object]:
    """What the log told, without the line's number and what no log of the sort tells."""
    return {name: told for name, told in row.items() if told is not None and name not in {"line_number", "request_id"}}
