"""Amazon S3 server access logs.

AWS, "Amazon S3 server access log format". Later fields may be added, and older logs have fewer.
"""

from typing import Final

from castline.sources.logs.format import LogFormat
from castline.sources.logs.pattern import PatternReader, fits_pattern

_Q: Final = r'(?:[^"\\]|\\.)*'
_PATTERN: Final = (
    r"^(?P<owner>\S+) (?P<bucket>\S+) \[(?P<stamp>[^\]]+)\] (?P<address>\S+) (?P<requester>\S+) (?P<request_id>\S+)"
    rf' (?P<operation>[A-Z0-9]+\.[A-Z0-9_.]+) (?P<key>\S+) (?:"(?P<request>{_Q})"|-) (?P<status>[0-9]{{3}}|-)'
    rf" (?P<error>\S+) (?P<bytes_sent>[0-9]{{1,18}}|-) (?P<size>[0-9]+|-) (?P<total>[0-9]+|-) (?P<turn>[0-9]+|-)"
    rf' (?:"(?P<referer>{_Q})"|-) (?:"(?P<user_agent>{_Q})"|-)'
    r"(?: (?P<version>\S+)(?: (?P<host_id>\S+) \S+ \S+ \S+ (?P<host>\S+))?)?(?: .*)?$"
)

S3: Final = LogFormat(
    name="s3",
    title="Amazon S3 server access logs",
    fits=fits_pattern(_PATTERN),
    open=lambda: PatternReader(
        _PATTERN, ("stamp", "address", "request_id", "request", "status", "bytes_sent", "referer", "user_agent", "host")
    ),
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
