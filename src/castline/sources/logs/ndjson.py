"""Logs of one JSON object a line: the fields that are asked for, whatever their type, as text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import msgspec
import polars as pl

from castline.sources.logs.format import no_comments

# nginx without `escape=json` writes \x22, which no JSON knows.
_HEX_ESCAPE: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\x([0-9A-Fa-f]{2})")
_ERRORS: Final = (msgspec.DecodeError, RecursionError)
_LOOKED_AT: Final = 1_000_000


class JsonReader:
    """Reads objects; `fields` names for each text the keys to look under, the first that is there wins.

    A key with slashes leads into nested objects; of a list the first entry is taken.
    """

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._paths = {target: [tuple(key.split("/")) for key in keys] for target, keys in fields.items()}
        tops = sorted({path[0] for path in chain.from_iterable(self._paths.values())})
        self._slots = {top: f"f{number}" for number, top in enumerate(tops)}
        members: list[tuple[str, Any, Any]] = [(slot, Any, None) for slot in self._slots.values()]
        renamed = {slot: top for top, slot in self._slots.items()}
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Row", members, rename=renamed, gc=False))

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        lines = numbered["line"].to_list()
        decode = self._decoder.decode
        try:
            rows, numbers = [decode(line) for line in lines], numbered["line_number"]
        except _ERRORS:
            tried = [self._try_decode(line) for line in lines]
            rows = [row for row in tried if row is not None]
            numbers = numbered["line_number"].filter(pl.Series([row is not None for row in tried], dtype=pl.Boolean))
        columns = {slot: list(map(attrgetter(slot), rows)) for slot in self._slots.values()}
        told = {target: self._tell(paths, columns, len(rows)) for target, paths in self._paths.items()}
        return pl.DataFrame({"line_number": numbers, **told}, schema_overrides={"line_number": pl.UInt32})

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)

    def _try_decode(self, line: str) -> Any:
        try:
            return self._decoder.decode(line)
        except _ERRORS:
            pass
        if "\\x" not in line:
            return None
        try:
            return self._decoder.decode(_HEX_ESCAPE.sub(r"\1\\u00\2", line))
        except _ERRORS:
            return None

    def _tell(self, paths: list[tuple[str, ...]], columns: Mapping[str, list[Any]], height: int) -> pl.Series:
        found = pl.Series([None] * height, dtype=pl.String)
        for path in paths:
            if not found.has_nulls():
                break
            values = columns[self._slots[path[0]]]
            if path[1:]:
                values = [_within(value, path[1:]) for value in values]
            if values.count(None) == height:
                continue
            texts = _texts(values)
            empty = texts.is_in(["", "-"])
            found = found.zip_with(found.is_not_null(), texts.set(empty, None) if empty.any() else texts)
        return found


def json_keys(line: str) -> frozenset[str]:
    """The keys of the line's object; none for what is no object."""
    if not line.lstrip().startswith("{") or len(line) > _LOOKED_AT:
        return frozenset()
    try:
        found = msgspec.json.decode(_HEX_ESCAPE.sub(r"\1\\u00\2", line))
    except _ERRORS:
        return frozenset()
    return frozenset(found) if isinstance(found, dict) else frozenset()


def unfold_document(text: str) -> list[str] | None:
    """One text per row of a file that is one JSON document: an array, or an object with `rows`. None for others."""
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start not in {"[", "{"}:
        return None
    try:
        if start == "[":
            rows = msgspec.json.decode(text, type=list[msgspec.Raw])
        else:
            rows = msgspec.json.decode(text, type=_Document).rows
    except _ERRORS:
        return None
    # A row that was printed over several lines becomes one.
    return [msgspec.json.format(bytes(row), indent=-1).decode() for row in rows]


class _Document(msgspec.Struct):
    rows: list[msgspec.Raw]


def _within(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _texts(values: list[Any]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.String, strict=True)
    except TypeError:
        pass
    if all(isinstance(value, int) for value in values):
        try:
            return pl.Series(values, dtype=pl.Int64, strict=True).cast(pl.String)
        except (TypeError, OverflowError):
            pass
    return pl.Series(list(_iter_texts(values)), dtype=pl.String)


def _iter_texts(values: list[Any]) -> Iterator[str | None]:
    for value in values:
        one = value[0] if isinstance(value, list) and value else value
        yield None if one is None or isinstance(one, dict | list) else one if isinstance(one, str) else repr(one)
