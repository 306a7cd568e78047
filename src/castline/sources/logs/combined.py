"""The common and combined logs of nginx and Apache, with a virtual host in front, with further fields behind.

Lines of strict shape go through the CSV parser, which is fast but would merge or lose lines of any other shape; those
go through a regular expression. nginx `combined`; Apache mod_log_config `common`, `combined` and `vhost_combined`.
"""

import io
from typing import Final

import polars as pl
import re2  # type: ignore[import-untyped]  # it ships no types

from castline.sources.logs.format import no_comments
from castline.sources.logs.rows import unescaped
from castline.sources.logs.times import zone_minutes

ADDRESS: Final = r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*(?:%[0-9A-Za-z]+)?"
_WORD: Final = r'[^ "\\\r]+'
_QUOTED: Final = r'"[^"\\\r]*"'
_EXTRA_COUNT: Final = 6
_HEAD: Final = rf" {_WORD} {_WORD} \[[^\] \"\\]+ [+-][0-9]{{4}}\] {_QUOTED} [0-9]{{3}} (?:[0-9]{{1,18}}|-)"
_EXTRA: Final = rf"(?: {_QUOTED}| {_WORD})"
_SHAPE: Final = rf"{_HEAD}(?: {_QUOTED} {_QUOTED}{_EXTRA}{{0,{_EXTRA_COUNT}}})?$"
_FIELDS: Final = ("address", "_ident", "_user", "_stamp", "_zone", "request", "status", "bytes_sent", "referer")
_EXTRAS: Final = tuple(f"_extra_{number}" for number in range(_EXTRA_COUNT))
# The shapes that lines are tried for in turn, and the fields in front of the agent and behind it. To read fields that
# no line has costs as much again, so most lines, which have at most one behind the agent, are read by themselves.
_SHAPES: Final = (
    (rf"^{ADDRESS}{_HEAD}(?: {_QUOTED} {_QUOTED}{_EXTRA}?)?$", _FIELDS, _EXTRAS[:1]),
    (f"^{ADDRESS}{_SHAPE}", _FIELDS, _EXTRAS),
    (f"^{_WORD} {ADDRESS}{_SHAPE}", ("host", *_FIELDS), _EXTRAS),
)

# A quoted field may hold \" and \\ (Apache) or \x22 (nginx). The last alternatives take quotes that nobody escaped.
_ESCAPED: Final = r'"((?:[^"\\]|\\.)*)"'
_LINE: Final = (
    rf"^ *(?:(\S+) )?({ADDRESS}) (\S+) (.*?) (\[[^\] ]+) ([+-][0-9]{{4}}\]) "
    rf"(?:{_ESCAPED}|\"(.*?)\") ([0-9]{{3}}) ([0-9]{{1,18}}|-)"
    rf"(?: {_ESCAPED} (?:{_ESCAPED}((?: .*)?)|\"(.*)\"))?\s*$"
)
_LINE_FIELDS: Final = (
    "host", "address", "_ident", "_user", "_stamp", "_zone", "_request", "_loose_request", "status", "bytes_sent",
    "referer", "_agent", "_tail", "_loose_agent",
)  # fmt: skip
_STAMP: Final = "[%d/%b/%Y:%H:%M:%S"
TAIL_RANGE: Final = r'(?:^| )"?(bytes=[0-9, -]+)'
# X-Forwarded-For behind the agent, as nginx's own `main` has it; an address with a port is that of an upstream server.
_HOP: Final = r"(?:unknown|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)"
_HOPS: Final = rf"{_HOP}(?:, ?{_HOP})*"
_FORWARDED: Final = f"^{_HOPS}$"
TAIL_FORWARDED: Final = f'(?:^| )"?({_HOPS})(?:["]| |$)'
_LINE_FORM: Final = re2.compile(_LINE)  # linear, whatever the line
_KEPT: Final = (
    "line_number",
    "time",
    "address",
    "host",
    "request",
    "status",
    "bytes_sent",
    "referer",
    "user_agent",
    "range",
    "forwarded",
)


class CombinedReader:
    """Reads common, combined and vhost_combined lines, mixed as they come."""

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are one of them."""
        parts, rest = [], numbered
        for shape, fields, extra_names in _SHAPES:
            fits = rest["line"].str.contains(shape)
            if fits.any():
                parts.append(_read_csv(rest if fits.all() else rest.filter(fits), fields, extra_names))
            rest = rest.clear() if fits.all() else rest.filter(~fits)
        if not parts or not rest.is_empty():
            parts.append(_read_odd(rest))
        timed = [_add_time(part) for part in parts]
        return timed[0] if len(timed) == 1 else pl.concat(timed).sort("line_number")

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)


def fits_combined(line: str) -> bool:
    """Whether the line is common, combined or vhost_combined."""
    return _LINE_FORM.match(line) is not None


def _read_csv(numbered: pl.DataFrame, fields: tuple[str, ...], extra_names: tuple[str, ...]) -> pl.DataFrame:
    """The fields of lines that have passed their shape test."""
    names = (*fields, "user_agent", *extra_names)
    schema = dict.fromkeys(names, pl.String)
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
    extras = [name for name in extra_names if frame[name].null_count() < frame.height]
    ranges = [pl.when(pl.col(name).str.starts_with("bytes=")).then(pl.col(name)) for name in extras]
    hops = [pl.when(pl.col(name).str.contains(_FORWARDED)).then(pl.col(name)) for name in extras]
    nothing = pl.lit(None, pl.String)
    return frame.with_columns(
        numbered["line_number"],
        range=pl.coalesce(*ranges, nothing),
        forwarded=pl.coalesce(*hops, nothing),
        host=pl.col("host") if "host" in fields else nothing,
    )


def _read_odd(numbered: pl.DataFrame) -> pl.DataFrame:
    """The fields of lines that the shape test did not pass and the regular expression did."""
    fields = pl.col("line").str.extract_groups(_LINE).struct.rename_fields(list(_LINE_FIELDS)).alias("fields")
    # A carriage return within a line ends another one, of a file whose lines end so.
    whole = numbered.filter(~pl.col("line").str.contains("\r."))
    frame = whole.select("line_number", fields).unnest("fields").filter(pl.col("address").is_not_null())
    return frame.select(
        "line_number",
        *(unescaped(name, frame) for name in ("host", "address", "_stamp", "_zone", "status", "bytes_sent", "referer")),
        unescaped("_request", frame).fill_null(pl.col("_loose_request")).alias("request"),
        unescaped("_agent", frame).fill_null(pl.col("_loose_agent")).alias("user_agent"),
        pl.col("_tail").str.extract(TAIL_RANGE).alias("range"),
        pl.col("_tail").str.extract(TAIL_FORWARDED).alias("forwarded"),
    )


def _add_time(frame: pl.DataFrame) -> pl.DataFrame:
    zones = {zone: None if zone is None else zone_minutes(zone) for zone in frame["_zone"].unique()}
    local = pl.col("_stamp").str.to_datetime(_STAMP, time_unit="us", time_zone="UTC", strict=False)
    offset = pl.duration(minutes=pl.col("_zone").replace_strict(zones, default=None, return_dtype=pl.Int32))
    return frame.with_columns(time=local - offset).select(_KEPT)
