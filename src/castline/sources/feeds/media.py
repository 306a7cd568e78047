"""Which file of an item is the episode: enclosure, Atom enclosure link, media:content or alternate enclosure."""

from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from castline.model.feed import FeedEnclosure
from castline.sources.feeds.podcast import Parts
from castline.sources.feeds.text import try_parse_float
from castline.sources.feeds.tree import Element, attribute, children, text_of, whole_attribute

_MEDIA: Final = ("audio", "video")
_WEB: Final = ("https://", "http://")
_ENDINGS: Final = (
    ".mp3", ".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".aac", ".ogg", ".oga", ".opus", ".flac", ".wav", ".webm", ".mpga",
)  # fmt: skip
_NO_MEDIA: Final = (
    "image/", "text/html", "text/plain", "text/xml", "application/xml", "application/rss", "application/atom",
    "application/json",
)  # fmt: skip


class Media(NamedTuple):
    """A media file as an item names it: addresses in order of preference, type in lower case, bytes above zero."""

    urls: tuple[str, ...]
    type: str | None
    bytes: int | None


def find_media(parts: Parts, alternates: tuple[FeedEnclosure, ...]) -> tuple[Media | None, str]:
    """The item's audio, else video, else document; or None and what its enclosure is instead."""
    named = [*_enclosures(parts)]
    if len(named) == 1 and (named[0].type or "").startswith(_MEDIA):
        return named[0], ""
    fitting = [media for media in named if is_media(media.type, media.urls[0])]
    if not fitting:
        fitting = [*_media_contents(parts)] or [*_alternates(alternates)]
    if fitting:
        return min(fitting, key=_preference), ""
    return None, (named[0].type or "") if named else ""


def _enclosures(parts: Parts) -> Iterator[Media]:
    for tag in parts.get("enclosure", ()):
        if url := attribute(tag, "url") or attribute(tag, "href") or attribute(tag, "URL") or text_of(tag):
            yield Media((url,), _kind(tag), whole_attribute(tag, "length") or None)
    for tag in parts.get("link", ()):
        if tag.get("rel") == "enclosure" and (href := attribute(tag, "href")):
            yield Media((href,), _kind(tag), whole_attribute(tag, "length") or None)


def _kind(tag: Element) -> str | None:
    return (tag.get("type") or "").strip().lower() or None


def _media_contents(parts: Parts) -> Iterator[Media]:
    """media:content with audio or video, also inside media:group; `medium` stands for a missing type."""
    tags = list(parts.get("media:content", ()))
    for group in parts.get("media:group", ()):
        tags += children(group, "media:content")
    for tag in tags:
        url = attribute(tag, "url")
        kind = _kind(tag) or (attribute(tag, "medium") or "").lower() or None
        if url and ((kind or "").startswith(_MEDIA) or (kind is None and _has_media_ending(url))):
            yield Media((url,), kind, whole_attribute(tag, "fileSize") or None)


def _alternates(alternates: tuple[FeedEnclosure, ...]) -> Iterator[Media]:
    """The alternate enclosures with audio or video, the default one first."""
    for one in sorted(alternates, key=lambda one: not one.is_default):
        if (one.type or "").startswith(_MEDIA):
            yield Media(one.urls, one.type, one.bytes)


def is_media(kind: str | None, url: str) -> bool:
    """True unless the type says picture or page and the address does not look like media either."""
    return not (kind or "").startswith(_NO_MEDIA) or _has_media_ending(url)


def _has_media_ending(url: str) -> bool:
    return url.partition("?")[0].lower().endswith(_ENDINGS)


def _preference(media: Media) -> int:
    kind = media.type or ("audio" if _has_media_ending(media.urls[0]) else "")
    return 0 if kind.startswith("audio") else 1 if kind.startswith("video") else 2


def find_web_url(urls: tuple[str, ...], base: str) -> str | None:
    """The first that is an absolute http or https address, seen from `base`."""
    if urls[0].startswith(_WEB):
        return urls[0]
    return next((found for url in urls if (found := _absolute(url, base))), None)


def _absolute(url: str, base: str) -> str | None:
    if url[:8].lower().startswith(_WEB):
        return url
    try:
        absolute = urljoin(base, url)
        parts = urlsplit(absolute)
    except ValueError:
        return None
    return absolute if parts.scheme in {"http", "https"} and parts.netloc else None


def find_media_seconds(parts: Parts) -> int | None:
    """The length that a media:content states, in whole seconds."""
    lengths = (try_parse_float(attribute(tag, "duration")) for tag in parts.get("media:content", ()))
    return next((int(seconds) for seconds in lengths if seconds), None)
