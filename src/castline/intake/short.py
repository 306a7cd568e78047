"""The one request that comes in masses, a redirect that is whole and alone, read at once; all else goes the long way.

The long way (castline.intake.request and answer) knows all that this knows; tests/contract/test_intake_ways.py compares
the two. What is not certainly harmless is left to it.
"""

import re
from typing import Final

from castline.intake.request import HEAD_BYTES, HEADER_COUNT, HOST_SIGNS, TOKEN, VALUE
from castline.intake.target import LONGEST_TARGET, PREFIX, TARGET

END: Final = b"\r\n\r\n"
# A request with any of these is read the long way.
_LONG: Final = (
    "authorization", "connection", "content-length", "cookie", "expect", "host", "proxy-authorization",
    "sec-fetch-dest", "transfer-encoding", "upgrade",
)  # fmt: skip


def _any_case(name: str) -> str:
    return "".join(f"[{sign.upper()}{sign}]" if sign.isalpha() else sign for sign in name)


_LETTERS: Final = "".join(sorted({name[0] for name in _LONG} | {name[0].upper() for name in _LONG}))
# The usual names first, and those that begin as none of _LONG does: to look each of _LONG up costs as much as the rest.
_NAME: Final = rb"(?:User-Agent|Accept(?:-[EL][a-z]++)?+|(?![%b])%b|(?!(?:%b):)%b)" % (
    _LETTERS.encode(), TOKEN, "|".join(map(_any_case, _LONG)).encode(), TOKEN,
)  # fmt: skip
_BEFORE: Final = HEADER_COUNT // 2
_SHORT: Final = re.compile(
    rb"GET %b%b HTTP/1\.1\r\n(?:%b){0,%d}+%b:[\t ]*+(?P<host>%b*+)[\t ]*+\r\n(?:%b){0,%d}+\r\n"
    % (
        PREFIX, TARGET, _NAME + b":" + VALUE, _BEFORE, _any_case("host").encode(), HOST_SIGNS,
        _NAME + b":" + VALUE, HEADER_COUNT - _BEFORE - 1,
    )
)  # fmt: skip


def try_short(data: bytes) -> tuple[bytes, bytes] | None:
    """Where the redirect that these bytes are leads, and the host that was asked; None for what goes the long way."""
    found = _SHORT.fullmatch(data)
    if found is None or len(data) > HEAD_BYTES:
        return None
    scheme, rest, host = found.group("scheme", "rest", "host")
    if len(rest) > LONGEST_TARGET - 8:
        return None
    return (b"http://" if scheme == b"http" else b"https://") + rest, host
