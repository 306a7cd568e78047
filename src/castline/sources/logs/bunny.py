"""Bunny CDN's raw logs: twelve fields between bars.

Bunny, "CDN logging": cache status, status, time in milliseconds, bytes, pull zone, address, referrer, URL, edge, user
agent, request id, country. The method is not told: Bunny's pull zones answer GET and HEAD, and a HEAD has no bytes.
"""

from typing import Final

import polars as pl

from castline.sources.logs.format import LogFormat
from castline.sources.logs.pattern import PatternReader, fits_pattern

# A bar inside the user agent stays there: what stands behind it has a shape of its own.
_PATTERN: Final = (
    r"^(?P<cache>[A-Z-]*)\|(?P<status>[0-9]{3})\|(?P<stamp>[0-9]{10,13})\|(?P<bytes_sent>[0-9]{1,18})\|(?P<zone>[0-9]+)"
    r"\|(?P<address>[0-9A-Fa-f.:]+)\|(?P<referer>[^|]*)\|(?P<url>[^|]*)\|(?P<edge>[A-Z0-9-]*)\|(?P<user_agent>.*)"
    r"\|(?P<request_id>[0-9A-Za-z-]*)\|(?P<country>[A-Z]{2}|-|)(?:\|.*)?$"
)
_KEPT: Final = ("stamp", "address", "country", "url", "status", "bytes_sent", "referer", "user_agent", "request_id")


class BunnyReader(PatternReader):
    """Reads raw log lines."""

    def __init__(self) -> None:
        super().__init__(_PATTERN, _KEPT)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that match; one that brought no byte is a HEAD, as far as anyone can tell."""
        found = super().read(numbered)
        silent = (pl.col("bytes_sent") == "0") & pl.col("status").is_in(["200", "206"])
        return found.with_columns(method=pl.when(silent).then(pl.lit("HEAD")).otherwise(pl.lit("GET")))


BUNNY: Final = LogFormat(
    name="bunny",
    title="Bunny CDN",
    fits=fits_pattern(_PATTERN),
    open=BunnyReader,
    example=(
        "HIT|200|1788739200042|28800000|390|203.0.113.0|-|https://cdn.example.org/one.mp3|DE|"
        "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)|322b688bd63fb63f2babe9de96a5f8d6|DE"
    ),
    reference="https://docs.bunny.net/docs/cdn-logging",
    tells_request_id=True,
    lateness="minutes to hours; its default cuts addresses, so that neighbours look like one listener",
)
