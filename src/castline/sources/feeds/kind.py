"""What kind of document some bytes are, judged by their first element or their first bytes."""

import re
from typing import Final

from castline.sources.feeds.bytes import prolog_end
from castline.sources.feeds.errors import NotAFeed

_SEARCHED: Final = 64 * 1024  # warnings and blank lines of a broken site stand before the document, not pages of text
_START: Final = re.compile(rb"<(?:\?xml|rss|feed|rdf:RDF)\b", re.IGNORECASE)
_ROOT: Final = re.compile(rb"<([A-Za-z_][\w.-]*(?::[\w.-]+)?)")
_FEED_ROOTS: Final = frozenset({"rss", "rdf", "feed", "channel"})
_PAGES: Final = frozenset({"html", "head", "body", "div", "p", "script", "title", "meta", "h1", "center", "table"})
_KNOWN: Final = {
    "opml": "an OPML list of feeds",
    "urlset": "a sitemap",
    "sitemapindex": "a sitemap",
    "error": "an error message of a storage service",
    "svg": "a picture (SVG)",
    "playlist": "a playlist",
    "opensearchdescription": "a search description",
    "plist": "a property list",
}
_MAGIC: Final = (
    (b"ID3", "an MP3 file"), (b"\xff\xfb", "an MP3 file"), (b"\xff\xf3", "an MP3 file"), (b"OggS", "an Ogg file"),
    (b"\x89PNG", "a picture (PNG)"), (b"\xff\xd8\xff", "a picture (JPEG)"), (b"GIF8", "a picture (GIF)"),
    (b"%PDF", "a PDF file"), (b"PK\x03\x04", "a ZIP archive"), (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"BZh", "bzip2-compressed data"), (b"\xfd7zXZ", "xz-compressed data"), (b"#EXTM3U", "an M3U playlist"),
    (b"WEBVTT", "a WebVTT transcript"), (b"BEGIN:VCALENDAR", "a calendar"),
)  # fmt: skip
_PRINTABLE: Final = frozenset({9, 10, 13, *range(32, 256)} - {127})


def feed_start(data: bytes) -> int:
    """Where the feed's document begins: behind a broken site's warnings; 0 where nothing says that it is further on."""
    if _root(data) in _FEED_ROOTS or _root(data) == "html":
        return 0
    found = _START.search(data, 0, _SEARCHED)
    return found.start() if found and data[: found.start()].strip() else 0


def check_kind(data: bytes, source: str, raw: bytes) -> None:
    """Raises NotAFeed, saying what it looks like, unless the document's first element can be a feed's.

    `raw` are the bytes before they were taken for text.
    """
    root = _root(data)
    if root not in _FEED_ROOTS:
        raise NotAFeed(source=source, detail=f"it is {_looks_like(data, root, raw)}")


def _root(data: bytes) -> str | None:
    """The first element's name without prefix, in lower case; None where no element comes first."""
    start = prolog_end(data)
    if data.startswith(b"<!", start):
        start = data.find(b"<", start + 1, start + _SEARCHED)
    found = _ROOT.match(data, max(start, 0))
    return found[1].decode("ascii", "replace").rpartition(":")[2].lower() if found else None


def _looks_like(data: bytes, root: str | None, raw: bytes) -> str:
    start = data[:512].lstrip()
    if root in _PAGES or b"<!doctype html" in start.lower():
        return "an HTML page"
    if root:
        return _KNOWN.get(root, f"an XML document <{root}>")
    if not data.strip(b" \t\r\n\0"):
        return "empty"
    kind = next((name for magic, name in _MAGIC if raw.startswith(magic)), None)
    if kind:
        return kind
    strange = sum(byte not in _PRINTABLE for byte in raw[:512])
    return "binary data" if strange * 20 > len(raw[:512]) else "text without any markup"
