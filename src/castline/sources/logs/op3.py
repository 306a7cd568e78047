"""OP3's exports: downloads as TSV, CSV or JSON, and redirect logs.

OP3 hashes addresses itself: its hash stands for the listener, and a show measured both by OP3 and by us has two
listeners for one person. It redirects, so it knows no bytes: the requests are of the delivery mode `prefix`. Downloads
name an app instead of a user agent. OP3, "API documentation": /downloads/show and /redirect-logs.
"""

import csv
from typing import Final

import polars as pl

from castline.sources.enclosure import strip_prefixes
from castline.sources.logs.delimited import said, split_lines, tell
from castline.sources.logs.format import LogFormat
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


class Op3TableReader:
    """Reads rows under a header, separated by tabs or commas as the header is."""

    def __init__(self) -> None:
        self._names, self._separator = list(_NAMES), "\t"

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The rows with fields enough; a header in the middle of a file names the rows behind it."""
        header = self.find_comments(numbered)
        rows, headers = numbered.filter(~header), numbered.filter(header)
        parts, start = [], 0
        for number, text in headers.iter_rows():
            parts.append(self._read(rows.filter(pl.col("line_number").is_between(start, number))))
            self._take_header(text)
            start = number
        parts.append(self._read(rows.filter(pl.col("line_number") >= start)))
        return pl.concat(parts)

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """The headers."""
        named = numbered["line"].str.contains(r'(?:^|[\t,])"?hashedIpAddress"?(?:[\t,\r]|$)')
        return named & numbered["line"].str.contains(r'(?:^|[\t,])"?url"?[\t,\r]')

    def _take_header(self, text: str) -> None:
        names = _header(text)
        if set(names) >= _NEEDED:
            self._names, self._separator = names, "\t" if "\t" in text else ","

    def _read(self, rows: pl.DataFrame) -> pl.DataFrame:
        least = 1 + max(self._names.index(name) for name in _NEEDED)
        quoted = rows["line"].str.contains('"', literal=True)
        frame = split_lines(rows.filter(~quoted), self._names, self._separator, kept=self._names)
        frame = frame.filter(pl.col(self._names[least - 1]).is_not_null()).select("line_number", *self._names)
        if quoted.any():
            frame = pl.concat([frame, self._read_quoted(rows.filter(quoted), least)]).sort("line_number")
        return _tell(frame)

    def _read_quoted(self, rows: pl.DataFrame, least: int) -> pl.DataFrame:
        # Each line by itself, so that an open quote ends with its line.
        found: dict[str, list[object]] = {name: [] for name in ("line_number", *self._names)}
        for number, line in rows.iter_rows():
            fields = _try_split(line.rstrip("\r"), self._separator)
            if len(fields) < least:
                continue
            found["line_number"].append(number)
            for name, text in zip(self._names, [*fields, *[None] * len(self._names)], strict=False):
                found[name].append(text)
        schema = {"line_number": pl.UInt32, **dict.fromkeys(self._names, pl.String)}
        return pl.DataFrame(found, schema=schema)


class Op3JsonReader(JsonReader):
    """Reads rows of a JSON export."""

    def __init__(self) -> None:
        super().__init__(_JSON_FIELDS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The rows."""
        return _tell(super().read(numbered))


def _try_split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        # A field beyond what a table may hold: the line is none.
        return []


def _header(text: str) -> list[str]:
    names = [name.strip('" \r') for name in text.split("\t" if "\t" in text else ",")]
    return [name if name and names.index(name) == number else f"_{number}" for number, name in enumerate(names)]


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


def _fits_table(line: str) -> bool:
    return set(_header(line)) >= _NEEDED


TABLE: Final = LogFormat(
    name="op3",
    title="OP3 downloads or redirect logs as TSV or CSV",
    fits=_fits_table,
    open=Op3TableReader,
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
