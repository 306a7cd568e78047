"""Logs of one JSON object a line: the fields that are asked for, whatever their type, as text.

Many lines are read at once by DuckDB, which parses each for all its fields and leaves out what is no object; those,
and few lines, are read one by one: as they stand, mended, or no object at all.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import polars as pl

from castline.sources.logs.format import comments_by
from castline.sources.logs.json_text import DECODE_ERRORS, is_object, mend_json

if TYPE_CHECKING:
    import duckdb

_Path: TypeAlias = tuple[str, ...]
_LOOKED_AT: Final = 1_000_000
_FEW: Final = 2_000  # lines: to load DuckDB takes half a second, in which many more are read one by one
_MANY_PATHS: Final = 24
_SAMPLE: Final = 50  # lines
_SINGLE: Final = r'^\["[^"\\]*"\]$'  # a list of one text
# A line of an array of objects that is printed one a line.
_BRACKET: Final = r"^\s*[\[\]],?\s*$"
_OBJECT: Final = r"^\s*\{"
_NUL: Final = "\0"
_LOST: Final = "\N{REPLACEMENT CHARACTER}"


class JsonReader:
    """Reads objects; `fields` names for each text the keys to look under, the first that says something wins.

    A key with slashes leads into nested objects; of a list the first entry is taken, or all of them if `joined` names
    the text.
    """

    def __init__(self, fields: Mapping[str, Sequence[str]], *, joined: Collection[str] = ("forwarded",)) -> None:
        self._paths = {target: [tuple(key.split("/")) for key in keys] for target, keys in fields.items()}
        self._columns = {
            path: f"at_{place}" for place, path in enumerate(set(chain.from_iterable(self._paths.values())))
        }
        self._joined = frozenset(joined)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        if numbered.height <= _FEW:
            return self._read_singly(numbered)
        found, rest = self._read_at_once(numbered)
        if rest.is_empty():
            return found
        parts = [found]
        if rest.height > _FEW:
            mended, rest = self._read_at_once(_mended(rest))
            parts.append(mended)
        return pl.concat([*parts, self._read_singly(rest)]).sort("line_number")

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """The brackets of an array that is printed over several lines."""
        return comments_by(numbered, _BRACKET)

    def _read_at_once(self, numbered: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What the lines that are objects say, and the lines that are none."""
        frame = _extract(numbered["line"], self._find_present(numbered["line"]))
        sound = frame["is_object"]
        rest = numbered.clear()
        if not sound.all():
            rest, numbered, frame = numbered.filter(~sound), numbered.filter(sound), frame.filter(sound)
        told = (self._tell(frame, target) for target in self._paths)
        return pl.DataFrame([numbered["line_number"], *told]), rest

    def _find_present(self, lines: pl.Series) -> dict[_Path, str]:
        """The paths that some line may have: to look for many that no line has takes longer than to rule them out."""
        if len(self._columns) <= _MANY_PATHS:
            return self._columns
        usual = _find_named(self._columns, lines.head(_SAMPLE))
        unusual = {key for path in self._columns.keys() - usual for key in path if (key,) not in usual}
        if not unusual:  # polars takes no empty list
            return self._columns
        rare = lines.filter(lines.str.contains_any([f'"{key}"' for key in sorted(unusual)]))
        present = usual | _find_named(self._columns, rare)
        return {path: column for path, column in self._columns.items() if path in present}

    def _read_singly(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are objects as they stand or can be mended; the others are left out."""
        objects = [_try_decode(line) for line in numbered["line"].to_list()]
        rows = [row for row in objects if row is not None]
        told = [
            pl.Series(target, [self._find_text(row, target) for row in rows], dtype=pl.String) for target in self._paths
        ]
        numbers = numbered["line_number"].filter(pl.Series([row is not None for row in objects], dtype=pl.Boolean))
        return pl.DataFrame([numbers, *told])

    def _find_text(self, row: Any, target: str) -> str | None:
        texts = (_text_of(_within(row, path), joined=target in self._joined) for path in self._paths[target])
        return next((text for text in texts if text and text != "-"), None)

    def _tell(self, frame: pl.DataFrame, target: str) -> pl.Series:
        found = pl.Series(target, [None], dtype=pl.String).new_from_index(0, frame.height)
        for path in self._paths[target]:
            name = self._columns[path]
            if name not in frame.columns or frame[name].null_count() == frame.height:
                continue
            column = frame[name].alias(target)
            column = _flat(column, joined=target in self._joined)
            empty = column.is_in(["", "-"])
            if empty.any():
                column = column.set(empty, None)
            found = column if found.null_count() == len(found) else found.zip_with(found.is_not_null(), column)
            if not found.has_nulls():
                break
        return found


def _find_named(paths: Iterable[_Path], lines: pl.Series) -> set[_Path]:
    """The paths whose keys all stand somewhere in the lines."""
    text = "\n".join(lines.str.head(_LOOKED_AT))
    return {path for path in paths if all(f'"{key}"' in text for key in path)}


def _extract(lines: pl.Series, columns: Mapping[_Path, str]) -> pl.DataFrame:
    """What lies at each path as text, lists and objects as JSON, and `is_object`; one row per line, in order."""
    pointers = ", ".join(f"'/{'/'.join(path)}'" for path in columns)
    texts = "".join(f", texts[{place}] as {name}" for place, name in enumerate(columns.values(), start=1))
    query = f"""
        select texts is not null as is_object{texts}
        from (
            select case when is_candidate then try(json_extract_string(line, [{pointers}])) end as texts
            from source
        )
        """
    with _open_engine().cursor() as cursor:
        cursor.register("source", pl.DataFrame({"line": lines, "is_candidate": lines.str.contains(_OBJECT)}))
        found: pl.DataFrame = cursor.sql(query).pl()
    return found


@cache
def _open_engine() -> "duckdb.DuckDBPyConnection":
    """An empty database in memory; each block of lines is read through a cursor of its own."""
    import duckdb  # noqa: PLC0415  # few logs need it, and it takes long to load

    return duckdb.connect(config={"threads": 1})


def _mended(numbered: pl.DataFrame) -> pl.DataFrame:
    lines = [line if is_object(line) else mend_json(line) for line in numbered["line"].to_list()]
    return numbered.with_columns(line=pl.Series(lines, dtype=pl.String)).filter(pl.col("line").is_not_null())


def _try_decode(line: str) -> dict[str, Any] | None:
    """The object that the line is or nearly is."""
    try:
        value = msgspec.json.decode(line)
    except DECODE_ERRORS:
        return _try_decode_mended(line)
    return value if isinstance(value, dict) else None


def _try_decode_mended(line: str) -> dict[str, Any] | None:
    mended = mend_json(line)
    try:
        return None if mended is None else msgspec.json.decode(mended, type=dict[str, Any])
    except DECODE_ERRORS:  # an object all the same, but with a number that nothing holds
        return None


def _flat(column: pl.Series, *, joined: bool) -> pl.Series:
    """Texts only: what the reader gave as the text of a list or an object is taken apart."""
    if column.str.contains(_NUL, literal=True).any():
        column = column.str.replace_all(_NUL, _LOST, literal=True)
    nested = (column.str.starts_with("[") | column.str.starts_with("{")).fill_null(value=False)
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
    return value.replace(_NUL, _LOST) if isinstance(value, str) else msgspec.json.encode(value).decode()


def json_keys(line: str) -> frozenset[str]:
    """The keys of the line's object; none for what is no object."""
    if len(line) > _LOOKED_AT or not line.lstrip(" \t[").startswith("{"):
        return frozenset()
    return frozenset(_try_decode(line) or ())
