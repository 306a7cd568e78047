"""A file of requests, one JSON object a line, becomes rows that can be judged; each line is a request or told apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
import polars as pl

from castline.measure.matching import compute_needed_bytes

RequestId = int | float | str | None
# A number of seconds that large would lie beyond the year 5000: it is thousandths, or millionths.
_SECONDS_END: Final = 1e11
_MILLIS_END: Final = 1e14
LINE_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "id_kind": pl.UInt8(),
        "id_number": pl.Float64(),
        "id_text": pl.String(),
        "time": pl.Datetime("us", "UTC"),
        "address": pl.String(),
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
_BYTES_END: Final = 1 << 53


class _Line(msgspec.Struct):
    """A line as it comes; every field may be missing or null, numbers may be written as text."""

    id: RequestId = None
    time: int | float | str | None = None
    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    status: int | float | str | None = None
    range: str | None = None
    bytes_sent: int | float | str | None = None
    url: str | None = None
    referer: str | None = None
    episode: str | int | None = None
    file_bytes: int | float | str | None = None
    duration_seconds: int | float | str | None = None
    header_bytes: int | float | str | None = None
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
    """`ids` and `broken` by line number; `rows` are of LINE_SCHEMA, in the order of the lines."""

    ids: dict[int, RequestId]
    rows: pl.DataFrame
    broken: dict[int, BrokenLine]


def parse_request_lines(lines: Iterable[bytes]) -> RequestLines:
    """Every line that is not blank, numbered from 1, as a row or as a broken line."""
    decoder = msgspec.json.Decoder(_Line)
    ids: dict[int, RequestId] = {}
    broken: dict[int, BrokenLine] = {}
    rows: list[tuple[object, ...]] = []
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        try:
            told = decoder.decode(text)
            ids[number] = told.id
            rows.append(_row_of(number, told))
        except _BadTime as error:
            broken[number] = BrokenLine(number, ids[number], "bad_time", str(error))
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            ids[number] = _find_id(text)
            broken[number] = BrokenLine(number, ids[number], "malformed_line", str(error))
    return RequestLines(ids, pl.DataFrame(rows, schema=LINE_SCHEMA, orient="row"), broken)


class _BadTime(Exception):
    pass


def _row_of(number: int, told: _Line) -> tuple[object, ...]:
    size, header = _whole(told.file_bytes), _whole(told.header_bytes)
    needed, whole = _needed(size, _number(told.duration_seconds), header)
    status = _whole(told.status)
    kind = 2 if told.id is None else 1 if isinstance(told.id, str) else 0
    return (
        number,
        kind,
        None if kind else float(told.id),  # type: ignore[arg-type]  # kind 0 is a number
        told.id if kind == 1 else None,
        _time_of(told.time),
        None if told.ip is None else told.ip.strip(),
        told.user_agent or "",
        told.method,
        # What is no status is none that counts.
        None if status is None else status if 0 <= status < _STATUS_END else _STATUS_END,
        told.range or None,
        _whole(told.bytes_sent),
        told.url or None,
        told.referer,
        None if told.episode is None or told.episode == "" else str(told.episode),
        told.delivery,
        size,
        needed,
        whole,
    )


_needed = lru_cache(maxsize=100_000)(compute_needed_bytes)


def _number(value: float | str | None) -> float | None:
    """The number as a float, None for none. Raises ValueError for what is no finite number."""
    if value is None or value == "":
        return None
    number = float(value)
    if not abs(number) < _BYTES_END:
        raise ValueError(f"{value!r} is too large")
    return number


def _whole(value: float | str | None) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _time_of(value: float | str | None) -> datetime:
    """ISO 8601, in UTC where it names no zone, or a number since 1970: seconds, thousandths or millionths."""
    if value is None:
        raise _BadTime("no time")
    try:
        if isinstance(value, str):
            return _parse_time(value)
        size = 1 if abs(value) < _SECONDS_END else 1e3 if abs(value) < _MILLIS_END else 1e6
        return datetime.fromtimestamp(value / size, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _BadTime(f"{str(value)[:60]!r} is no time") from error


@lru_cache(maxsize=10_000)
def _parse_time(text: str) -> datetime:
    parsed = datetime.fromisoformat(text.strip())
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _find_id(text: bytes) -> RequestId:
    """The id of a line of which something else is wrong."""
    try:
        told = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError):
        return None
    found = told.get("id") if isinstance(told, dict) else None
    return found if isinstance(found, int | float | str) and not isinstance(found, bool) else None
