"""Addresses of media files: without the tracking prefixes in front, and as keys under which logs find them.

The prefixes are a table of their own, `tracking_prefixes.txt`. Method: docs/method/feed-identity.md
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes, urlsplit

_ANY_HOST: Final = "*"
_DEEPEST: Final = 16  # chains of nine have been seen in public feeds; an end is needed, not a limit
_SCHEME: Final = re.compile(r"(https?)(?::/{1,2}|/(?=[^/]))", re.IGNORECASE)
_HOST: Final = re.compile(
    r"(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|(?:[a-z0-9_][a-z0-9_-]{0,62}\.)+(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})\.?)(?::\d{1,5})?",
    re.IGNORECASE,
)
_FILE: Final = re.compile(r".*\.(?:mp3|m4a|m4b|mp4|m4v|aac|ogg|oga|opus|flac|wav|webm|mpga?|html?)", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"%(?:2F|3A)", re.IGNORECASE)
_DEFAULT_PORTS: Final = frozenset({None, 80, 443})
_PATH_SAFE: Final = "/~!$&'()*+,;=:@-._"
_URL_SAFE: Final = "%/~!$&'()*+,;=:@-._?#[]"
_SLASHES: Final = re.compile(r"/{2,}")


def strip_prefixes(url: str) -> str:
    """The address that the last tracking prefix redirects to; `url` itself where there is none.

    Undoes percent-encoded targets and `http/`, `https:/` scheme segments; the query stays. Never empty for a url.
    """
    current = url.strip()
    for _ in range(_DEEPEST):
        inner = _unwrap(current)
        if inner is None:
            return current
        current = inner
    return current


def url_key(url: str) -> str:
    """Host and path that identify a media file, whatever its scheme, prefixes, `www.`, query or escapes."""
    parts = _split(strip_prefixes(url))
    if parts is None:
        return url.strip()
    host, path = parts
    return f"{host}{_normal_path(path)}"


def path_key(url: str) -> str:
    """The path of `url_key` alone, for logs of a server that may answer under several names."""
    parts = _split(strip_prefixes(url))
    return _normal_path(parts[1] if parts else url.strip().partition("?")[0])


def _split(url: str) -> tuple[str, str] | None:
    """Host (lower case, without `www.` and default port) and path; None for what is no web address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    name = host.rstrip(".").removeprefix("www.")
    return f"{name}:{port}" if port not in _DEFAULT_PORTS else name, parts.path


def normal_escapes(path: str) -> str:
    """The path with only those characters escaped that keys escape."""
    return quote_from_bytes(unquote_to_bytes(path), _PATH_SAFE)


def _normal_path(path: str) -> str:
    return _SLASHES.sub("/", normal_escapes(path)) or "/"


def _unwrap(url: str) -> str | None:
    """The target behind one prefix; None where `url` starts with none."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        return None
    authority, _, path = rest.partition("/")
    table = _prefixes()
    for pattern in (*table.get(_bare_host(authority), ()), *table[_ANY_HOST]):
        if found := pattern.match(path):
            target = _target(path[found.end() :], scheme.lower())
            if target is not None:
                return target
    return None


def _bare_host(authority: str) -> str:
    host = authority.rpartition("@")[2].partition(":")[0]
    return host.lower().rstrip(".").removeprefix("www.")


def _target(rest: str, scheme: str) -> str | None:
    """The address that `rest` of a path stands for; None where it names no host."""
    rest = rest.lstrip("/")
    if _ESCAPED.search(rest.partition("/")[0]):
        rest = quote(unquote(rest), _URL_SAFE)
    if found := _SCHEME.match(rest):
        scheme, rest = found[1].lower(), rest[found.end() :].lstrip("/")
    host, slash, _ = rest.partition("/")
    if not slash or not _HOST.fullmatch(host) or _FILE.fullmatch(host):
        return None
    return f"{scheme}://{rest}"


@cache
def _prefixes() -> dict[str, tuple[re.Pattern[str], ...]]:
    """The table by host; each pattern matches the path's segments of one prefix with the slash behind them."""
    table: dict[str, list[re.Pattern[str]]] = {}
    for host, segments in _rows():
        path = "".join(rf"{re.escape(part).replace(re.escape('*'), '[^/]+')}/+" for part in segments)
        table.setdefault(host, []).append(re.compile(path, re.IGNORECASE))
    return {host: tuple(patterns) for host, patterns in table.items()}


def _rows() -> Iterator[tuple[str, list[str]]]:
    text = files("castline.sources").joinpath("tracking_prefixes.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            host, *segments = line.strip().split("/")
            yield host, segments
