"""A file of requests, one JSON object a line, becomes rows that can be judged; each line is a request or told apart."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Final

import msgspec
import polars as pl

from castline.measure.request_values import (
    BadTime,
    Number,
    parse_address,
    read_numbers,
    read_times,
    read_wholes,
)
from castline.measure.rules.matching import compute_needed_bytes

RequestId = int | float | str | None
LINE_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "id_kind": pl.UInt8(),
        "id_number": pl.Float64(),
        "id_rest": pl.Int64(),
        "id_text": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "ip": pl.String(),
        "user_agent": pl.String(),
        "method": pl.String(),
        "status": pl.Int32(),
        "range": pl.String(),
        "bytes_sent": pl.Int64(),
        "url": pl.String(),
        "referer": pl.String(),
        "named_episode": pl.String(),
        "delivery": pl.String(),
        "file_bytes": pl.Int64(),
        "needed_bytes": pl.Int64(),
        "needs_whole": pl.Boolean(),
    }
)
_STATUS_END: Final = 1000
_MARK: Final = b"\xef\xbb\xbf"
_AT_ONCE: Final = 65_536  # lines that stand in memory as objects
_NUMBER, _TEXT, _NONE = range(3)  # kinds of ids, in their order
_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")
_COMPUTED: Final = ("needed_bytes", "needs_whole")
_ID_BITS: Final = 116  # up to here a number is a float and a rest that fits 64 bits


class _Line(msgspec.Struct):
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


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that cannot be judged, with the id it bears if that can be told."""

    line_number: int
    id: RequestId
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RequestLines:
    """`ids` of all lines that are not blank, in their order; `rows`, of LINE_SCHEMA, of those that are not broken."""

    ids: list[RequestId]
    rows: pl.DataFrame
    broken: list[BrokenLine]


def parse_request_lines(lines: Iterable[bytes]) -> RequestLines:
    """Every line that is not blank, numbered from 1, as a row or as a broken line."""
    ids: list[RequestId] = []
    broken: list[BrokenLine] = []
    frames = [LINE_SCHEMA.to_frame()]
    numbered = enumerate(lines, start=1)
    while portion := _decode_portion(islice(numbered, _AT_ONCE)):
        frame, errors = _read(portion)
        frames.append(frame)
        ids += portion.ids.values()
        broken += [
            BrokenLine(number, portion.ids[number], *what) for number, what in sorted((portion.broken | errors).items())
        ]
    return RequestLines(ids, pl.concat(frames), broken)


@dataclass(slots=True)
class _Portion:
    """Lines that were decoded, with their numbers; ids of all that are not blank, and what is broken, by number."""

    line_count: int = 0
    ids: dict[int, RequestId] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    told: list[_Line] = field(default_factory=list)
    broken: dict[int, tuple[str, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.line_count > 0


def _decode_portion(numbered: Iterator[tuple[int, bytes]]) -> _Portion:
    decode = msgspec.json.Decoder(_Line).decode
    portion = _Portion()
    for number, line in numbered:
        portion.line_count += 1
        text = line.removeprefix(_MARK).strip()
        if not text:
            continue
        try:
            told = _decode(text, decode)
            _check_id(told.id)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            portion.ids[number] = _find_id(text)
            portion.broken[number] = "malformed_line", str(error)
            continue
        portion.ids[number] = told.id
        portion.numbers.append(number)
        portion.told.append(told)
    return portion


def _decode(text: bytes, decode: Callable[[bytes], _Line]) -> _Line:
    """The line; what is no character of a text is U+FFFD. Raises MsgspecError, ValueError."""
    try:
        return decode(text)
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


def _read(portion: _Portion) -> tuple[pl.DataFrame, dict[int, tuple[str, str]]]:
    """The lines as rows of LINE_SCHEMA, without those whose values cannot be read: these by number, with the reason."""
    told = portion.told
    times, bad_times = read_times([one.time for one in told])
    sizes = _Sizes(told)
    errors: dict[int, ValueError] = bad_times | sizes.errors
    frame = pl.DataFrame(
        {
            "line_number": portion.numbers,
            **_ids([one.id for one in told]),
            "time": times,
            "ip": [None if one.ip is None else parse_address(one.ip) for one in told],
            "user_agent": [one.user_agent or "" for one in told],
            "method": [one.method for one in told],
            "range": [one.range or None for one in told],
            "url": [one.url or None for one in told],
            "referer": [one.referer for one in told],
            "named_episode": [None if one.episode is None else str(one.episode) or None for one in told],
            "delivery": [one.delivery for one in told],
            **sizes.columns,
        },
        schema_overrides={name: kind for name, kind in LINE_SCHEMA.items() if name not in _COMPUTED},
    )
    frame = _with_needs(frame).select(LINE_SCHEMA.names())
    if not errors:
        return frame, {}
    reasons = {
        portion.numbers[place]: ("bad_time" if isinstance(error, BadTime) else "malformed_line", str(error))
        for place, error in errors.items()
    }
    return frame.filter(~pl.col("line_number").is_in(list(reasons))), reasons


def _with_needs(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with what their window needs; files are few, so each is computed once."""
    names = ["file_bytes", "duration_seconds", "header_bytes"]
    files = frame.select(names).unique()
    needs = [compute_needed_bytes(*facts) for facts in files.iter_rows()]
    needed = pl.DataFrame(needs, schema={"needed_bytes": pl.Int64, "needs_whole": pl.Boolean}, orient="row")
    return frame.join(files.hstack(needed), on=names, how="left", nulls_equal=True, maintain_order="left")


class _Sizes:
    """The columns of numbers, and what of them cannot be read."""

    def __init__(self, told: Sequence[_Line]) -> None:
        status, bad_status = read_wholes([one.status for one in told])
        sent, bad_sent = read_wholes([one.bytes_sent for one in told])
        size, bad_size = read_wholes([one.file_bytes for one in told])
        header, bad_header = read_wholes([one.header_bytes for one in told])
        seconds, bad_seconds = read_numbers([one.duration_seconds for one in told])
        # What is no status is none that counts.
        is_status = status.is_between(0, _STATUS_END - 1)
        self.errors = bad_status | bad_sent | bad_size | bad_header | bad_seconds
        self.columns = {
            "status": status.set(~is_status.fill_null(value=True), _STATUS_END),
            "bytes_sent": sent,
            "file_bytes": size,
            "header_bytes": header,
            "duration_seconds": seconds,
        }


def _check_id(request_id: RequestId) -> None:
    if isinstance(request_id, int) and request_id.bit_length() > _ID_BITS:
        raise ValueError("the id is too large")
    if isinstance(request_id, float) and not isfinite(request_id):
        raise ValueError("the id is no number")


def _ids(ids: Sequence[RequestId]) -> dict[str, pl.Series]:
    """What orders by id: numbers by size, to the last digit, then texts by code points, then none."""
    numbers = [None if one is None or isinstance(one, str) else float(one) for one in ids]
    rests = [one - int(float(one)) if isinstance(one, int) else 0 for one in ids]
    kinds = [_NONE if one is None else _TEXT if isinstance(one, str) else _NUMBER for one in ids]
    return {
        "id_kind": pl.Series(kinds, dtype=pl.UInt8),
        "id_number": pl.Series(numbers, dtype=pl.Float64),
        "id_rest": pl.Series(rests, dtype=pl.Int64),
        "id_text": pl.Series([one if isinstance(one, str) else None for one in ids], dtype=pl.String),
    }


def _find_id(text: bytes) -> RequestId:
    """The id of a line of which something else is wrong."""
    told = _decode_loosely(text)
    found = told.get("id") if isinstance(told, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    # No JSON can say what is beyond all numbers.
    return None if isinstance(found, float) and not isfinite(found) else found
