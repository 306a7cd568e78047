"""A file of requests, one JSON object a line, becomes rows that can be judged; each line is a request or told apart."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from operator import attrgetter
from typing import Any, Final

import msgspec
import polars as pl

from castline.measure.requests.ids import ID_SCHEMA, RequestId, check_ids, read_ids
from castline.measure.requests.values import (
    BadTime,
    Number,
    read_addresses,
    read_numbers,
    read_texts,
    read_times,
    read_wholes,
)

ROW_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "time": pl.Datetime("us", "UTC"),
        "ip": pl.String(),
        "user_agent": pl.Categorical(),
        "method": pl.Categorical(),
        "range": pl.String(),
        "url": pl.Categorical(),
        "referer": pl.Categorical(),
        "named_episode": pl.Categorical(),
        "delivery": pl.Categorical(),
        "status": pl.Int16(),
        "bytes_sent": pl.Int64(),
        "file_bytes": pl.Int64(),
        "header_bytes": pl.Int64(),
        "duration_seconds": pl.Float64(),
    }
)
_STATUS_END: Final = 1000
_MARK: Final = b"\xef\xbb\xbf"
_AT_ONCE: Final = 16_384  # lines that stand in memory as objects
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


class _Line(msgspec.Struct, gc=False):
    """A line as it comes; every field may be missing or null, numbers may be written as text."""

    id: RequestId = None
    time: Number = None
    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    status: Number = None
    range: str | None = None
    bytes_sent: Number = None
    url: str | None = None
    referer: str | None = None
    episode: str | int | None = None
    file_bytes: Number = None
    duration_seconds: Number = None
    header_bytes: Number = None
    delivery: str | None = None


_decode_line: Final = msgspec.json.Decoder(_Line).decode


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that cannot be judged."""

    line_number: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RequestLines:
    """`ids` of all lines that are not blank, of ID_SCHEMA; `rows`, of ROW_SCHEMA, of those that are not broken."""

    ids: pl.DataFrame
    rows: pl.DataFrame
    broken: list[BrokenLine]


def parse_request_lines(lines: Iterable[bytes]) -> RequestLines:
    """Every line that is not blank, numbered from 1, as a row or as a broken line; both in the order of the lines."""
    ids, rows = [ID_SCHEMA.to_frame()], [ROW_SCHEMA.to_frame()]
    broken: list[BrokenLine] = []
    source, first_line = iter(lines), 1
    while texts := list(islice(source, _AT_ONCE)):
        portion = _decode_portion(texts, first_line)
        frame, errors = _read(portion)
        ids.append(portion.ids)
        rows.append(frame)
        broken += sorted(portion.broken + errors, key=lambda line: line.line_number)
        first_line += len(texts)
    return RequestLines(pl.concat(ids), pl.concat(rows), broken)


@dataclass(frozen=True, slots=True)
class _Portion:
    """Lines that were decoded, with their numbers; the ids of all that are not blank; and what is broken."""

    numbers: Sequence[int]
    told: list[_Line]
    ids: pl.DataFrame
    broken: list[BrokenLine]


def _decode_portion(texts: list[bytes], first_line: int) -> _Portion:
    numbers = range(first_line, first_line + len(texts))
    try:
        told = [_decode_line(text) for text in texts]
        ids = [one.id for one in told]
        check_ids(ids)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_each(texts, numbers)
    return _Portion(numbers, told, read_ids(numbers, ids), [])


def _decode_each(texts: list[bytes], numbers: Sequence[int]) -> _Portion:
    """The same, each line by itself: blank ones are left out, and broken ones told."""
    ids: dict[int, RequestId] = {}
    told: dict[int, _Line] = {}
    broken = []
    for number, text in zip(numbers, (text.removeprefix(_MARK).strip() for text in texts), strict=True):
        if not text:
            continue
        try:
            line = _decode(text)
            check_ids([line.id])
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            ids[number] = _find_id(text)
            broken.append(BrokenLine(number, "malformed_line", str(error)))
            continue
        ids[number], told[number] = line.id, line
    return _Portion(list(told), list(told.values()), read_ids(list(ids), list(ids.values())), broken)


def _decode(text: bytes) -> _Line:
    """The line; what is no character of a text is U+FFFD. Raises MsgspecError, ValueError."""
    try:
        return _decode_line(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        loose = _decode_loosely(text)
        if loose is None:
            raise
    return msgspec.convert(loose, _Line)


def _decode_loosely(text: bytes) -> object:
    """What the line holds, though some of it is no character: half a pair, bytes that are no UTF-8; None if no JSON.

    Some writers of JSON let half a pair of UTF-16 through, which stricter readers refuse (RFC 8259, section 8.2).
    """
    try:
        plain = json.loads(text.decode("utf-8", "replace"), parse_constant=_refuse)
        return json.loads(_HALF_PAIR.sub("\N{REPLACEMENT CHARACTER}", json.dumps(plain, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _read(portion: _Portion) -> tuple[pl.DataFrame, list[BrokenLine]]:
    """The lines as rows of ROW_SCHEMA, without those whose values cannot be read, which are broken."""

    def told(name: str) -> list[Any]:
        return list(map(attrgetter(name), portion.told))

    episodes = [one if one is None or isinstance(one, str) else str(one) for one in told("episode")]
    ranges = pl.Series(told("range"), dtype=pl.String)
    columns = {
        "line_number": pl.Series(portion.numbers, dtype=pl.UInt32),
        "ip": read_addresses(told("ip")),
        "range": ranges.set(ranges == "", None),
        "named_episode": read_texts(episodes),
        "user_agent": read_texts([one or "" for one in told("user_agent")]),
    }
    columns |= {name: read_texts(told(name)) for name in ("method", "url", "referer", "delivery")}
    columns["time"], errors = read_times(told("time"))
    columns["duration_seconds"], wrong = read_numbers(told("duration_seconds"))
    for name in ("status", "bytes_sent", "file_bytes", "header_bytes"):
        errors |= wrong
        columns[name], wrong = read_wholes(told(name))
    errors |= wrong
    columns["status"] = _as_status(columns["status"])
    rows = pl.DataFrame({name: columns[name] for name in ROW_SCHEMA})
    if not errors:
        return rows, []
    broken = [
        BrokenLine(portion.numbers[place], "bad_time" if isinstance(error, BadTime) else "malformed_line", str(error))
        for place, error in errors.items()
    ]
    return rows.filter(~pl.col("line_number").is_in([line.line_number for line in broken])), broken


def _as_status(told: pl.Series) -> pl.Series:
    """What is no status is none that counts."""
    return told.set(~told.is_between(0, _STATUS_END - 1).fill_null(value=True), _STATUS_END).cast(pl.Int16)


def _find_id(text: bytes) -> RequestId:
    """The id of a line of which something else is wrong."""
    told = _decode_loosely(text)
    found = told.get("id") if isinstance(told, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    # No JSON can say what is beyond all numbers.
    return None if isinstance(found, float) and not isfinite(found) else found
