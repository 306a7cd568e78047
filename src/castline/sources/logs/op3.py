"""OP3's exports: downloads as TSV, CSV or JSON, and redirect logs.

OP3 hashes addresses itself: its hash stands for the listener, and a show measured both by OP3 and by us has two
listeners for one person. It redirects, so it knows no bytes: the requests are of the delivery mode `prefix`. Downloads
name an app instead of a user agent. OP3, "API documentation": /downloads/show and /redirect-logs.
"""

from typing import Final

import polars as pl

from castline.sources.enclosure import strip_prefixes
from castline.sources.logs.delimited import said, tell
from castline.sources.logs.format import LogFormat
from castline.sources.logs.headed import Columns, HeadedReader, try_split_header
from castline.sources.logs.ndjson import JsonReader, json_keys

_NAMES: Final = (
    "time url audienceId showUuid episodeId hashedIpAddress agentType agentName deviceType deviceName referrerType"
    " referrerName botType countryCode continentCode regionCode regionName timezone metroCode"
).split()
_NEEDED: Final = frozenset({"time", "url", "hashedIpAddress"})
_JSON_FIELDS: Final = {
    name: (name,)
    for name in ("time", "url", "hashedIpAddress", "audienceId", "agentType", "agentName", "countryCode", "country")
} | {name: (name,) for name in ("method", "userAgent", "range", "referer", "ulid", "uuid")}
_REDIRECTED: Final = "302"


class Op3JsonReader(JsonReader):
    """Reads rows of a JSON export."""

    def __init__(self) -> None:
        super().__init__(_JSON_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The rows."""
        return _tell(super().read(numbered))


def _tell(frame: pl.DataFrame) -> pl.DataFrame:
    urls = {url: strip_prefixes(url) for url in frame["url"].unique() if url}
    return tell(
        frame,
        {
            "stamp": said(frame, "time"),
            "listener": pl.concat_str(pl.lit("op3:"), said(frame, "hashedIpAddress", "audienceId")),
            "country": said(frame, "countryCode", "country"),
            "method": said(frame, "method").fill_null("GET"),
            "url": pl.col("url").replace(urls),
            "status": pl.lit(_REDIRECTED),
            "referer": said(frame, "referer"),
            "user_agent": said(frame, "userAgent", "agentName"),
            "range": said(frame, "range"),
            "request_id": said(frame, "ulid", "uuid"),
            "delivery": pl.lit("prefix"),
        },
    )


_TABLE: Final = Columns((("time",), ("url",), ("hashedIpAddress",)), _tell)
TABLE: Final = LogFormat(
    name="op3",
    title="OP3 downloads or redirect logs as TSV or CSV",
    fits=lambda line: try_split_header(line, _TABLE) is not None,
    open=lambda: HeadedReader(_TABLE, _NAMES, "\t"),
    example=(
        "\t".join(_NAMES) + "\n2026-09-07T00:00:00.042Z\thttps://op3.dev/e/cdn.example.org/one.mp3\t"
        "8a9f0c\tc008c9c7cfe847dda55cfdde54a22154\t3299ee267635404e9cd660088a755b34\t5f1e2d3c\tapp\tOvercast\tmobile\t"
        "Apple iPhone\t\t\t\tUS\tNA\tUS-CA\tCalifornia\tAmerica/Los_Angeles\t807"
    ),
    reference="https://op3.dev/api/docs",
    family="op3",
    tells_bytes="no",
    lateness="hours",
)
JSON: Final = LogFormat(
    name="op3-json",
    title="OP3 downloads or redirect logs as JSON",
    fits=lambda line: json_keys(line) >= _NEEDED,
    open=Op3JsonReader,
    example=(
        '{"time":"2026-09-07T00:00:00.042Z","url":"https://op3.dev/e/cdn.example.org/one.mp3","audienceId":"8a9f0c",'
        '"hashedIpAddress":"5f1e2d3c","agentType":"app","agentName":"Overcast","deviceType":"mobile","countryCode":"US"}'
    ),
    reference=TABLE.reference,
    family="op3",
    tells_bytes="no",
    tells_request_id=False,
    lateness="hours",
)
