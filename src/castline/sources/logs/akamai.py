"""Akamai DataStream 2: JSON lines, or fields in the order that the stream has them.

Akamai, "DataStream 2: Data set parameters" and "Log format". Fields that say nothing are left out of JSON; odd
characters are percent-encoded.
"""

from typing import Final

import polars as pl

from castline.sources.logs.delimited import form_decoded, said, tell
from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import Columns, HeadedReader, open_named
from castline.sources.logs.ndjson import JsonReader, json_keys

_FIELDS: Final = {
    "stamp": ("reqTimeSec",),
    "address": ("cliIP",),
    "forwarded": ("xForwardedFor",),
    "country": ("country",),
    "host": ("reqHost",),
    "method": ("reqMethod",),
    "url": ("reqPath",),
    "query": ("queryStr",),
    "status": ("statusCode",),
    # The body alone; totalBytes has what the protocol needs around it, too.
    "bytes_sent": ("bytes", "rspContentLen"),
    "referer": ("referer",),
    "user_agent": ("UA",),
    "range": ("range",),
    "request_id": ("reqId",),
}
_ENCODED: Final = ("referer", "user_agent", "forwarded", "query")


class AkamaiReader(JsonReader):
    """Reads JSON lines."""

    def __init__(self) -> None:
        super().__init__(_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are JSON objects."""
        return _mended(super().read(numbered))


def open_akamai(fields: str) -> HeadedReader:
    """A reader of lines with these fields, by their names in JSON, separated by commas. Raises InvalidInput."""
    return open_named(_STRUCTURED, fields)


def _tell(frame: pl.DataFrame) -> pl.DataFrame:
    return _mended(tell(frame, {text: said(frame, *names) for text, names in _FIELDS.items()}))


def _mended(found: pl.DataFrame) -> pl.DataFrame:
    """Decoded, and with the slash that the path begins with, which a stream may leave out."""
    path = pl.col("url").str.replace("^%2[Ff]", "/")
    slashed = pl.when(path.str.starts_with("/")).then(path).otherwise(pl.concat_str(pl.lit("/"), path))
    return form_decoded(found, _ENCODED).with_columns(url=slashed)


_STRUCTURED: Final = Columns((_FIELDS["stamp"], _FIELDS["address"], _FIELDS["url"]), _tell)
AKAMAI: Final = LogFormat(
    name="akamai",
    title="Akamai DataStream 2: JSON, or the fields of --format akamai:FIELD,FIELD,...",
    fits=lambda line: {"cliIP", "reqPath", "reqTimeSec"} <= json_keys(line),
    open=AkamaiReader,
    example=(
        '{"version":2,"cp":"123456","reqId":"1239f220","reqTimeSec":"1788739200.042","bytes":"960000",'
        '"cliIP":"203.0.113.9","statusCode":"206","proto":"HTTPS","reqHost":"cdn.example.org","reqMethod":"GET",'
        '"reqPath":"one.mp3","rspContentLen":"960000","rspContentType":"audio/mpeg",'
        '"UA":"Overcast/3.0%20(+http://overcast.fm/;%20iOS%20podcast%20app)","range":"0-959999","country":"DE"}'
    ),
    reference="https://techdocs.akamai.com/datastream2/docs/log-format-1",
    tells_range=True,
    tells_request_id=True,
    lateness="a minute or so",
)
