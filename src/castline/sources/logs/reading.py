"""A log file, of whatever format, as requests: every line is landed, refused with its reason, blank or a comment."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NoReturn

import polars as pl
from polars.exceptions import ComputeError

from castline.base.config import Network
from castline.base.errors import InvalidInput, SourceUnreadable
from castline.sources.logs.cloudfront import is_realtime_choice
from castline.sources.logs.file import Lines, LogFile
from castline.sources.logs.format import LogFormat, LogReader
from castline.sources.logs.forwarded import replace_addresses
from castline.sources.logs.json_text import unfold_document
from castline.sources.logs.rows import (
    REFUSED_SCHEMA,
    REQUEST_SCHEMA,
    LogBlock,
    compute_requests,
    refuse,
    split_requests,
)
from castline.sources.logs.table import COMBINED, LOG_FORMATS, try_recognise

_BOM: Final = b"\xef\xbb\xbf"
_PACKED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_LOOKED_AT: Final = 1000  # lines that a format is recognised by
_NUMBERED: Final = pl.Schema({"line_number": pl.UInt32(), "line": pl.String()})
_DOCUMENT: Final = re.compile(rb'\s*(?:\[|\{[^{}]*"rows"\s*:)')
_CLOCK: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_HEADER: Final = (
    rf"(?:[A-Z][a-z]{{2}} [ 0-9][0-9] [0-9:]{{8}}|{_CLOCK}) [^ ]+ [^ :\[\]]{{1,100}}(?:\[[^\]]{{0,20}}\])?: "
)
_STRUCTURED: Final = r'(?:-|(?:\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\])+)(?: \x{FEFF}?|$)'
# What a collector wrote in front of the line.
_PREFIXES: Final = (
    # Priority, time, host and program; in a file without the priority (RFC 3164, also with a time of RFC 3339).
    f"(?:<[0-9]{{1,3}}>)?{_HEADER}",
    # Seven words, perhaps with the message's length in front (RFC 5424, RFC 6587, Logplex).
    rf"(?:[0-9]{{1,7}} )?<[0-9]{{1,3}}>1 (?:{_CLOCK}|-) [^ ]+ [^ ]+ [^ ]+ [^ ]+ {_STRUCTURED}",
    r'<[0-9]{1,3}>[^{"]{5,200}?: ',
    # A container's runtime.
    f"{_CLOCK} (?:stdout|stderr) [FP] ",
)
_SYSLOG: Final = rf"^(?:{'|'.join(_PREFIXES)})(?:@cee: ?)?"


class NotAnAccessLog(SourceUnreadable):
    """{source} is no access log that castline knows: line {line}: {text}; tried: {tried}."""

    fix = (
        "`castline log formats` shows what is known; --format takes a name or a written one: 'nginx:$remote_addr ...'."
    )


@dataclass(frozen=True, slots=True)
class ReadAs:
    """How to read a log: `log_format` None finds it out; forwarded addresses are believed only if `trust_forwarded`.

    `zone` is that of times that name none, but for those of a format that was not asked for and is UTC by its standard.
    """

    log_format: LogFormat | None = None
    trust_forwarded: bool = False
    trusted_proxies: tuple[Network, ...] = ()
    zone: str = "UTC"

    def zone_of(self, log_format: LogFormat) -> str:
        """The zone of times that name none in a log of that format."""
        return "UTC" if log_format.is_utc and self.log_format is None else self.zone


def iter_requests(
    file: LogFile, *, now_at: datetime, read_as: ReadAs = ReadAs(), after_line: int = 0
) -> Iterator[LogBlock]:
    """The file's lines in blocks, in order, those behind the line `after_line` only.

    Raises NotAnAccessLog where the first lines hold no request at all.
    """
    found: _Reading | None = None
    is_known = after_line > 0
    file.asked = read_as.log_format
    for lines in file.iter_lines():
        if found is not None and lines.first_line + lines.text.count(b"\n") <= after_line:
            continue
        if lines.skipped:
            if lines.first_line > after_line:
                yield _skipped(lines)
            continue
        numbered = _number_lines(lines)
        if numbered.is_empty():
            continue
        if found is None:
            found = _begin(file, numbered, read_as)
        if after_line >= lines.first_line:
            # The first lines say how the others are to be read.
            found.read(numbered.filter(pl.col("line_number") <= after_line).head(_LOOKED_AT), now_at)
            numbered = numbered.filter(pl.col("line_number") > after_line)
        block = found.read(numbered, now_at)
        if not is_known and block.line_count:
            _check_format(file, block, found.log_format)
            is_known = True
        file.format_name = found.format_name
        yield block
    file.problem = file.problem or (None if found is None else found.find_problem())


def parse_lines(lines: Lines, *, now_at: datetime, read_as: ReadAs = ReadAs(COMBINED)) -> LogBlock:
    """The requests of some lines, and the lines that are none; without a format they are combined."""
    if lines.skipped:
        return _skipped(lines)
    log_format = read_as.log_format or COMBINED
    return _Reading(log_format, log_format.open(), read_as, has_syslog=False).read(_number_lines(lines), now_at)


@dataclass(slots=True)
class _Reading:
    """A file under reading."""

    log_format: LogFormat
    reader: LogReader
    read_as: ReadAs
    has_syslog: bool
    has_forwarded: bool = False
    has_requests: bool = False
    has_agents: bool = False
    others: "dict[str, _Reading]" = field(default_factory=dict)  # formats that it was changed to, by name

    @property
    def format_name(self) -> str:
        return ", ".join((self.log_format.name, *self.others))

    def read(self, numbered: pl.DataFrame, now_at: datetime) -> LogBlock:
        if self.has_syslog:
            numbered = numbered.with_columns(pl.col("line").str.replace(_SYSLOG, ""))
        told = self.reader.read(numbered)
        if self.read_as.trust_forwarded:
            self.has_forwarded |= "forwarded" in told.columns and told["forwarded"].null_count() < told.height
            told = replace_addresses(told, self.read_as.trusted_proxies)
        found = _drop_empty(compute_requests(told, self.log_format.id_space, self.read_as.zone_of(self.log_format)))
        block = split_requests(found, numbered, now_at)
        self.has_requests |= not block.requests.is_empty()
        self.has_agents = self.has_agents or bool((block.requests["user_agent"] != "").any())
        if found.height == numbered.height:
            return block
        missed = numbered.filter(~self.reader.find_comments(numbered)).join(found, on="line_number", how="anti")
        rest = self._read_missed(missed, now_at)
        return LogBlock(
            pl.concat([block.requests, rest.requests]).sort("line_number"),
            pl.concat([block.refused, rest.refused]).sort("line_number"),
        )

    def find_problem(self) -> str | None:
        """What no line of the file told, though it is needed."""
        readings = (self, *self.others.values())
        if self.read_as.trust_forwarded and not any(one.has_forwarded for one in readings):
            return "no line tells X-Forwarded-For: each address is the one that the server saw"
        if any(one.has_requests for one in readings) and not any(one.has_agents for one in readings):
            return "no line tells a user agent: the requests fall as empty_agent when they are counted"
        return None

    def _read_missed(self, missed: pl.DataFrame, now_at: datetime) -> LogBlock:
        """The lines in another format, where the server's was changed within the file; else they are refused."""
        other = None if self.read_as.log_format else try_recognise(missed["line"].head(_LOOKED_AT).to_list())
        if other is None or other.name == self.log_format.name:
            detail = pl.lit(f"does not fit the format {self.log_format.name}")
            return LogBlock(REQUEST_SCHEMA.to_frame(), refuse(missed, "malformed_line", detail))
        if other.name not in self.others:
            read_as = replace(self.read_as, log_format=other, zone=self.read_as.zone_of(other))
            self.others[other.name] = _Reading(other, other.open(), read_as, has_syslog=False)
        block = self.others[other.name].read(missed, now_at)
        strange = block.refused.filter(pl.col("reason") == "malformed_line")
        if not strange.height or strange.height == missed.height:
            return block
        rest = self._read_missed(missed.join(strange, on="line_number", how="semi"), now_at)
        known = block.refused.filter(pl.col("reason") != "malformed_line")
        return LogBlock(pl.concat([block.requests, rest.requests]), pl.concat([known, rest.refused]))


def _drop_empty(found: pl.DataFrame) -> pl.DataFrame:
    """Without what tells neither who asked nor what for: a server's other messages have the shape of its log, too."""
    if not found["path"].has_nulls():
        return found
    return found.filter(pl.any_horizontal(pl.col("path", "address", "listener").is_not_null()))


def _begin(file: LogFile, numbered: pl.DataFrame, read_as: ReadAs) -> _Reading:
    first = numbered["line"].head(_LOOKED_AT)
    has_syslog = bool(first.str.head(_LOOKED_AT).str.contains(_SYSLOG).any()) and not _fits_as_it_is(
        numbered, read_as.log_format
    )
    log_format = read_as.log_format or try_recognise(first.str.replace(_SYSLOG, "").to_list())
    if log_format is None:
        number, text = numbered.row(0)
        _raise_unknown(file, number, text, ", ".join(known.name for known in LOG_FORMATS))
    if log_format.needs_forwarded and not read_as.trust_forwarded:
        raise InvalidInput(
            field="--format",
            detail=f"{log_format.name!r} tells no address but X-Forwarded-For; --trust-forwarded takes it",
        )
    file.format_name = log_format.name
    return _Reading(log_format, log_format.open(), read_as, has_syslog)


def _fits_as_it_is(numbered: pl.DataFrame, log_format: LogFormat | None) -> bool:
    """Whether a format that was asked for has the collector's words in it."""
    return log_format is not None and log_format.open().read(numbered.head(_LOOKED_AT)).height > 0


def _check_format(file: LogFile, block: LogBlock, log_format: LogFormat) -> None:
    strange = block.refused.filter(pl.col("reason") == "malformed_line")
    if strange.height == block.line_count:
        first = strange.row(0, named=True)
        _raise_unknown(file, first["line_number"], first["payload"], log_format.name)


def _raise_unknown(file: LogFile, line: int, text: str, tried: str) -> NoReturn:
    if is_realtime_choice(text):
        tried += (
            "; cloudfront-realtime with chosen fields needs their names: --format cloudfront-realtime:FIELD,FIELD,..."
        )
    raise NotAnAccessLog(source=file.path, line=line, text=repr(text[:80]), tried=tried)


def _skipped(lines: Lines) -> LogBlock:
    payload = lines.text.decode("utf-8", "replace")
    row = {"line_number": lines.first_line, "reason": "line_too_long", "detail": lines.skipped, "payload": payload}
    return LogBlock(REQUEST_SCHEMA.to_frame(), pl.DataFrame([row], REFUSED_SCHEMA))


def _number_lines(lines: Lines) -> pl.DataFrame:
    """One row per line that is not blank; what is no UTF-8, and NUL, became U+FFFD.

    A file that is one JSON document gives one line per row of the document.
    """
    text = lines.text.removeprefix(_BOM) if lines.first_line == 1 else lines.text
    text = text.replace(b"\0", "\N{REPLACEMENT CHARACTER}".encode())
    if not text:
        return pl.DataFrame(schema=_NUMBERED)
    if lines.first_line == 1 and _DOCUMENT.match(text) and (rows := unfold_document(text.decode("utf-8", "replace"))):
        return pl.DataFrame({"line_number": range(1, len(rows) + 1), "line": rows}, schema=_NUMBERED)
    try:
        frame = _split_lines(text)
    except ComputeError:
        frame = _split_lines(text.decode("utf-8", "replace").encode())
    frame = frame.with_row_index("line_number", lines.first_line)
    return frame.filter(pl.col("line").str.len_bytes() > 0)


def _split_lines(text: bytes) -> pl.DataFrame:
    if text.startswith(_PACKED):
        # Polars would unpack what begins like compressed data.
        return pl.read_lines(io.BytesIO(b"\n" + text), name="line").slice(1)
    return pl.read_lines(io.BytesIO(text), name="line")
