"""How many clients a process may hold: each takes a file descriptor, and without one no log can be opened any more."""

import resource
from contextlib import suppress
from typing import Final

_ENOUGH: Final = 65_536
_SHARE: Final = 0.4  # pages and intake may share a process; the rest is for its files and the database


def raise_limit() -> None:
    """The process may open as many files as the system lets it: shells and services often begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # macOS has a bound of its own below the one it tells
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def compute_room() -> int:
    """How many connections one server of this process may hold."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return int((_ENOUGH if soft == resource.RLIM_INFINITY else soft) * _SHARE)
