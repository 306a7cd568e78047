"""Access logs of nginx and Apache: combined, common, with a virtual host in front, with further fields behind.

Every line is accounted for. Lines of strict shape go through the CSV parser, which is fast but would merge or lose
lines of any other shape; those go through a regular expression; what fits neither is refused with number and reason.
Formats: nginx `combined`, Apache mod_log_config `common`, `combined` and `vhost_combined`.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

import polars as pl
from polars.exceptions import ComputeError

from castline.base.errors import SourceUnreadable
from castline.sources.log_file import Lines, LogFile

LineReason: TypeAlias = Literal["malformed_line", "line_too_long", "bad_time", "time_in_future"]
REQUEST_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "time": pl.Datetime("us", "UTC"),
        "address": pl.String(),
        "host": pl.String(),
        "method": pl.String(),
        "path": pl.String(),
        "status": pl.UInt16(),
        "bytes_sent": pl.Int64(),
        "referer": pl.String(),
        "user_agent": pl.String(),
        "range": pl.String(),
    }
)
REFUSED_SCHEMA: Final = pl.Schema(
    {"line_number": pl.UInt32, "reason": pl.String, "detail": pl.String, "payload": pl.String}
)
# What is kept of a field: an episode's address has at most 4,096 characters, so a longer one is none.
_KEPT: Final = {"user_agent": 4096, "path": 4097, "referer": 1024, "host": 255, "range": 255}
_PAYLOAD_LENGTH: Final = 2000
_CLOCK_SLACK: Final = timedelta(days=1)
_BOM: Final = b"\xef\xbb\xbf"

_ADDRESS: Final = r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*(?:%[0-9A-Za-z]+)?"
_WORD: Final = r'[^ "\\\r]+'
_QUOTED: Final = r'"[^"\\\r]*"'
_EXTRA_COUNT: Final = 6
_SHAPE: Final = (
    rf" {_WORD} {_WORD} \[[^\] \"\\]+ [+-][0-9]{{4}}\] {_QUOTED} [0-9]{{3}} (?:[0-9]{{1,18}}|-)"
    rf"(?: {_QUOTED} {_QUOTED}(?: {_QUOTED}| {_WORD}){{0,{_EXTRA_COUNT}}})?$"
)
_PLAIN_SHAPE: Final = f"^{_ADDRESS}{_SHAPE}"
_HOSTED_SHAPE: Final = f"^{_WORD} {_ADDRESS}{_SHAPE}"
_FIELDS: Final = ("address", "_ident", "_user", "_stamp", "_zone", "request", "status", "bytes_sent", "referer")
_EXTRAS: Final = tuple(f"_extra_{number}" for number in range(_EXTRA_COUNT))

# A quoted field may hold \" and \\ (Apache) or \x22 (nginx). The last alternatives take quotes that nobody escaped.
_ESCAPED: Final = r'"((?:[^"\\]|\\.)*)"'
_LINE: Final = (
    rf"^(?:(\S+) )?({_ADDRESS}) (\S+) (.*?) (\[[^\] ]+) ([+-][0-9]{{4}}\]) "
    rf"(?:{_ESCAPED}|\"(.*?)\") ([0-9]{{3}}) ([0-9]{{1,18}}|-)"
    rf"(?: {_ESCAPED} (?:{_ESCAPED}((?: .*)?)|\"(.*)\"))?\s*$"
)
_LINE_FIELDS: Final = (
    "host", "address", "_ident", "_user", "_stamp", "_zone", "_request", "_loose_request", "status", "bytes_sent",
    "referer", "_agent", "_tail", "_loose_agent",
)  # fmt: skip
_STAMP: Final = "[%d/%b/%Y:%H:%M:%S"
_ZONE_LIMIT: Final = 15 * 60
_ESCAPE: Final = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|(["\\nrtbfv]))')
_CONTROL: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_TAIL_RANGE: Final = r'(?:^| )"?(bytes=[0-9, -]+)'
_PROTOCOL: Final = "HTTP/"
_REQUEST: Final = r"^(?P<method>\S+) (?P<url>.*?)(?: HTTP/[0-9.]+)?$"


class NotAnAccessLog(SourceUnreadable):
    """{source} is no access log: line {line}: {text}, where a line such as {example} is expected."""

    fix = "Give a log in the common or combined format of nginx or Apache, plain or gzipped."


_EXAMPLE: Final = '203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET /a.mp3 HTTP/1.1" 200 2326 "-" "Overcast/3.0"'


@dataclass(frozen=True, slots=True)
class LogBlock:
    """Some lines as read: one row of `requests` or of `refused` per line that is not blank."""

    requests: pl.DataFrame
    refused: pl.DataFrame

    @property
    def line_count(self) -> int:
        """The lines accounted for; blank ones are none."""
        return self.requests.height + self.refused.height


def iter_requests(file: LogFile, *, now_at: datetime) -> Iterator[LogBlock]:
    """The file's lines in blocks, in order. Raises NotAnAccessLog where the first block holds no request at all."""
    is_known = False
    for lines in file.iter_lines():
        block = parse_lines(lines, now_at=now_at)
        if not is_known and block.line_count:
            _check_format(file, block)
            is_known = True
        yield block


def parse_lines(lines: Lines, *, now_at: datetime) -> LogBlock:
    """The requests of some lines, and the lines that are none."""
    if lines.skipped:
        row = {"line_number": lines.first_line, "reason": "line_too_long", "detail": lines.skipped}
        payload = lines.text.decode("utf-8", "replace")
        return LogBlock(REQUEST_SCHEMA.to_frame(), pl.DataFrame([row | {"payload": payload}], REFUSED_SCHEMA))
    numbered = _number_lines(lines)
    plain = numbered["line"].str.contains(_PLAIN_SHAPE)
    if plain.all():
        return _split_by_time(_finish(_read_plain(numbered)), numbered, now_at)
    others = numbered.filter(~plain)
    hosted = others["line"].str.contains(_HOSTED_SHAPE)
    rest = _read_odd(others.filter(~hosted))
    fast = [_read_plain(numbered.filter(plain)), _read_hosted(others.filter(hosted))]
    found = pl.concat([_finish(part) for part in (*fast, rest)]).sort("line_number")
    block = _split_by_time(found, numbered, now_at)
    missed = others.join(found, on="line_number", how="anti")
    malformed = _refuse(missed, "malformed_line", pl.lit("fits neither the common nor the combined format"))
    return LogBlock(block.requests, pl.concat([block.refused, malformed]).sort("line_number"))


def _check_format(file: LogFile, block: LogBlock) -> None:
    strange = block.refused.filter(pl.col("reason").is_in(["malformed_line", "line_too_long"]))
    if strange.height == block.line_count:
        first = strange.row(0, named=True)
        text = repr(first["payload"][:80])
        raise NotAnAccessLog(source=file.path, line=first["line_number"], text=text, example=_EXAMPLE)


def _number_lines(lines: Lines) -> pl.DataFrame:
    """One row per line that is not blank; what is no UTF-8, and NUL, became U+FFFD."""
    text = lines.text.removeprefix(_BOM) if lines.first_line == 1 else lines.text
    text = text.replace(b"\0", "\N{REPLACEMENT CHARACTER}".encode())
    if not text:
        return pl.DataFrame(schema={"line_number": pl.UInt32, "line": pl.String})
    try:
        frame = pl.read_lines(io.BytesIO(text), name="line")
    except ComputeError:
        frame = pl.read_lines(io.BytesIO(text.decode("utf-8", "replace").encode()), name="line")
    frame = frame.with_row_index("line_number", lines.first_line)
    return frame.filter(pl.col("line").str.len_bytes() > 0)


def _read_plain(numbered: pl.DataFrame) -> pl.DataFrame:
    return _read_csv(numbered, _FIELDS).with_columns(host=pl.lit(None, pl.String))


def _read_hosted(numbered: pl.DataFrame) -> pl.DataFrame:
    return _read_csv(numbered, ("host", *_FIELDS))


def _read_csv(numbered: pl.DataFrame, fields: tuple[str, ...]) -> pl.DataFrame:
    """The fields of lines that have passed their shape test."""
    names = (*fields, "user_agent", *_EXTRAS)
    schema = dict.fromkeys(names, pl.String)
    if numbered.is_empty():
        return pl.DataFrame(schema={"line_number": pl.UInt32, **schema}).with_columns(range=pl.lit(None, pl.String))
    text = io.BytesIO()
    numbered.select("line").write_csv(text, include_header=False, quote_style="never")
    frame = pl.read_csv(
        text.getvalue(),
        separator=" ",
        has_header=False,
        schema=schema,
        truncate_ragged_lines=True,
        missing_columns="insert",
    )
    if frame.height != numbered.height:
        raise AssertionError(f"{numbered.height} lines became {frame.height} rows")
    extras = [name for name in _EXTRAS if frame[name].null_count() < frame.height]
    ranges = [pl.when(pl.col(name).str.starts_with("bytes=")).then(pl.col(name)) for name in extras]
    return frame.with_columns(numbered["line_number"], range=pl.coalesce(*ranges, pl.lit(None, pl.String)))


def _read_odd(numbered: pl.DataFrame) -> pl.DataFrame:
    """The fields of lines that the shape test did not pass and the regular expression did."""
    fields = pl.col("line").str.extract_groups(_LINE).struct.rename_fields(list(_LINE_FIELDS)).alias("fields")
    frame = numbered.select("line_number", fields).unnest("fields").filter(pl.col("address").is_not_null())
    return frame.select(
        "line_number",
        *(_unescaped(name, frame) for name in ("host", "address", "_stamp", "_zone", "status", "bytes_sent")),
        _unescaped("referer", frame),
        _unescaped("_request", frame).fill_null(pl.col("_loose_request")).alias("request"),
        _unescaped("_agent", frame).fill_null(pl.col("_loose_agent")).alias("user_agent"),
        pl.col("_tail").str.extract(_TAIL_RANGE).alias("range"),
    )


def _unescaped(name: str, frame: pl.DataFrame) -> pl.Expr:
    odd = frame[name].filter(frame[name].str.contains("\\", literal=True)).unique()
    return pl.col(name).replace({text: _unescape(text) for text in odd}) if len(odd) else pl.col(name)


def _unescape(text: str) -> str:
    """What the server had received, as UTF-8."""
    raw = _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else _CONTROL.get(found[2], found[2]), text.encode()
    )
    return raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _finish(frame: pl.DataFrame) -> pl.DataFrame:
    """Typed columns of REQUEST_SCHEMA; `time` is null where the log's is none."""
    zones = {zone: _zone_minutes(zone) for zone in frame["_zone"].unique()}
    frame = _split_request(frame)
    local = pl.col("_stamp").str.to_datetime(_STAMP, time_unit="us", time_zone="UTC", strict=False)
    offset = pl.duration(minutes=pl.col("_zone").replace_strict(zones, default=None, return_dtype=pl.Int32))
    frame = frame.with_columns(
        time=local - offset,
        status=pl.col("status").cast(pl.UInt16),
        # Apache's %b writes "-" for no byte at all.
        bytes_sent=pl.col("bytes_sent").cast(pl.Int64, strict=False).fill_null(0),
        user_agent=pl.when(pl.col("user_agent") != "-").then(pl.col("user_agent")).otherwise(pl.lit("")),
        referer=pl.when(~pl.col("referer").is_in(["-", ""])).then(pl.col("referer")),
        host=pl.col("host").str.to_lowercase(),
    )
    cut = [
        pl.col(name).str.head(limit)
        for name, limit in _KEPT.items()
        if int(frame[name].str.len_bytes().max() or 0) > limit  # type: ignore[arg-type]  # a maximum of lengths
    ]
    return frame.with_columns(*cut).select(REQUEST_SCHEMA.names()).cast(REQUEST_SCHEMA)


def _zone_minutes(zone: str | None) -> int | None:
    if zone is None:
        return None
    digits = zone.rstrip("]")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return None if minutes > _ZONE_LIMIT else minutes * (-1 if digits[0] == "-" else 1)


def _split_request(frame: pl.DataFrame) -> pl.DataFrame:
    """`method` and `path`, both null where the request line is no HTTP; a whole address gives its host as well."""
    parts = pl.col("request").str.split_exact(" ", 2).struct.rename_fields(["method", "url", "_protocol"])
    frame = frame.with_columns(parts.alias("parts")).unnest("parts")
    spaced = pl.col("request").str.contains(" ", literal=True) & ~pl.col("_protocol").str.starts_with(_PROTOCOL)
    if frame.select(spaced.fill_null(value=False).any()).item():
        # A blank inside the address: the protocol is what stands last.
        wide = pl.col("request").str.extract_groups(_REQUEST)
        frame = frame.with_columns(
            url=pl.when(spaced).then(wide.struct.field("url")).otherwise(pl.col("url")),
        )
    is_http = pl.col("method").str.contains(r"^[A-Za-z]{1,20}$") & pl.col("url").is_not_null()
    frame = frame.with_columns(
        method=pl.when(is_http).then(pl.col("method")),
        path=pl.when(is_http).then(pl.col("url").str.split_exact("?", 1).struct.field("field_0")),
    )
    whole = pl.col("path").str.contains(r"^[A-Za-z]+://")
    if not frame.select(whole.any()).item():
        return frame
    named = pl.col("path").str.extract_groups(r"^[A-Za-z]+://(?P<host>[^/]+)(?P<path>/.*)?$")
    return frame.with_columns(
        host=pl.when(whole).then(named.struct.field("host")).otherwise(pl.col("host")),
        path=pl.when(whole).then(named.struct.field("path").fill_null("/")).otherwise(pl.col("path")),
    )


def _split_by_time(found: pl.DataFrame, numbered: pl.DataFrame, now_at: datetime) -> LogBlock:
    """Requests without a time, or from after tomorrow, are refused."""
    limit = now_at + _CLOCK_SLACK
    good = found["time"].is_not_null() & (found["time"] <= limit)
    if good.all():
        return LogBlock(found, REFUSED_SCHEMA.to_frame())
    bad = found.filter(~good.fill_null(value=False)).select("line_number", "time").join(numbered, on="line_number")
    unreadable = bad.filter(pl.col("time").is_null())
    future = bad.filter(pl.col("time").is_not_null())
    refused = pl.concat(
        [
            _refuse(unreadable, "bad_time", pl.lit("the time is no day/month/year:hour:minute:second zone")),
            _refuse(future, "time_in_future", pl.format("{} lies in the future", pl.col("time"))),
        ]
    )
    return LogBlock(found.filter(good.fill_null(value=False)), refused.sort("line_number"))


def _refuse(lines: pl.DataFrame, reason: LineReason, detail: pl.Expr) -> pl.DataFrame:
    columns = {"reason": pl.lit(reason), "detail": detail, "payload": pl.col("line").str.head(_PAYLOAD_LENGTH)}
    return lines.select("line_number", **columns).cast(REFUSED_SCHEMA)
