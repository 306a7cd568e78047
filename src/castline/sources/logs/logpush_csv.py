"""Cloudflare Logpush as CSV, with any separator: under a header, or with fields that are named for it.

Cloudflare, "Log output options": a header stands there only if the job was given one as its batch prefix.
"""

from typing import Final

import polars as pl

from castline.sources.logs.delimited import said, tell
from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import Columns, HeadedReader, open_named, try_split_header
from castline.sources.logs.json_logs import LOGPUSH, LOGPUSH_FIELDS

# Custom fields stand together in one object.
_HEADERS: Final = ("RequestHeaders", "ResponseHeaders")
_RANGE: Final = r'(?i)"(?:content-)?range" *: *"([^"]*)"'


def _tell(frame: pl.DataFrame) -> pl.DataFrame:
    texts = {text: said(frame, *names) for text, names in LOGPUSH_FIELDS.items()}
    ranges = [said(frame, name).str.extract(_RANGE) for name in _HEADERS]
    return tell(frame, texts | {"range": pl.coalesce(*ranges)})


_COLUMNS: Final = Columns((LOGPUSH_FIELDS["stamp"], LOGPUSH_FIELDS["address"], LOGPUSH_FIELDS["url"]), _tell)


def open_logpush(fields: str) -> HeadedReader:
    """A reader of rows with these fields, named in their order and separated by commas. Raises InvalidInput."""
    return open_named(_COLUMNS, fields)


LOGPUSH_CSV: Final = LogFormat(
    name="cloudflare-csv",
    title="Cloudflare Logpush as CSV under a header, or the fields of --format cloudflare:FIELD,FIELD,...",
    fits=lambda line: not line.lstrip().startswith("{") and try_split_header(line, _COLUMNS) is not None,
    open=lambda: HeadedReader(_COLUMNS),
    example=(
        "ClientIP,ClientRequestHost,ClientRequestMethod,ClientRequestURI,ClientRequestUserAgent,EdgeResponseStatus,"
        "EdgeResponseBytes,EdgeStartTimestamp,RayID,RequestHeaders\n"
        '"203.0.113.9","cdn.example.org","GET","/one.mp3","Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",206,'
        '960512,1788739200042000000,"5d1a2b3c4d5e6f70","{\\"range\\":\\"bytes=0-959999\\"}"'
    ),
    reference="https://developers.cloudflare.com/logs/logpush/logpush-job/log-output-options/",
    family=LOGPUSH.id_space,
    tells_range=True,
    tells_bytes="body and headers",
    tells_request_id=True,
    lateness=LOGPUSH.lateness,
)
