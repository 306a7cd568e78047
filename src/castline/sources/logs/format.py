"""What a log format is: a row of the table of formats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import polars as pl

Bytes = Literal["body", "body and headers", "no"]


class LogReader(Protocol):
    """Reads one file's lines, block after block; it may remember the header that it met."""

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """One row per line that fits, with `line_number` and some of TEXTS; `numbered` has `line_number` and `line`."""
        ...

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """True for the lines that the format itself says are no requests: headers and remarks."""
        ...


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A format that logs come in, how it is recognised and read, and what it tells."""

    name: str
    title: str
    fits: Callable[[str], bool]  # whether a line looks so, for finding the format of a file
    open: Callable[[], LogReader]
    example: str
    reference: str  # where its publisher describes it
    family: str = ""  # formats of one family share their request ids
    tells_range: bool = False
    tells_bytes: Bytes = "body"
    tells_request_id: bool = False
    lateness: str = "written at once"
    is_utc: bool = False  # its times name no zone and are UTC by its standard
    needs_forwarded: bool = False  # it tells no address but that of X-Forwarded-For

    @property
    def id_space(self) -> str:
        """Within this the source's request ids are unique."""
        return self.family or self.name


def no_comments(numbered: pl.DataFrame) -> pl.Series:
    """False for every line."""
    return pl.Series("comment", [False], pl.Boolean).new_from_index(0, numbered.height)


def comments_by(numbered: pl.DataFrame, pattern: str) -> pl.Series:
    """True for the lines that the pattern matches."""
    return numbered["line"].str.contains(pattern)
