"""The other files and the streams that a feed names beside an episode's enclosure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from castline.model.feed import FeedEnclosure, FeedEpisode
from castline.sources.enclosure import strip_prefixes, url_key
from castline.store.entities.addresses import NewMedia

_PLAYLISTS: Final = frozenset(
    "application/x-mpegurl application/vnd.apple.mpegurl application/mpegurl audio/mpegurl audio/x-mpegurl"
    " audio/vnd.apple.mpegurl".split()
)
_PLAYLIST_ENDING: Final = ".m3u8"
_KINDS: Final = ("audio/", "video/")
# Only the bit rate of something that can be heard: less would make every request a download.
_LEAST_BITS: Final = 4_000
_MOST: Final = 2**40
_KEY_LENGTH: Final = 4096


def list_media(item: FeedEpisode) -> Iterator[NewMedia]:
    """One row per address of the item's alternate enclosures that the web serves, but for the enclosure itself."""
    seen = {url_key(item.audio_url)}
    for alternate in item.alternate_enclosures:
        for url in alternate.urls:
            key = url_key(url)
            if key in seen or not _is_media(alternate, url) or len(key) > _KEY_LENGTH:
                continue
            seen.add(key)
            yield NewMedia(
                guid=item.guid,
                audio_key=key,
                kind="stream" if _is_stream(alternate, url) else "file",
                media_type=(alternate.type or "")[:255] or None,
                bits_per_second=_rate(alternate.bitrate),
                audio_bytes=alternate.bytes if alternate.bytes and alternate.bytes < _MOST else None,
            )


def _is_media(alternate: FeedEnclosure, url: str) -> bool:
    if not url.lower().startswith(("http://", "https://")):
        return False
    return _is_stream(alternate, url) or (alternate.type or "").lower().startswith(_KINDS)


def _is_stream(alternate: FeedEnclosure, url: str) -> bool:
    kind = (alternate.type or "").lower().partition(";")[0].strip()
    return kind in _PLAYLISTS or _path(url).endswith(_PLAYLIST_ENDING)


def _path(url: str) -> str:
    try:
        return urlsplit(strip_prefixes(url)).path.lower()
    except ValueError:
        return ""


def _rate(bitrate: float | None) -> int | None:
    return int(bitrate) if bitrate is not None and _LEAST_BITS <= bitrate < _MOST else None
