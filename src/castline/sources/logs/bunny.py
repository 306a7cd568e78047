"""Bunny CDN's raw logs: twelve fields between bars, fifteen with extended logging.

Bunny, "CDN logging": cache status, status, time in milliseconds, bytes, pull zone, address, referrer, URL, edge, user
agent, request id, country; then the body's bytes, the range and the authorization. The method is not told: Bunny's pull
zones answer GET and HEAD, and a HEAD has no bytes.
"""

from typing import Final

import polars as pl

from castline.sources.logs.delimited import said, split_lines
from castline.sources.logs.format import LogFormat
from castline.sources.logs.pattern import PatternReader, fits_patterns

_FIELDS: Final = (
    "cache status stamp bytes_sent zone address referer url edge user_agent request_id country body range".split()
)
_FRONT: Final = (
    r"^(?P<cache>[A-Z-]*)\|(?P<status>[0-9]{3})\|(?P<stamp>[0-9]{10,13}(?:\.[0-9]+)?)\|(?P<bytes_sent>[0-9]{1,18})"
    r"\|(?P<zone>[0-9]+)\|(?P<address>[^|]*)"
)
_END: Final = r"\|(?P<country>[A-Za-z]{2}|-|)(?:\|(?P<body>[0-9]*|-)\|(?P<range>[^|]*)\|[^|]*)?$"
_SHAPE: Final = rf"{_FRONT}(?:\|[^|]*){{4}}\|[0-9A-Za-z-]*{_END}"
# A bar inside the referrer, the URL or the user agent stays there: what stands behind it has a shape of its own.
_LOOSE: Final = (
    rf"{_FRONT}\|(?P<referer>.*?)\|(?P<url>https?://.*?|[^|]*)\|(?P<edge>[A-Za-z0-9-]*)\|(?P<user_agent>.*?)"
    rf"\|(?P<request_id>[0-9A-Za-z-]{{16,}}){_END}"
)
_KEPT: Final = (
    "stamp", "address", "country", "url", "status", "bytes_sent", "referer", "user_agent", "request_id", "body",
    "range",
)  # fmt: skip


class BunnyReader(PatternReader):
    """Reads raw log lines."""

    def __init__(self) -> None:
        super().__init__((_LOOSE,), _KEPT)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that match; one that brought no byte is a HEAD, as far as anyone can tell."""
        plain = numbered["line"].str.contains(_SHAPE)
        found = split_lines(numbered.filter(plain), _FIELDS, "|", kept=_KEPT).select("line_number", *_KEPT)
        if not plain.all():
            found = pl.concat([found, super().read(numbered.filter(~plain))]).sort("line_number")
        silent = (pl.col("bytes_sent") == "0") & pl.col("status").is_in(["200", "206"])
        return found.select(
            pl.exclude("body", "bytes_sent"),
            bytes_sent=said(found, "body").fill_null(pl.col("bytes_sent")),
            method=pl.when(silent).then(pl.lit("HEAD")).otherwise(pl.lit("GET")),
        )


BUNNY: Final = LogFormat(
    name="bunny",
    title="Bunny CDN",
    fits=fits_patterns(_SHAPE, _LOOSE),
    open=BunnyReader,
    example=(
        "HIT|200|1788739200042|28800000|390|203.0.113.0|-|https://cdn.example.org/one.mp3|DE|"
        "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)|322b688bd63fb63f2babe9de96a5f8d6|DE"
    ),
    reference="https://docs.bunny.net/docs/cdn-logging",
    tells_request_id=True,
    lateness="minutes to hours; its default cuts addresses, so that neighbours look like one listener",
)
