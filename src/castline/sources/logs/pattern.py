"""Lines of one regular expression with named groups."""

from collections.abc import Callable, Sequence

import polars as pl
import re2  # type: ignore[import-untyped]  # it ships no types

from castline.sources.logs.format import no_comments
from castline.sources.logs.rows import unescaped

_ESCAPED = ("request", "referer", "user_agent")


class PatternReader:
    """Reads lines that one of some expressions matches; `kept` are their groups that are texts of a request.

    What the first does not match is tried with the next.
    """

    def __init__(self, patterns: Sequence[str], kept: Sequence[str]) -> None:
        self._patterns, self._kept = tuple(patterns), tuple(kept)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that match, in order."""
        parts, missed = [], numbered
        for pattern in self._patterns:
            parts.append(self._read(missed, pattern))
            missed = missed.join(parts[-1], on="line_number", how="anti") if parts[-1].height else missed
        return pl.concat(parts).sort("line_number")

    def _read(self, numbered: pl.DataFrame, pattern: str) -> pl.DataFrame:
        groups = pl.col("line").str.strip_chars_end("\r").str.extract_groups(pattern).alias("groups")
        frame = numbered.select("line_number", groups).unnest("groups").filter(pl.col("stamp").is_not_null())
        frame = frame.select("line_number", *self._kept)
        return frame.with_columns(unescaped(name, frame) for name in _ESCAPED if name in self._kept)

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)


def fits_patterns(*patterns: str) -> Callable[[str], bool]:
    """Whether a line matches one of them."""
    forms = [re2.compile(pattern) for pattern in patterns]  # linear, whatever the line
    return lambda line: any(form.match(line) for form in forms)
