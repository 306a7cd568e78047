"""The address of a redirect: `/e[,name=value...]/<target>`, as OP3 writes it, and where it leads.

`/e/https://host/file`, `/e/https/host/file` and `/e/host/file` are one; what comes without a scheme is https. Commas
may also stand in a segment of their own, `/e/,pg=.../host/file`, which `pg` begins without one, too, as at OP3.
Method: docs/how-to/intake.md
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_from_bytes, unquote

LONGEST_TARGET: Final = 4096
# Control characters, spaces and what could end a header or an attribute never reach the answer.
# Possessive, as every label but the last is known by what follows it: nothing is tried twice.
_HOST: Final = (
    rb"(?:[A-Za-z0-9_][A-Za-z0-9_-]{0,62}+\.(?=[A-Za-z0-9_]))++"
    rb"(?:[A-Za-z]{2,24}+|[Xx][Nn]--[A-Za-z0-9-]{2,59}+)\.?(?::[0-9]{1,5})?"
)
_SAFE: Final = rb"[!#-;=?-\[\]_a-z~]"
PREFIX: Final = rb"/e(?P<arguments>,[!#-.0-;=?-\[\]_a-z~]*)?/(?:(?P<more>(?:,|pg=)[!#-.0-;=?-\[\]_a-z~]*)/)?"
TARGET: Final = rb"(?:(?P<scheme>https?)(?::/{0,2}|/))?/*(?P<rest>" + _HOST + rb"/" + _SAFE + rb"++)"
_WHOLE: Final = re.compile(PREFIX + TARGET)
_BEGIN: Final = re.compile(PREFIX)
_WHOLE_TARGET: Final = re.compile(TARGET, re.IGNORECASE)
_ENCODED: Final = re.compile(rb"https?%3a|[^/]*%2f", re.IGNORECASE)
_URL_SAFE: Final = "%/!$&'()*+,;=:@-._~?[]#"
_MEDIA: Final = re.compile(
    rb"\.(?:mp3|m4a|m4b|mp4|m4v|mov|aac|ogg|oga|opus|flac|wav|webm|mpga?|m3u8|ts|pdf|epub)(?:/|$)", re.IGNORECASE
)
_QUERY: Final = re.compile(rb"[?#]")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a redirect leads, and the arguments in front of it."""

    url: bytes
    arguments: dict[str, str]

    @property
    def looks_like_media(self) -> bool:
        """Whether the path has the name of an audio, video or document file in it; a query can say anything."""
        return _MEDIA.search(_QUERY.split(self.url, 1)[0]) is not None


def is_redirect(path: bytes) -> bool:
    """Whether the path is one of the redirect's."""
    return path.startswith((b"/e/", b"/e,"))


def try_parse_target(path: bytes) -> Target | None:
    """Where the request's path (with its query) leads; None for what is no web address of a named host."""
    found = _WHOLE.fullmatch(path)
    if found is None:
        return _try_repair(path)
    return _target(found, found["arguments"], found["more"])


def _try_repair(path: bytes) -> Target | None:
    """Targets that came percent-encoded as a whole, or with bytes that should have been."""
    begin = _BEGIN.match(path)
    if begin is None:
        return None
    rest = path[begin.end() :].partition(b"#")[0]
    if _ENCODED.match(rest):
        rest = unquote(rest.decode("utf-8", "replace"), errors="replace").encode()
    if b"\r" in rest or b"\n" in rest or b"\0" in rest:
        return None
    found = _WHOLE_TARGET.fullmatch(quote_from_bytes(rest, _URL_SAFE).encode())
    return _target(found, begin["arguments"], begin["more"]) if found else None


def _target(found: re.Match[bytes], *arguments: bytes | None) -> Target | None:
    url = (found["scheme"] or b"https").lower() + b"://" + found["rest"]
    if len(url) > LONGEST_TARGET:
        return None
    return Target(url, dict(_iter_arguments(b",".join(part or b"" for part in arguments))))


def _iter_arguments(text: bytes) -> "list[tuple[str, str]]":
    pairs = [part.partition("=") for part in unquote(text.decode("ascii", "replace")).split(",") if part]
    return [(name, value) for name, _, value in pairs if "\0" not in value]  # no account or show bears one
