"""What logs of every format become: one row per request, one row per refused line, and nothing lost between them.

A format's reader gives what a line says as text, under the names of TEXTS; `compute_requests` makes typed columns of
it, the same way for every format.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

import polars as pl

from castline.sources.logs.times import parse_times
from castline.sources.url_query import ENDS_AS_AUDIO, NAMES_AUDIO, NAMES_ITSELF, keep_parameters

LineReason: TypeAlias = Literal["malformed_line", "line_too_long", "bad_time", "time_in_future", "range_too_long"]
REQUEST_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "time": pl.Datetime("us", "UTC"),
        "address": pl.String(),
        "listener": pl.String(),  # what stands for the address where a source hashes it itself
        "country": pl.String(),  # as the source says, for rows without an address
        "host": pl.String(),
        "method": pl.String(),
        "path": pl.String(),
        "status": pl.UInt16(),
        "bytes_sent": pl.Int64(),  # null where the source does not tell
        "referer": pl.String(),
        "user_agent": pl.String(),
        "range": pl.String(),
        "request_id": pl.Binary(),  # 16 bytes: a hash of the source's own id
        "delivery": pl.String(),  # null is `file`
    }
)
REFUSED_SCHEMA: Final = pl.Schema(
    {"line_number": pl.UInt32, "reason": pl.String, "detail": pl.String, "payload": pl.String}
)
# What a reader may give of a line, as text; `request` is the whole request line, `url` its middle.
TEXTS: Final = (
    "stamp", "address", "forwarded", "listener", "country", "host", "request", "method", "url", "status", "bytes_sent",
    "query", "referer", "user_agent", "range", "request_id", "delivery",
)  # fmt: skip
# What is kept of a field: an episode's address has at most 4,096 characters, so a longer one is none.
_KEPT: Final = {"user_agent": 4096, "path": 4097, "referer": 1024, "host": 255}
# A Range is kept whole: cut, it would ask for other bytes. Servers take no longer header: nginx's
# large_client_header_buffers and Apache's LimitRequestFieldSize, by default.
_LONGEST_RANGE: Final = 8192
_PAYLOAD_LENGTH: Final = 2000
_CLOCK_SLACK: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MANY: Final = 0.5  # of the rows: from here on, finding the distinct ones costs more than it saves
_NO_ID: Final = frozenset({"", "-"})
_PROTOCOL: Final = "HTTP/"
_REQUEST: Final = r"^(?P<method>\S+) (?P<url>.*?)(?: HTTP/[0-9.]+)?$"
_BARE_RANGE: Final = r"^(?:bytes *[= ] *)?([0-9]* *- *[0-9]*)(?:/(?:[0-9]+|\*))?$"
_ESCAPE: Final = re.compile(rb'\\(?:x([0-9A-Fa-f]{2})|(["\\nrtbfv]))')
_CONTROL: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


@dataclass(frozen=True, slots=True)
class LogBlock:
    """Some lines as read: one row of `requests` or of `refused` per line that is neither blank nor a comment."""

    requests: pl.DataFrame
    refused: pl.DataFrame

    @property
    def line_count(self) -> int:
        """The lines accounted for."""
        return self.requests.height + self.refused.height


def compute_requests(found: pl.DataFrame, family: str, zone: str = "UTC") -> pl.DataFrame:
    """Columns of REQUEST_SCHEMA from what a reader gave; `time` is null where the line's is none.

    `found` has `line_number`, some of TEXTS, and perhaps `time` already. Request ids of one family are one space. Times
    that name no zone are in `zone`.
    """
    missing = [pl.lit(None, pl.String).alias(name) for name in TEXTS if name not in found.columns]
    frame = found.with_columns(missing)
    if "time" not in found.columns:
        frame = frame.with_columns(parse_times(frame["stamp"], zone).alias("time"))
    frame = _split_requests_once(frame).with_columns(
        status=pl.col("status").cast(pl.UInt16, strict=False),
        # Apache's %b writes "-" for no byte at all.
        bytes_sent=pl.col("bytes_sent")
        .cast(pl.Int64, strict=False)
        .fill_null(pl.when(pl.col("bytes_sent") == "-").then(pl.lit(0, pl.Int64))),
        user_agent=_said("user_agent").fill_null(""),
        referer=_said("referer"),
        host=_said("host").str.to_lowercase(),
        country=_country(),
        range=_canonical_range(frame["range"]),
        request_id=_hash_ids(frame["request_id"], family),
    )
    cut = [
        pl.col(name).str.head(limit)
        for name, limit in _KEPT.items()
        if int(frame[name].str.len_bytes().max() or 0) > limit  # type: ignore[arg-type]  # a maximum of lengths
    ]
    return frame.with_columns(cut).select(REQUEST_SCHEMA.names()).cast(REQUEST_SCHEMA)


def split_requests(found: pl.DataFrame, numbered: pl.DataFrame, now_at: datetime) -> LogBlock:
    """Requests without a time, from before 1970 or from after tomorrow are refused, and those of too long a Range."""
    limit = now_at + _CLOCK_SLACK
    good = (found["time"].is_not_null() & (found["time"] <= limit) & (found["time"] >= _EPOCH)).fill_null(value=False)
    length = found["range"].str.len_bytes().fill_null(0)
    good &= length <= _LONGEST_RANGE
    if good.all():
        return LogBlock(found, REFUSED_SCHEMA.to_frame())
    bad = found.with_columns(length=length).filter(~good).select("line_number", "time", "length")
    bad = bad.join(numbered, on="line_number")
    in_future = (pl.col("time") > limit).fill_null(value=False)
    in_past = (pl.col("time") < _EPOCH).fill_null(value=True)
    too_long = pl.format("its Range has {} characters, more than {}", pl.col("length"), pl.lit(_LONGEST_RANGE))
    refused = [
        refuse(bad.filter(in_past), "bad_time", pl.lit("the line's time is no time after 1970")),
        refuse(bad.filter(in_future), "time_in_future", pl.format("{} lies in the future", pl.col("time"))),
        refuse(bad.filter(~in_past & ~in_future), "range_too_long", too_long),
    ]
    return LogBlock(found.filter(good), pl.concat(refused).sort("line_number"))


def refuse(lines: pl.DataFrame, reason: LineReason, detail: pl.Expr) -> pl.DataFrame:
    """Rows of REFUSED_SCHEMA for lines with their numbers."""
    columns = {"reason": pl.lit(reason), "detail": detail, "payload": pl.col("line").str.head(_PAYLOAD_LENGTH)}
    return lines.select("line_number", **columns).cast(REFUSED_SCHEMA)


def unescaped(name: str, frame: pl.DataFrame) -> pl.Expr:
    """The column as the server had received it: nginx and Apache write quotes and controls with a backslash."""
    odd = frame[name].filter(frame[name].str.contains("\\", literal=True)).unique()
    return pl.col(name).replace({text: _unescape(text) for text in odd}) if len(odd) else pl.col(name)


def first_said(*names: str) -> pl.Expr:
    """The first of the columns that says something: not null, not empty, not a hyphen."""
    return pl.coalesce(*(_said(name) for name in names))


def _said(name: str) -> pl.Expr:
    column = pl.col(name)
    return pl.when((column != "-") & (column != "")).then(column)


def _country() -> pl.Expr:
    """Two capitals; Cloudflare writes them small, and XX or T1 for what is no country."""
    code = pl.col("country").str.to_uppercase()
    return pl.when(code.str.contains("^[A-Z]{2}$") & (code != "XX")).then(code)


def _unescape(text: str) -> str:
    raw = _ESCAPE.sub(
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else _CONTROL.get(found[2], found[2]), text.encode()
    )
    return raw.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _split_requests_once(frame: pl.DataFrame) -> pl.DataFrame:
    """`method`, `host` and `path` of each row: where only the request line tells them, once for each distinct one."""
    if any(frame[name].null_count() < frame.height for name in ("method", "url", "query", "host")):
        return _split_url(_split_request(frame))
    distinct = frame.select("request").unique()
    if distinct.height > frame.height * _MANY:
        return _split_url(_split_request(frame))
    nothing = [pl.lit(None, pl.String).alias(name) for name in ("method", "url", "query", "host")]
    told = _split_url(_split_request(distinct.with_columns(nothing))).select("request", "method", "path", "host")
    rest = frame.drop("method", "host")
    return rest.join(told, on="request", how="left", nulls_equal=True, maintain_order="left")


def _split_request(frame: pl.DataFrame) -> pl.DataFrame:
    """`method` and `url` out of the request line, where they are not told apart; null where it is no HTTP."""
    if frame["request"].null_count() == frame.height:
        return frame
    parts = pl.col("request").str.split_exact(" ", 2).struct.rename_fields(["_method", "_url", "_protocol"])
    frame = frame.with_columns(parts.alias("parts")).unnest("parts")
    spaced = pl.col("request").str.contains(" ", literal=True) & ~pl.col("_protocol").str.starts_with(_PROTOCOL)
    if frame.select(spaced.fill_null(value=False).any()).item():
        # A blank inside the address: the protocol is what stands last.
        wide = pl.col("request").str.extract_groups(_REQUEST)
        frame = frame.with_columns(_url=pl.when(spaced).then(wide.struct.field("url")).otherwise(pl.col("_url")))
    # Some write the method alone under that name, and the address beside it.
    is_http = pl.col("_method").str.contains(r"^[A-Za-z]{1,20}$") & pl.coalesce("_url", "url").is_not_null()
    return frame.with_columns(
        method=pl.col("method").fill_null(pl.when(is_http).then(pl.col("_method"))),
        url=pl.col("url").fill_null(pl.when(is_http).then(pl.col("_url"))),
    )


def _split_url(frame: pl.DataFrame) -> pl.DataFrame:
    """`path` without its query, but for parameters that may name the file; a whole address gives its host as well."""
    parts = pl.col("url").str.split_exact("?", 1).struct.rename_fields(["path", "_query"])
    frame = _keep_parameters(frame.with_columns(parts.alias("parts")).unnest("parts"))
    whole = pl.col("path").str.contains(r"^[A-Za-z]+://")
    if not frame.select(whole.any()).item():
        return frame
    named = pl.col("path").str.extract_groups(r"^[A-Za-z]+://(?P<host>[^/]+)(?P<path>/.*)?$")
    return frame.with_columns(
        host=pl.when(whole).then(named.struct.field("host")).otherwise(pl.col("host")),
        path=pl.when(whole).then(named.struct.field("path").fill_null("/")).otherwise(pl.col("path")),
    )


def _keep_parameters(frame: pl.DataFrame) -> pl.DataFrame:
    """Behind the path stand the parameters that may name the file; `query` is told apart from the address or not."""
    told = frame.select("path", query=pl.coalesce(_said("query").str.strip_prefix("?"), "_query")).with_row_index(
        "place"
    )
    asked = told.filter(pl.col("query") != "")
    is_audio = pl.col("path").str.contains(ENDS_AS_AUDIO) & pl.col("query").str.contains(NAMES_AUDIO)
    named = asked.filter(is_audio | ~pl.col("path").str.contains(NAMES_ITSELF))
    if named.is_empty():
        return frame
    kept = named.select("query", is_audio=is_audio).unique()
    behind = [keep_parameters(text, is_audio=audio) for text, audio in kept.iter_rows()]
    table = kept.with_columns(behind=pl.Series(behind, dtype=pl.String))
    found = named.with_columns(is_audio=is_audio).join(table, on=["query", "is_audio"]).select("place", "behind")
    more = told.select("place").join(found, on="place", how="left", maintain_order="left")["behind"].fill_null("")
    return frame.with_columns(path=pl.col("path") + more)


def _canonical_range(texts: pl.Series) -> pl.Series:
    """`bytes=A-B` for one range however it is written (`Content-Range` too); anything else as it stands."""
    odd = ~texts.str.starts_with("bytes=") | texts.str.contains(" ", literal=True)
    if not odd.any():
        return texts
    frame = pl.DataFrame({"range": texts})
    bare = pl.col("range").str.extract(_BARE_RANGE, 1).str.replace_all(" ", "", literal=True)
    canonical = pl.when(bare.str.contains("[0-9]")).then(pl.concat_str(pl.lit("bytes="), bare))
    return frame.select(canonical.fill_null(_said("range")).alias("range"))["range"]


def _hash_ids(ids: pl.Series, family: str) -> pl.Series:
    if ids.null_count() == len(ids):
        return pl.Series("request_id", [None] * len(ids), pl.Binary)
    space = blake2b(family.encode(), digest_size=16).digest()
    hashed = [
        None if one is None or one in _NO_ID else blake2b(one.encode(), digest_size=16, person=space).digest()
        for one in ids.to_list()
    ]
    return pl.Series("request_id", hashed, pl.Binary)
