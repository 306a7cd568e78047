"""Logs of one JSON object a line: the fields that are asked for, whatever their type, as text.

The lines of a block are read at once. What that reader refuses is looked at line by line: mended, read by itself, or no
object at all.
"""

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

import msgspec
import polars as pl
from polars.exceptions import ComputeError, SchemaError

from castline.sources.logs.format import comments_by
from castline.sources.logs.json_text import DECODE_ERRORS, is_object, mend_json

_Path: TypeAlias = tuple[str, ...]
_LOOKED_AT: Final = 1_000_000
_SAMPLE: Final = 50
_ONE_BY_ONE: Final = 256  # lines that are not worth another try at once
_SINGLE: Final = r'^\["[^"\\]*"\]$'  # a list of one text
# A line of an array of objects that is printed one a line.
_BRACKET: Final = r"^\s*[\[\]],?\s*$"
_NUL: Final = "\0"
_LOST: Final = "\N{REPLACEMENT CHARACTER}"


class JsonReader:
    """Reads objects; `fields` names for each text the keys to look under, the first that says something wins.

    A key with slashes leads into nested objects; of a list the first entry is taken, or all of them if `joined` names
    the text.
    """

    def __init__(self, fields: Mapping[str, Sequence[str]], *, joined: Collection[str] = ("forwarded",)) -> None:
        self._paths = {target: [tuple(key.split("/")) for key in keys] for target, keys in fields.items()}
        self._joined = frozenset(joined)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        every = frozenset(chain.from_iterable(self._paths.values()))
        usual = _find_usual(every, numbered["line"].head(_SAMPLE)) or every
        unusual = set(chain.from_iterable(every - usual)) - set(chain.from_iterable(usual))
        if not unusual:
            return self._read(numbered, usual)
        rare = numbered["line"].str.contains_any([f'"{key}"' for key in sorted(unusual)])
        if not rare.any():
            return self._read(numbered, usual)
        parts = (self._read(numbered.filter(~rare), usual), self._read(numbered.filter(rare), every))
        return pl.concat(parts).sort("line_number")

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """The brackets of an array that is printed over several lines."""
        return comments_by(numbered, _BRACKET)

    def _read(self, numbered: pl.DataFrame, paths: frozenset[_Path]) -> pl.DataFrame:
        found = self._try_read(numbered, paths)
        return self._read_carefully(numbered, paths) if found is None else found

    def _try_read(self, numbered: pl.DataFrame, paths: frozenset[_Path]) -> pl.DataFrame | None:
        """All lines, or None where one of them is no object of the expected shape."""
        text = io.BytesIO()
        text.write(b"\n")  # a text that begins like compressed data would be unpacked
        numbered.select("line").write_csv(text, include_header=False, quote_style="never")
        schema = _schema_of(paths)
        try:
            frame = pl.read_ndjson(text.getvalue(), schema=schema) if numbered.height else pl.DataFrame(schema=schema)
        except (ComputeError, SchemaError):
            return None
        if frame.height != numbered.height:
            return None
        told = (self._tell(frame, target, paths) for target in self._paths)
        return pl.DataFrame([numbered["line_number"], *told])

    def _read_carefully(self, numbered: pl.DataFrame, paths: frozenset[_Path]) -> pl.DataFrame:
        """The lines that are objects as they stand or can be mended; the others are left out."""
        lines = numbered["line"].to_list()
        sound = [line if is_object(line) else mend_json(line) for line in lines]
        kept = numbered.with_columns(line=pl.Series(sound, dtype=pl.String)).filter(pl.col("line").is_not_null())
        return pl.concat(self._iter_parts(kept, paths))

    def _iter_parts(self, numbered: pl.DataFrame, paths: frozenset[_Path]) -> Iterator[pl.DataFrame]:
        found = self._try_read(numbered, paths)
        if found is not None:
            yield found
        elif numbered.height <= _ONE_BY_ONE:
            yield self._read_singly(numbered)
        else:
            half = numbered.height // 2
            yield from self._iter_parts(numbered.head(half), paths)
            yield from self._iter_parts(numbered.slice(half), paths)

    def _read_singly(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """Objects of which some have something else in the place of an object or a text."""
        rows = [msgspec.json.decode(line) for line in numbered["line"].to_list()]
        told = [
            pl.Series(target, [self._find_text(row, target) for row in rows], dtype=pl.String) for target in self._paths
        ]
        return pl.DataFrame([numbered["line_number"], *told])

    def _find_text(self, row: Any, target: str) -> str | None:
        texts = (_text_of(_within(row, path), joined=target in self._joined) for path in self._paths[target])
        return next((text for text in texts if text and text != "-"), None)

    def _tell(self, frame: pl.DataFrame, target: str, paths: frozenset[_Path]) -> pl.Series:
        found = pl.Series(target, [None], dtype=pl.String).new_from_index(0, frame.height)
        for path in (one for one in self._paths[target] if one in paths):
            column = frame.select(_leaf(path).alias(target)).to_series()
            if column.null_count() == len(column):
                continue
            column = _flat(column, joined=target in self._joined)
            empty = column.is_in(["", "-"])
            if empty.any():
                column = column.set(empty, None)
            found = column if found.null_count() == len(found) else found.zip_with(found.is_not_null(), column)
            if not found.has_nulls():
                break
        return found


def _find_usual(paths: Iterable[_Path], lines: pl.Series) -> frozenset[_Path]:
    """The paths whose keys some of these lines have: to look for keys that no line has costs time."""
    seen = "\n".join(lines.str.head(_LOOKED_AT))
    return frozenset(path for path in paths if all(f'"{key}"' in seen for key in path))


_Tree: TypeAlias = dict[str, "_Tree"]


def _schema_of(paths: Iterable[_Path]) -> pl.Schema:
    """Every key as text, but for those that others lie below."""
    tree: _Tree = {}
    for path in paths:
        place = tree
        for key in path:
            place = place.setdefault(key, {})
    return pl.Schema({key: _type_of(below) for key, below in tree.items()})


def _type_of(tree: _Tree) -> pl.DataType:
    return pl.Struct({key: _type_of(below) for key, below in tree.items()}) if tree else pl.String()


def _leaf(path: _Path) -> pl.Expr:
    column = pl.col(path[0])
    for key in path[1:]:
        column = column.struct.field(key)
    return column


def _flat(column: pl.Series, *, joined: bool) -> pl.Series:
    """Texts only: what the reader gave as the text of a list or an object is taken apart."""
    if column.str.contains(_NUL, literal=True).any():
        column = column.str.replace_all(_NUL, _LOST, literal=True)
    nested = column.str.contains(r"^[\[{]").fill_null(value=False)
    if not nested.any():
        return column
    single = nested & column.str.contains(_SINGLE).fill_null(value=False)
    column = column.zip_with(~single, column.str.slice(2).str.head(-2))
    nested = nested & ~single
    texts = column.filter(nested).unique()
    flat = pl.DataFrame({"text": texts, "flat": [_unfolded(text, joined=joined) for text in texts]}, schema=_FLAT)
    known = column.to_frame("text").join(flat, on="text", how="left", maintain_order="left")
    return known.select(pl.when(nested).then("flat").otherwise("text").alias(column.name)).to_series()


_FLAT: Final = {"text": pl.String(), "flat": pl.String()}


def _unfolded(text: str, *, joined: bool) -> str | None:
    try:
        value = msgspec.json.decode(text)
    except DECODE_ERRORS:
        return text
    return _text_of(value, joined=joined) if isinstance(value, list | dict) else text


def _within(value: Any, path: _Path) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _text_of(value: Any, *, joined: bool) -> str | None:
    if isinstance(value, list):
        texts = [text for one in value if (text := _text_of(one, joined=False)) is not None]
        return ", ".join(texts if joined else texts[:1]) or None
    if value is None or isinstance(value, dict):
        return None
    return value.replace(_NUL, _LOST) if isinstance(value, str) else repr(value)


def json_keys(line: str) -> frozenset[str]:
    """The keys of the line's object; none for what is no object."""
    if len(line) > _LOOKED_AT or not line.lstrip(" \t[").startswith("{"):
        return frozenset()
    sound = line if is_object(line) else mend_json(line)
    return frozenset(msgspec.json.decode(sound)) if sound is not None else frozenset()
