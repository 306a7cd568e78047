"""The intake's own redirects, as its drain writes them: one JSON object a line.

A redirect knows no bytes, so the requests are of the delivery mode `prefix`; the status is the redirect's own.
"""

from typing import Final

import polars as pl

from castline.sources.enclosure import strip_prefixes
from castline.sources.logs.delimited import tell
from castline.sources.logs.format import LogFormat
from castline.sources.logs.ndjson import JsonReader, json_keys

_FIELDS: Final = {
    "stamp": ("redirected_at",),
    **{name: (name,) for name in ("address", "method", "url", "range", "referer", "user_agent", "request_id")},
}


class IntakeReader(JsonReader):
    """Reads the redirects."""

    def __init__(self) -> None:
        super().__init__(_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The redirects, each under the address behind every prefix."""
        told = super().read(numbered)
        urls = {url: strip_prefixes(url) for url in told["url"].unique() if url}
        names = {name: pl.col(name) for name in _FIELDS}
        more = {"url": pl.col("url").replace(urls), "status": pl.lit("302"), "delivery": pl.lit("prefix")}
        return tell(told, names | more)


INTAKE: Final = LogFormat(
    name="castline",
    title="castline's own redirect prefix",
    fits=lambda line: json_keys(line) >= {"redirected_at", "address", "url"},
    open=IntakeReader,
    example=(
        '{"redirected_at":"2026-09-07T00:00:00.042000Z","address":"203.0.113.9","method":"GET",'
        '"url":"https://cdn.example.org/one.mp3","range":null,"referer":null,"user_agent":"Overcast/3.0",'
        '"request_id":"00001-7"}'
    ),
    reference="https://op3.dev/setup",
    tells_range=True,
    tells_bytes="no",
    tells_request_id=True,
)
