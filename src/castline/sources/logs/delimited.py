"""Fields between separators: a line is cut at each of them, with no quoting that could merge two lines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

import polars as pl

_NO_TEXT: Final = pl.lit(None, pl.String)


def split_lines(numbered: pl.DataFrame, names: Sequence[str], separator: str, *, least: int) -> pl.DataFrame:
    """One row per line of at least `least` fields: `line_number` and the names; fields without a name are left out."""
    fields = pl.col("line").str.strip_chars_end("\r").str.split_exact(separator, len(names))
    # One field more than there are names takes what stands behind, so that the last name keeps its own.
    wide = [*names, "_behind"]
    frame = numbered.select("line_number", fields.struct.rename_fields(wide).alias("fields")).unnest("fields")
    return frame.filter(pl.col(names[least - 1]).is_not_null()).drop("_behind")


def tell(frame: pl.DataFrame, fields: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """`line_number` and each text that the expressions give."""
    return frame.select("line_number", **fields)


def said(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """The first of those columns that are there which says something."""
    present = [pl.col(name) for name in names if name in frame.columns]
    return pl.coalesce(*(pl.when((column != "-") & (column != "")).then(column) for column in present), _NO_TEXT)


def percent_decoded(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The named columns without percent-encoding; what was encoded twice is decoded twice."""
    changed = [_decoded(frame, name) for name in names if name in frame.columns]
    return frame.with_columns(changed)


def _decoded(frame: pl.DataFrame, name: str) -> pl.Expr:
    odd = frame[name].filter(frame[name].str.contains("%", literal=True)).unique()
    return pl.col(name).replace({text: decode_percent(text) for text in odd}) if len(odd) else pl.col(name)


def decode_percent(text: str) -> str:
    """The text without percent-encoding, and without a second one around it.

    A user agent may hold %20 of its own, and then real blanks as well: only a text without any was encoded twice.
    """
    once = unquote(text, errors="replace")
    return unquote(once, errors="replace") if "%20" in once and " " not in once else once


def range_of(frame: pl.DataFrame, first: str, last: str) -> pl.Expr:
    """`bytes=A-B` of two columns; null where neither says something."""
    start, end = said(frame, first).fill_null(""), said(frame, last).fill_null("")
    text = pl.concat_str(pl.lit("bytes="), start, pl.lit("-"), end)
    return pl.when((start != "") | (end != "")).then(text)
