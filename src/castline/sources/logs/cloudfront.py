"""CloudFront: standard logs (tab-separated with a header, JSON as well) and real-time logs with any choice of fields.

AWS, "Standard log file fields" and "Real-time log configuration fields". Both kinds share `x-edge-request-id`.
"""

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from castline.base.errors import InvalidInput
from castline.sources.logs.delimited import percent_decoded, range_of, said, split_lines, tell
from castline.sources.logs.format import LogFormat, comments_by, no_comments
from castline.sources.logs.ndjson import JsonReader, json_keys

_STANDARD: Final = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
).split()
_REALTIME: Final = (
    "timestamp c-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host cs-uri-stem cs-bytes"
    " x-edge-location x-edge-request-id x-host-header time-taken cs-protocol-version c-ip-version cs-user-agent"
    " cs-referer cs-cookie cs-uri-query x-edge-response-result-type x-forwarded-for ssl-protocol ssl-cipher"
    " x-edge-result-type fle-encrypted-fields fle-status sc-content-type sc-content-len sc-range-start sc-range-end"
    " c-port x-edge-detailed-result-type c-country cs-accept-encoding cs-accept cache-behavior-path-pattern cs-headers"
    " cs-header-names cs-headers-count primary-distribution-id primary-distribution-dns-name origin-fbl origin-lbl asn"
).split()
_FIELDS: Final = "#Fields:"
_COMMENT: Final = r"^#(?:Version|Fields|Software|Date|Start-Date|End-Date|Remark):"  # W3C extended log format
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t[A-Z]{3}[0-9A-Z-]*\t(?:\d+|-)\t[0-9A-Fa-f.:]+\t[A-Z]+\t")
_LIVE: Final = re.compile(
    r"\d{9,10}(?:\.\d{1,6})?\t[0-9A-Fa-f.:]+\t(?:[0-9.]+|-)\t(?:\d{3}|-)\t(?:\d+|-)\t[A-Z]+\t[a-z]+\t[^\t]*\t[/-]"
)
_CHOSEN: Final = re.compile(r"\d{9,10}(?:\.\d{1,6})?\t[0-9A-Fa-f.:]+\t")
_RANGE_HEADER: Final = r"(?i)(?:^|\n)range: *([^\n]*)"
_ENCODED: Final = ("cs(User-Agent)", "cs(Referer)", "cs-user-agent", "cs-referer", "cs-headers", "x-forwarded-for")
_STAMPS: Final = ("timestamp(ms)", "timestamp")
# A line whose fields have other shapes is one of other fields.
_SHAPES: Final = {"sc-status": "^(?:[0-9]{3}|-)$", "cs-method": "^(?:[A-Za-z]{1,20}|-)$", "cs-uri-stem": "^(?:/|-$)"}
_TIMED: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:|^[0-9]{9,}(?:\.[0-9]+)?$"
_USED: Final = frozenset(
    "date time timestamp timestamp(ms) c-ip x-forwarded-for c-country x-host-header cs(Host) cs-host cs-method"
    " cs-uri-stem cs-uri-query sc-status sc-bytes cs(Referer) cs-referer cs(User-Agent) cs-user-agent sc-range-start"
    " sc-range-end x-edge-request-id cs-headers".split()
)
# What v2 may put between fields; the header itself has blanks.
_SEPARATORS: Final = ("\t", " ", ",", ";", "|")


class CloudFrontReader:
    """Reads lines whose fields a `#Fields:` line names, which may change in the middle of a file.

    They are separated by tabs; v2 can be told to put something else there.
    """

    def __init__(self, names: Sequence[str] = _STANDARD, *, separators: Sequence[str] = _SEPARATORS) -> None:
        self._names, self._separators = list(names), separators

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines with fields enough, whose status, method and path are such."""
        line = pl.col("line")
        headers = numbered.filter(line.str.starts_with(_FIELDS))
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
        names = text.removeprefix(_FIELDS).split()
        if len(set(names)) == len(names) and "cs-uri-stem" in names:
            self._names = names

    def _read(self, rows: pl.DataFrame) -> pl.DataFrame:
        frame = split_lines(rows, self._names, self._find_separator(rows), kept=_USED)
        frame = frame.filter(pl.col(_last_needed(self._names)).is_not_null())
        names = set(frame.columns)
        stamp = pl.concat_str("date", pl.lit("T"), "time") if {"date", "time"} <= names else said(frame, *_STAMPS)
        shapes = [pl.col(name).str.contains(shape) for name, shape in _SHAPES.items() if name in names]
        # What has no time either is refused for that.
        is_one = pl.all_horizontal(pl.lit(value=True), *shapes) | ~stamp.str.contains(_TIMED).fill_null(value=False)
        frame = percent_decoded(frame.filter(is_one), _ENCODED)
        headers = said(frame, "cs-headers").str.extract(_RANGE_HEADER)
        return tell(
            frame,
            {
                "stamp": stamp,
                "address": said(frame, "c-ip"),
                "forwarded": said(frame, "x-forwarded-for"),
                "country": said(frame, "c-country"),
                # The distribution's own name stands in cs(Host), what the listener asked for in x-host-header.
                "host": said(frame, "x-host-header", "cs(Host)", "cs-host"),
                "method": said(frame, "cs-method"),
                "url": said(frame, "cs-uri-stem"),
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


class RealtimeReader(CloudFrontReader):
    """Reads lines without a header, whose fields are those that the configuration lists, in its order."""

    def __init__(self, names: Sequence[str] = _REALTIME) -> None:
        super().__init__(names, separators=_SEPARATORS[:1])

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: these records come without a header."""
        return no_comments(numbered)


def open_realtime(fields: str) -> RealtimeReader:
    """A reader of records with these fields, named in their order and separated by commas. Raises InvalidInput."""
    names = [name.strip() for name in fields.split(",")]
    if missing := {"timestamp", "c-ip", "cs-uri-stem"}.difference(names):
        raise InvalidInput(field="--format", detail=f"the fields {fields!r} lack {', '.join(sorted(missing))}")
    return RealtimeReader(list(dict.fromkeys(names)))


def _last_needed(names: Sequence[str]) -> str:
    """Of the fields that a request cannot do without, the last."""
    needed = {"date", "time", *_STAMPS, "c-ip", "cs-uri-stem", "sc-status"}
    return next((name for name in reversed(names) if name in needed), names[-1])


def is_realtime_choice(line: str) -> bool:
    """Whether the line may be a record of chosen fields: such records begin with time and address as a rule."""
    return _CHOSEN.match(line) is not None


def _fits_standard(line: str) -> bool:
    return line.startswith(("#Version: 1.0", _FIELDS + " date time x-edge")) or _DATED.match(line) is not None


_JSON_FIELDS: Final = {
    "stamp": ("timestamp(ms)", "timestamp", "time-iso"),
    "day": ("date",),
    "clock": ("time",),
    "address": ("c-ip",),
    "forwarded": ("x-forwarded-for",),
    "country": ("c-country",),
    "host": ("x-host-header", "cs(Host)", "cs-host"),
    "method": ("cs-method",),
    "url": ("cs-uri-stem",),
    "query": ("cs-uri-query",),
    "status": ("sc-status",),
    "bytes_sent": ("sc-bytes",),
    "referer": ("cs(Referer)", "cs-referer"),
    "user_agent": ("cs(User-Agent)", "cs-user-agent"),
    "first": ("sc-range-start",),
    "last": ("sc-range-end",),
    "request_id": ("x-edge-request-id",),
}


class CloudFrontJsonReader(JsonReader):
    """Reads standard logs (v2) that are delivered as JSON lines."""

    def __init__(self) -> None:
        super().__init__(_JSON_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        frame = percent_decoded(super().read(numbered), ("user_agent", "referer"))
        dated = pl.concat_str("day", pl.lit("T"), "clock")
        return frame.with_columns(stamp=dated.fill_null(pl.col("stamp")), range=range_of(frame, "first", "last"))


STANDARD: Final = LogFormat(
    name="cloudfront",
    title="Amazon CloudFront standard logs",
    fits=_fits_standard,
    open=CloudFrontReader,
    example=(
        "2026-09-07\t00:00:00\tFRA56-P4\t28800512\t203.0.113.9\tGET\td111111abcdef8.cloudfront.net\t/one.mp3\t200\t-\t"
        "Overcast/3.0%20(+http://overcast.fm/;%20iOS%20podcast%20app)\t-\t-\tHit\t"
        "SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==\tcdn.example.org\thttps\t23\t12.5\t-\tTLSv1.3\t"
        "TLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t11040\t0.001\tHit\taudio/mpeg\t28800000\t-\t-"
    ),
    reference="https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html",
    family="cloudfront",
    tells_range=True,
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness="within an hour as a rule, up to 24 hours",
)
STANDARD_JSON: Final = LogFormat(
    name="cloudfront-json",
    title="Amazon CloudFront standard logs (v2) as JSON",
    fits=lambda line: {"cs-uri-stem", "c-ip"} <= json_keys(line),
    open=CloudFrontJsonReader,
    example=(
        '{"date":"2026-09-07","time":"00:00:00","x-edge-location":"FRA56-P4","sc-bytes":"28800512",'
        '"c-ip":"203.0.113.9","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/one.mp3",'
        '"sc-status":"200","cs(Referer)":"-","cs(User-Agent)":"Overcast/3.0%20(+http://overcast.fm/)",'
        '"x-edge-request-id":"SOX4xwn4XV6Q4rgb7XiVGOHms_BGlTAC4KyHmureZmBNrjGdRLiNIQ==",'
        '"x-host-header":"cdn.example.org","sc-range-start":"-","sc-range-end":"-"}'
    ),
    reference=STANDARD.reference,
    family="cloudfront",
    tells_range=True,
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness=STANDARD.lateness,
)
REALTIME: Final = LogFormat(
    name="cloudfront-realtime",
    title="Amazon CloudFront real-time logs with all fields, or those of --format cloudfront-realtime:FIELD,FIELD,...",
    fits=lambda line: _LIVE.match(line) is not None,
    open=RealtimeReader,
    example=(
        "1788739200.042\t203.0.113.9\t0.001\t200\t28800512\tGET\thttps\td111111abcdef8.cloudfront.net\t/one.mp3\t512\t"
        "FRA56-P4\tMRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE==\tcdn.example.org\t12.5\tHTTP/2.0\tIPv4\t"
        "Overcast/3.0%20(+http://overcast.fm/)\t-\t-\t-\tHit\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\t-\t-\t"
        "audio/mpeg\t28800000\t-\t-\t11040\tHit\tDE\t-\t*/*\t*\thost:cdn.example.org%0Arange:bytes=0-%0A\thost\t2\t"
        "E1\td111111abcdef8.cloudfront.net\t-\t-\t3320"
    ),
    reference="https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html",
    family="cloudfront",
    tells_range=True,
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness="seconds",
)
