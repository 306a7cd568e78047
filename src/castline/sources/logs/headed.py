"""Tables of text: rows whose fields a header names, or that were named for the file; some fields stand in quotes.

A line is a row of its own: a quote that nobody closed ends with its line.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import polars as pl

from castline.base.errors import InvalidInput
from castline.sources.logs.delimited import said, split_lines, tell

Tell: TypeAlias = Callable[[pl.DataFrame], pl.DataFrame]
_SEPARATORS: Final = ("\t", ",", ";", "|", " ", "^", "~")
# A field in quotes, with quotes inside written twice or with a backslash.
_QUOTED: Final = r'"(?:[^"\\]|\\.|"")*"'
_ESCAPE: Final = re.compile(r'\\(["\\/])|""')
_INNER: Final = "\x01"  # what a quote within a field is for the CSV parser
_LONGEST: Final = 131_072  # more than any server takes for a header; a longer field is an attack or none


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a kind of table: of each of `needed` a request cannot do without one; `tell` takes the rest."""

    needed: tuple[tuple[str, ...], ...]
    tell: Tell

    def are_in(self, names: Sequence[str]) -> bool:
        """Whether a header of these names is one of such a table."""
        return all(not set(names).isdisjoint(some) for some in self.needed)

    def last_needed(self, names: Sequence[str]) -> str:
        """Of the columns that a row must have, the last."""
        return names[max(min(names.index(name) for name in some if name in names) for some in self.needed)]


def columns_of(needed: tuple[tuple[str, ...], ...], fields: Mapping[str, Sequence[str]]) -> Columns:
    """Columns of which each text is the first of some that says something."""
    return Columns(needed, lambda frame: tell(frame, {text: said(frame, *names) for text, names in fields.items()}))


class HeadedReader:
    """Reads rows under a header, which may change within a file, or with the names that it is given."""

    def __init__(self, columns: Columns, names: Sequence[str] = (), separator: str | None = None) -> None:
        self._columns, self._names, self._separator = columns, list(names), separator

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The rows with fields enough."""
        header = self.find_comments(numbered)
        rows, parts, start = numbered.filter(~header), [], 0
        for number, text in numbered.filter(header).iter_rows():
            parts.append(self._read(rows.filter(pl.col("line_number").is_between(start, number))))
            self._names, self._separator = try_split_header(text, self._columns) or ([], None)
            start = number
        parts.append(self._read(rows.filter(pl.col("line_number") >= start)))
        return pl.concat(parts)

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """The headers."""
        named = [pl.col("line").str.contains_any(list(some)) for some in self._columns.needed]
        likely = numbered.select(pl.all_horizontal(named).alias("comment")).to_series()
        if not likely.any():
            return likely
        lines = zip(likely, numbered["line"], strict=True)
        return pl.Series("comment", [hit and try_split_header(line, self._columns) is not None for hit, line in lines])

    def _read(self, rows: pl.DataFrame) -> pl.DataFrame:
        if not self._names:
            return self._columns.tell(pl.DataFrame(schema={"line_number": pl.UInt32()}))
        separator = self._separator or _find_separator(rows, len(self._names))
        frame = _split(rows, self._names, separator)
        return self._columns.tell(frame.filter(pl.col(self._columns.last_needed(self._names)).is_not_null()))


def open_named(columns: Columns, written: str) -> HeadedReader:
    """A reader of rows without a header, with these names separated by commas. Raises InvalidInput."""
    names = [name.strip() for name in written.split(",")]
    for some in columns.needed:
        if set(names).isdisjoint(some):
            raise InvalidInput(field="--format", detail=f"the fields {written!r} lack {' and '.join(some)}")
    return HeadedReader(columns, _unique(names))


def try_split_header(line: str, columns: Columns) -> tuple[list[str], str] | None:
    """The names in the header and what separates them; None for a line that is none of such a table."""
    for separator in _SEPARATORS:
        names = _unique([name.strip('" \r\ufeff') for name in line.split(separator)])
        if columns.are_in(names):
            return names, separator
    return None


def _unique(names: Sequence[str]) -> list[str]:
    """The names, but for empty and repeated ones, which nobody asks for."""
    return [name if name and names.index(name) == place else f"_{place}" for place, name in enumerate(names)]


def _find_separator(rows: pl.DataFrame, count: int) -> str:
    """What the first row has between so many fields, as far as anything is."""
    first = re.sub(_QUOTED, "", rows["line"][0]) if rows.height else ""
    return next((one for one in _SEPARATORS if first.count(one) == count - 1), _SEPARATORS[0])


def _split(rows: pl.DataFrame, names: Sequence[str], separator: str) -> pl.DataFrame:
    rows = rows.with_columns(pl.col("line").str.strip_chars_end("\r"))
    line, wanted = pl.col("line"), ["line_number", *names]
    quoted = line.str.contains('"', literal=True)
    usual = quoted & (line.str.len_bytes() <= _LONGEST)
    strict = usual & line.str.contains(_shape(separator, r'[^"\\]'))
    escaped = usual & ~strict & ~line.str.contains(_INNER, literal=True)
    escaped &= line.str.contains(_shape(separator, r'(?:[^"\\]|\\")'))
    kinds = rows.select(plain=~quoted, strict=strict, escaped=escaped)
    bare = rows.filter(kinds["escaped"]).with_columns(line.str.replace_all('\\"', _INNER, literal=True))
    parts = [
        split_lines(rows.filter(kinds["plain"]), names, separator, kept=names).select(wanted),
        split_lines(rows.filter(kinds["strict"]), names, separator, kept=names, quote='"').select(wanted),
        split_lines(bare, names, separator, kept=names, quote='"')
        .select(wanted)
        .with_columns(pl.col(names).str.replace_all(_INNER, '"', literal=True)),
        _split_singly(rows.filter(~kinds.select(pl.any_horizontal(pl.all())).to_series()), names, separator),
    ]
    return pl.concat([part for part in parts if part.height] or parts[:1]).sort("line_number")


def _shape(separator: str, inside: str) -> str:
    """A line of fields that stand in quotes as a whole, with such characters inside, or have none."""
    mark = re.escape(separator)
    whole = rf'(?:"{inside}*"|[^"{mark}]*)'
    return f"^{whole}(?:{mark}{whole})*$"


def _split_singly(rows: pl.DataFrame, names: Sequence[str], separator: str) -> pl.DataFrame:
    """The fields of lines with quotes within quotes, one by one; those with a quote that nobody closed are left out."""
    mark = re.escape(separator)
    field = re.compile(rf"({_QUOTED}(?=[{mark}]|$)|[^{mark}]*)(?:{mark}|$)")
    found: dict[str, list[object]] = {name: [] for name in ("line_number", *names)}
    for number, line in rows.iter_rows():
        texts = field.findall(line)
        if not line.endswith(separator):
            texts.pop()  # the end of the line is matched once more
        if any(_is_open(text) or len(text) > _LONGEST for text in texts):
            continue
        fields = [_bare(text) for text in texts[: len(names)]]
        found["line_number"].append(number)
        for name, text in zip(names, [*fields, *[None] * (len(names) - len(fields))], strict=True):
            found[name].append(text)
    return pl.DataFrame(found, schema={"line_number": pl.UInt32(), **dict.fromkeys(names, pl.String())})


def _is_open(text: str) -> bool:
    return text.startswith('"') and (len(text) == 1 or not text.endswith('"'))


def _bare(text: str) -> str:
    return _ESCAPE.sub(lambda found: found[1] or '"', text[1:-1]) if text.startswith('"') else text
