"""Fields between separators: a line is cut at each of them, with no quoting that could merge two lines."""

import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote

import polars as pl

_NO_TEXT: Final = pl.lit(None, pl.String)
# A blank, but not the sign in `(+https://example.org)` or behind a blank.
_PLUS: Final = re.compile(r"\+(?!(?<=[(+]\+)https?:)")


def split_lines(
    numbered: pl.DataFrame, names: Sequence[str], separator: str, *, kept: Collection[str], quote: str | None = None
) -> pl.DataFrame:
    """One row per line: `line_number` and those of the names that are `kept`, null where a line has no such field.

    Fields behind the last name are left out. `quote` is for lines that were seen to have quotes around whole fields
    only: an odd one would merge lines.
    """
    schema = dict.fromkeys(names, pl.String())
    wanted = [name for name in names if name in kept]
    if numbered.is_empty():
        return pl.DataFrame(schema={"line_number": pl.UInt32(), **{name: schema[name] for name in wanted}})
    text = io.BytesIO()
    # The header is passed over: a text that begins like compressed data would be unpacked.
    numbered.select("line").write_csv(text, include_header=True, quote_style="never")
    frame = pl.read_csv(
        text.getvalue(),
        separator=separator,
        has_header=False,
        skip_lines=1,
        schema=schema,
        columns=[place for place, name in enumerate(names) if name in wanted],
        quote_char=quote,
        truncate_ragged_lines=True,
        missing_columns="insert",
        extra_columns="ignore",
    )
    if frame.height != numbered.height:
        raise AssertionError(f"{numbered.height} lines became {frame.height} rows")
    return frame.with_columns(numbered["line_number"])


def tell(frame: pl.DataFrame, fields: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """`line_number` and each text that the expressions give."""
    return frame.select("line_number", **fields)


def said(frame: pl.DataFrame, *names: str) -> pl.Expr:
    """The first of those columns that are there which says something."""
    present = [pl.col(name) for name in names if name in frame.columns]
    return pl.coalesce(*(pl.when((column != "-") & (column != "")).then(column) for column in present), _NO_TEXT)


def percent_decoded(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The named columns without percent-encoding; what was encoded twice is decoded twice."""
    return frame.with_columns(_decoded(frame, name, "%", decode_percent) for name in names if name in frame.columns)


def form_decoded(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The named columns without percent-encoding, and with blanks where a plus stands for one."""
    return frame.with_columns(_decoded(frame, name, "[%+]", decode_form) for name in names if name in frame.columns)


def _decoded(frame: pl.DataFrame, name: str, marks: str, decode: Callable[[str], str]) -> pl.Expr:
    odd = frame[name].filter(frame[name].str.contains(marks)).unique()
    return pl.col(name).replace({text: decode(text) for text in odd}) if len(odd) else pl.col(name)


def decode_form(text: str) -> str:
    """The text without percent-encoding; a plus is a blank where nothing else in it stands for one."""
    return decode_percent(text if " " in text or "%20" in text else _PLUS.sub(" ", text))


def decode_percent(text: str) -> str:
    """The text without percent-encoding, and without a second one around it.

    A user agent may hold %20 of its own, and then real blanks as well: only a text without any was encoded twice.
    """
    once = unquote(text, errors="replace")
    whole = unquote(once, errors="replace") if "%20" in once and " " not in once else once
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


def range_of(frame: pl.DataFrame, first: str, last: str) -> pl.Expr:
    """`bytes=A-B` of two columns; null where neither says something."""
    start, end = said(frame, first).fill_null(""), said(frame, last).fill_null("")
    text = pl.concat_str(pl.lit("bytes="), start, pl.lit("-"), end)
    return pl.when((start != "") | (end != "")).then(text)
