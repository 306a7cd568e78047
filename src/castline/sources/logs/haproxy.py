"""HAProxy's `option httplog`, also with what `option httpslog` puts behind it.

HAProxy, "Configuration Manual", section 8.2.3: the request headers that are captured stand between braces, without
their names. Its clock is the local one, and tells no zone.
"""

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from castline.base.errors import InvalidInput
from castline.sources.logs.format import LogFormat, LogReader, no_comments
from castline.sources.logs.pattern import PatternReader, fits_patterns
from castline.sources.logs.proxy_templates import compile_haproxy

_LINE: Final = (
    r"^(?P<address>[0-9A-Fa-f.:]+):[0-9]+ \[(?P<stamp>[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}(?:\.[0-9]+)?)\]"
    r" \S+ \S+ [0-9+/-]+ (?P<status>[0-9]{3}|-1) \+?(?P<bytes_sent>[0-9]{1,18}) \S+ \S+ [A-Za-z-]{4} [0-9/+]+"
    r" [0-9/+]+(?: \{(?P<captured>[^}]*)\})?(?: \{[^}]*\})? \"(?P<request>[^\"]*)(?:\"(?: .*)?)?$"
)
_TEXTS: Final = ("stamp", "address", "status", "bytes_sent", "request", "captured")
_HEADERS: Final = {
    "host": "host", "user-agent": "user_agent", "range": "range", "referer": "referer",
    "x-forwarded-for": "forwarded", "x-unique-id": "request_id", "x-request-id": "request_id",
}  # fmt: skip
# What a captured header is, where nobody names it: an agent has a product and its version, or is the first bare word
# where nothing else is one, as many apps write their name alone, and some headers one word.
_SHAPES: Final = {
    "range": "^bytes=",
    "referer": "^https?://",
    "host": r"^(?:localhost|[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+)(?::[0-9]+)?$",
    "user_agent": r"[^\s/]/v?[0-9]|Mozilla",
    "word": "^[A-Za-z][0-9A-Za-z ._-]{2,}$",
}
_CODES: Final = re.compile("(?:#[0-9A-F]{2})+")  # how it writes bytes that stand for something else


class HaproxyReader:
    """Reads httplog lines, or those of a log-format that `lines` reads.

    `names` are those of the captured request headers, or they are told by their shapes.
    """

    def __init__(self, names: Sequence[str] = (), lines: LogReader | None = None) -> None:
        self._names, self._lines = names, lines or PatternReader((_LINE,), _TEXTS)

    def read(self, numbered: pl.DataFrame) -> pl.DataFrame:
        """The lines that are such."""
        found = self._lines.read(numbered)
        if "captured" not in found.columns:
            return found
        captured = found["captured"].drop_nulls().unique()
        told = [self._tell(text) for text in captured]
        texts = dict.fromkeys(("captured", *_HEADERS.values()), pl.String())
        known = pl.DataFrame([{"captured": text, **parts} for text, parts in zip(captured, told, strict=True)], texts)
        known = known.drop(name for name in found.columns if name != "captured" and name in known.columns)
        return found.join(known, on="captured", how="left", maintain_order="left").drop("captured")

    def find_comments(self, numbered: pl.DataFrame) -> pl.Series:
        """None: such logs have no header."""
        return no_comments(numbered)

    def _tell(self, captured: str) -> dict[str, str]:
        texts = [_CODES.sub(_decode, text) for text in captured.strip("{}").split("|")]
        if self._names:
            named = zip(self._names, texts, strict=False)
            return {_HEADERS[name]: text for name, text in named if name in _HEADERS}
        found: dict[str, str] = {}
        for text in texts:
            kind = next((kind for kind, shape in _SHAPES.items() if re.search(shape, text)), None)
            if kind is not None:
                found.setdefault(kind, text)
        if (word := found.pop("word", None)) is not None:
            found.setdefault("user_agent", word)
        return found


def _decode(codes: re.Match[str]) -> str:
    return (
        bytes.fromhex(codes[0].replace("#", "")).decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def open_haproxy(written: str) -> HaproxyReader:
    """A reader of lines whose captured request headers have these names, separated by commas, or of a log-format.

    Raises InvalidInput.
    """
    if "%" in written:
        return HaproxyReader(lines=compile_haproxy(written))
    names = [name.strip().lower() for name in written.split(",")]
    if "user-agent" not in names:
        raise InvalidInput(field="--format", detail=f"the captured headers {written!r} lack user-agent")
    return HaproxyReader(names)


HAPROXY: Final = LogFormat(
    name="haproxy",
    title="HAProxy's httplog; --format haproxy:HEADER,HEADER,... names the captured headers",
    fits=fits_patterns(_LINE),
    open=HaproxyReader,
    example=(
        "203.0.113.9:41342 [07/Sep/2026:00:00:00.042] https-in~ audio/srv1 10/0/30/69/109 206 960512 - - ---- "
        "1/1/1/1/0 0/0 {cdn.example.org|Overcast/3.0 (+http://overcast.fm/; iOS podcast app)|bytes=0-959999} "
        '"GET /one.mp3 HTTP/1.1"'
    ),
    reference="https://docs.haproxy.org/3.2/configuration.html#8.2.3",
    tells_range=True,
    tells_bytes="body and headers",
    lateness="written at once; headers only if captured; --tz says which zone its clock shows",
)
