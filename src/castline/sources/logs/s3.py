"""Amazon S3 server access logs.

AWS, "Amazon S3 server access log format". Later fields may be added, and older logs have fewer. S3 writes quotes inside
a user agent or a referrer as they came.
"""

from typing import Final

import polars as pl

from castline.sources.logs.delimited import split_lines
from castline.sources.logs.format import LogFormat
from castline.sources.logs.pattern import PatternReader, fits_patterns

_OPERATION: Final = r"[A-Z0-9]+\.[A-Za-z0-9_.]+"
_FRONT: Final = (
    r"^(?P<owner>\S+) (?P<bucket>\S+) \[(?P<stamp>[^\]]+)\] (?P<address>\S+) (?P<requester>\S+) (?P<request_id>\S+)"
    rf" (?P<operation>{_OPERATION}) (?P<key>\S+)"
)
_MIDDLE: Final = (
    r" (?P<status>[0-9]{3}|-) (?P<error>\S+) (?P<bytes_sent>[0-9]{1,18}|-) (?P<size>[0-9]+|-) (?P<total>[0-9]+|-)"
    r" (?P<turn>[0-9]+|-)"
)
_BEHIND: Final = r"(?: (?P<version>\S+)(?: (?P<host_id>\S+) \S+ \S+ \S+ (?P<host>\S+))?)?"


def _line(quoted: str, agent: str, behind: str) -> str:
    shapes = {"request": quoted, "referer": quoted, "user_agent": agent}
    fields = [rf' (?:"(?P<{name}>{shape})"|-)' for name, shape in shapes.items()]
    return f"{_FRONT}{fields[0]}{_MIDDLE}{fields[1]}{fields[2]}{_BEHIND}{behind}$"


_ESCAPED: Final = r'(?:[^"\\]|\\.)*'
_PATTERNS: Final = (_line(_ESCAPED, _ESCAPED, r"(?: .*)?"), _line(".*?", ".*", r'(?: [^"]*)?'))
_KEPT: Final = ("stamp", "address", "request_id", "request", "status", "bytes_sent", "referer", "user_agent", "host")
# A line of nothing but words and quoted fields goes through the CSV parser.
_WORD: Final = r'[^ "\\]+'
_QUOTED: Final = r'"[^"\\]*"'
_SHAPE: Final = (
    rf"^{_WORD} {_WORD} \[[^\] \"\\]+ [+-][0-9]{{4}}\] {_WORD} {_WORD} {_WORD} {_OPERATION} {_WORD} {_QUOTED}"
    rf" [0-9]{{3}} {_WORD} (?:[0-9]{{1,18}}|-) (?:[0-9]+|-) (?:[0-9]+|-) (?:[0-9]+|-) {_QUOTED} {_QUOTED}(?: {_WORD})*$"
)
_FIELDS: Final = (
    "_owner _bucket _day _zone address _requester request_id _operation _key request status _error bytes_sent _size"
    " _total _turn referer user_agent _version _host_id _signature _cipher _authentication host"
).split()


class S3Reader(PatternReader):
    """Reads log records, old and new."""

    def __init__(self) -> None:
        super().__init__(_PATTERNS, _KEPT)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are records."""
        plain = numbered["line"].str.contains(_SHAPE)
        frame = split_lines(numbered.filter(plain), _FIELDS, " ", kept={"_day", "_zone", *_KEPT}, quote='"')
        found = frame.select("line_number", pl.concat_str("_day", "_zone", separator=" ").alias("stamp"), *_KEPT[1:])
        if plain.all():
            return found
        return pl.concat([found, super().read(numbered.filter(~plain))]).sort("line_number")


S3: Final = LogFormat(
    name="s3",
    title="Amazon S3 server access logs",
    fits=fits_patterns(*_PATTERNS),
    open=S3Reader,
    example=(
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be audio [07/Sep/2026:00:00:00 +0000] "
        '203.0.113.9 - 3E57427F3EXAMPLE REST.GET.OBJECT one.mp3 "GET /one.mp3 HTTP/1.1" 206 - 960000 28800000 70 10 "-"'
        ' "Overcast/3.0" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkF/eTPFvsiP/XV/VLi31234= -'
        " ECDHE-RSA-AES128-GCM-SHA256 - audio.s3.us-west-1.amazonaws.com TLSV1.2 - -"
    ),
    reference="https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html",
    tells_request_id=True,
    lateness="a few hours as a rule, without a promise",
)
