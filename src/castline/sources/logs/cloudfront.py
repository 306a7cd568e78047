"""CloudFront: standard logs (tab-separated with a header, JSON as well) and real-time logs with any choice of fields.

AWS, "Standard log file fields" and "Real-time log configuration fields". Both kinds share `x-edge-request-id`.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

import polars as pl

from castline.base.errors import InvalidInput
from castline.sources.logs.delimited import percent_decoded, range_of
from castline.sources.logs.format import LogFormat, no_comments
from castline.sources.logs.ndjson import JsonReader, json_keys
from castline.sources.logs.w3c import RANGE_HEADER, SEPARATORS, FieldsReader, is_header_of_others

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
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d\t\d\d:\d\d:\d\d\t[A-Z]{3}[0-9A-Z-]*\t(?:\d+|-)\t[0-9A-Fa-f.:]+\t[A-Z]+\t")
_HEADER: Final = re.compile(r"#Fields:.* (?:cs-uri-stem|c-ip)(?: |$)")
_LIVE: Final = re.compile(
    r"\d{9,10}(?:\.\d{1,6})?\t[0-9A-Fa-f.:]+\t(?:[0-9.]+|-)\t(?:\d{3}|-)\t(?:\d+|-)\t[A-Z]+\t[a-z]+\t[^\t]*\t[/-]"
)
_CHOSEN: Final = re.compile(r"\d{9,10}(?:\.\d{1,6})?\t[0-9A-Fa-f.:]+\t")


class CloudFrontReader(FieldsReader):
    """Reads standard logs; v2 can be told which fields they have, in what order and what stands between them."""

    _zone = "Z"

    def __init__(self, names: Sequence[str] = _STANDARD) -> None:
        super().__init__(names)


class RealtimeReader(FieldsReader):
    """Reads lines without a header, whose fields are those that the configuration lists, in its order."""

    def __init__(self, names: Sequence[str] = _REALTIME) -> None:
        super().__init__(names, separators=SEPARATORS[:1])

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: these records come without a header."""
        return no_comments(numbered)


def open_realtime(fields: str) -> RealtimeReader:
    """A reader of records with these fields, named in their order and separated by commas. Raises InvalidInput."""
    return RealtimeReader(_chosen(fields, {"timestamp"}))


def open_standard(fields: str) -> CloudFrontReader:
    """A reader of lines with these fields, as v2 writes them without a header. Raises InvalidInput."""
    told = {"timestamp", "timestamp(ms)"}.intersection(_names_of(fields))
    return CloudFrontReader(_chosen(fields, told or {"date", "time"}))


def _names_of(fields: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in fields.split(",")))


def _chosen(fields: str, stamps: Collection[str]) -> list[str]:
    names = _names_of(fields)
    if missing := {*stamps, "c-ip", "cs-uri-stem"}.difference(names):
        raise InvalidInput(field="--format", detail=f"the fields {fields!r} lack {', '.join(sorted(missing))}")
    return names


def is_realtime_choice(line: str) -> bool:
    """Whether the line may be a record of chosen fields: such records begin with time and address as a rule."""
    return _CHOSEN.match(line) is not None


def _fits_standard(line: str) -> bool:
    return (_HEADER.match(line) is not None and not is_header_of_others(line)) or _DATED.match(line) is not None


def _in_columns(*names: str) -> tuple[str, ...]:
    """The fields, and the names that they have as columns of Parquet."""
    columns = (re.sub("[^a-z0-9]+", "_", name.lower()).strip("_") for name in names)
    return tuple(dict.fromkeys((*names, *columns)))


_JSON_FIELDS: Final = {
    "stamp": _in_columns("timestamp(ms)", "timestamp", "time-iso"),
    "day": ("date",),
    "clock": ("time",),
    "address": _in_columns("c-ip"),
    "forwarded": _in_columns("x-forwarded-for"),
    "country": _in_columns("c-country"),
    "host": _in_columns("x-host-header", "cs(Host)", "cs-host"),
    "method": _in_columns("cs-method"),
    "url": _in_columns("cs-uri-stem"),
    "query": _in_columns("cs-uri-query"),
    "status": _in_columns("sc-status"),
    "bytes_sent": _in_columns("sc-bytes"),
    "referer": _in_columns("cs(Referer)", "cs-referer", "cs-referrer"),
    "user_agent": _in_columns("cs(User-Agent)", "cs-user-agent"),
    "first": _in_columns("sc-range-start"),
    "last": _in_columns("sc-range-end"),
    "headers": _in_columns("cs-headers"),
    "request_id": _in_columns("x-edge-request-id"),
}
_ENCODED: Final = ("user_agent", "referer", "forwarded", "headers")


class CloudFrontJsonReader(JsonReader):
    """Reads standard logs (v2) that are delivered as JSON lines or as columns."""

    def __init__(self) -> None:
        super().__init__(_JSON_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        frame = percent_decoded(super().read(numbered), _ENCODED)
        dated = pl.concat_str("day", pl.lit("T"), "clock", pl.lit("Z"))
        asked = pl.col("headers").str.extract(RANGE_HEADER)
        return frame.with_columns(
            stamp=dated.fill_null(pl.col("stamp")), range=range_of(frame, "first", "last").fill_null(asked)
        )


def _fits_json(line: str) -> bool:
    keys = json_keys(line)
    return {"cs-uri-stem", "c-ip"} <= keys or {"cs_uri_stem", "c_ip"} <= keys


STANDARD: Final = LogFormat(
    name="cloudfront",
    title="Amazon CloudFront standard logs, or those of --format cloudfront:FIELD,FIELD,... without a header",
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
    title="Amazon CloudFront standard logs (v2) as JSON or Parquet",
    fits=_fits_json,
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
