"""The W3C's extended log format: lines whose fields a `#Fields:` line names; IIS and several CDNs write it.

W3C, "Extended Log File Format", WD-logfile-960323; Microsoft, "W3C Logging": times are UTC.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeAlias

import polars as pl

from castline.sources.logs.delimited import form_decoded, percent_decoded, range_of, said, split_lines, tell
from castline.sources.logs.format import LogFormat, comments_by

FIELDS: Final = "#Fields:"
_COMMENT: Final = r"^#(?:Version|Fields|Software|Date|Start-Date|End-Date|Remark):"  # W3C extended log format
RANGE_HEADER: Final = r"(?i)(?:^|\n)range: *([^\n]*)"
_ENCODED: Final = ("cs(User-Agent)", "cs(Referer)", "cs-user-agent", "cs-referer", "cs-headers", "x-forwarded-for")
# Fields that only other writers than CloudFront have.
_OTHER_WRITERS: Final = re.compile(
    r"#Fields:.*\s(?:s-ip|s-port|s-computername|s-sitename|sc-win32-status|cs-ip|cs-uri)(?:\s|$)"
)
_STAMPS: Final = ("timestamp(ms)", "timestamp")
# A line whose fields have other shapes is one of other fields.
_SHAPES: Final = {"sc-status": "^(?:[0-9]{3}|-)$", "cs-method": "^(?:[A-Za-z]{1,20}|-)$", "cs-uri-stem": "^(?:/|-$)"}
_TIMED: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:|^[0-9]{9,}(?:\.[0-9]+)?$"
_ADDRESSES: Final = ("c-ip", "cs-ip")
_URLS: Final = ("cs-uri-stem", "cs-uri")
_FORWARDED: Final = ("x-forwarded-for", "X-Forwarded-For", "cs(X-Forwarded-For)")
_RANGES: Final = ("cs(Range)", "Range")
_USED: Final = frozenset(
    "date time timestamp timestamp(ms) c-country x-host-header cs(Host) cs-host cs-method cs-uri-query sc-status"
    " sc-bytes cs(Referer) cs-referer cs(User-Agent) cs-user-agent sc-range-start sc-range-end x-edge-request-id"
    " cs-headers".split()
).union(_ADDRESSES, _URLS, _FORWARDED, _RANGES)
# The header itself has blanks between its names, whatever stands between the fields.
SEPARATORS: Final = ("\t", " ", ",", ";", "|")
Decode: TypeAlias = Callable[[pl.DataFrame, Collection[str]], pl.DataFrame]


class FieldsReader:
    """Reads lines whose fields a `#Fields:` line names, which may change in the middle of a file.

    `names` are those of lines before the first header; `decode` takes what the writer put around odd characters away;
    `_zone` is written behind times whose zone the writer's description states.
    """

    _zone = ""

    def __init__(
        self, names: Sequence[str], *, separators: Sequence[str] = SEPARATORS, decode: Decode = percent_decoded
    ) -> None:
        self._names, self._separators, self._decode = list(names), separators, decode

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines with fields enough, whose status, method and path are such."""
        line = pl.col("line")
        headers = numbered.filter(line.str.starts_with(FIELDS))
        rows = numbered.filter(~line.str.contains(_COMMENT))
        parts, start = [], 0
        for number, text in headers.iter_rows():
            parts.append(self._read(rows.filter(pl.col("line_number").is_between(start, number))))
            self._take_header(text)
            start = number
        parts.append(self._read(rows.filter(pl.col("line_number") >= start)))
        return pl.concat(parts)

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """`#Version` and `#Fields`."""
        return comments_by(numbered, _COMMENT)

    def _take_header(self, text: str) -> None:
        names = text.removeprefix(FIELDS).split()
        if len(set(names)) == len(names) and not set(names).isdisjoint(_URLS):
            self._names = names

    def _read(self, rows: pl.DataFrame) -> pl.DataFrame:
        frame = split_lines(rows, self._names, self._find_separator(rows), kept=_USED)
        frame = frame.filter(pl.col(_last_needed(self._names)).is_not_null())
        names = set(frame.columns)
        stamp = (
            pl.concat_str("date", pl.lit("T"), "time", pl.lit(self._zone))
            if {"date", "time"} <= names
            else said(frame, *_STAMPS)
        )
        shapes = [pl.col(name).str.contains(shape) for name, shape in _SHAPES.items() if name in names]
        # What has no time either is refused for that.
        is_one = pl.all_horizontal(pl.lit(value=True), *shapes) | ~stamp.str.contains(_TIMED).fill_null(value=False)
        frame = self._decode(frame.filter(is_one), _ENCODED)
        headers = said(frame, *_RANGES).fill_null(said(frame, "cs-headers").str.extract(RANGE_HEADER))
        return tell(
            frame,
            {
                "stamp": stamp,
                "address": said(frame, *_ADDRESSES),
                "forwarded": said(frame, *_FORWARDED),
                "country": said(frame, "c-country"),
                # The distribution's own name stands in cs(Host), what the listener asked for in x-host-header.
                "host": said(frame, "x-host-header", "cs(Host)", "cs-host"),
                "method": said(frame, "cs-method"),
                "url": said(frame, *_URLS),
                "query": said(frame, "cs-uri-query"),
                "status": said(frame, "sc-status"),
                "bytes_sent": said(frame, "sc-bytes"),
                "referer": said(frame, "cs(Referer)", "cs-referer"),
                "user_agent": said(frame, "cs(User-Agent)", "cs-user-agent"),
                "range": range_of(frame, "sc-range-start", "sc-range-end").fill_null(headers),
                "request_id": said(frame, "x-edge-request-id"),
            },
        )

    def _find_separator(self, rows: pl.DataFrame) -> str:
        """The one that the first line has as often as the fields take."""
        first = str(rows["line"][0]) if rows.height else ""
        between = len(self._names) - 1
        return next((one for one in self._separators if first.count(one) == between), self._separators[0])


def _last_needed(names: Sequence[str]) -> str:
    """Of the fields that a request cannot do without, the last."""
    needed = {"date", "time", *_STAMPS, *_ADDRESSES, *_URLS, "sc-status"}
    return next((name for name in reversed(names) if name in needed), names[-1])


def is_header_of_others(line: str) -> bool:
    """Whether the line is a header of fields that CloudFront has not."""
    return _OTHER_WRITERS.match(line) is not None


# The fields of IIS as it is installed.
_IIS: Final = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status"
    " sc-substatus sc-win32-status time-taken"
).split()


W3C: Final = LogFormat(
    name="w3c",
    title="IIS and others in the W3C's extended format",
    fits=lambda line: line.startswith("#Software:") or is_header_of_others(line),
    open=lambda: FieldsReader(_IIS, separators=(" ", "\t"), decode=form_decoded),
    example=(
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-09-07 00:00:00\n"
        "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer)"
        " sc-status sc-substatus sc-win32-status sc-bytes time-taken\n"
        "2026-09-07 00:00:00 10.0.0.4 GET /one.mp3 - 443 - 203.0.113.9 Overcast/3.0+(+http://overcast.fm/;+iOS) - 200 0"
        " 0 28800512 812"
    ),
    reference="https://learn.microsoft.com/en-us/windows/win32/http/w3c-logging",
    tells_bytes="body and headers",
    lateness="written at once; IIS tells no bytes unless sc-bytes is chosen; --tz moves its UTC only if it is named",
    is_utc=True,
)
