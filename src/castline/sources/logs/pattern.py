"""Lines of one regular expression with named groups."""

from collections.abc import Callable, Sequence

import polars as pl
import re2  # type: ignore[import-untyped]  # it ships no types

from castline.sources.logs.format import no_comments
from castline.sources.logs.rows import unescaped

_ESCAPED = ("request", "referer", "user_agent")


class PatternReader:
    """Reads lines that an expression matches; `kept` are its groups that are texts of a request."""

    def __init__(self, pattern: str, kept: Sequence[str]) -> None:
        self._pattern, self._kept = pattern, tuple(kept)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that match."""
        groups = pl.col("line").str.strip_chars_end("\r").str.extract_groups(self._pattern).alias("groups")
        frame = numbered.select("line_number", groups).unnest("groups").filter(pl.col("stamp").is_not_null())
        frame = frame.select("line_number", *self._kept)
        return frame.with_columns(unescaped(name, frame) for name in _ESCAPED if name in self._kept)

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)


def fits_pattern(pattern: str) -> Callable[[str], bool]:
    """Whether a line matches."""
    form = re2.compile(pattern)  # linear, whatever the line
    return lambda line: form.match(line) is not None
