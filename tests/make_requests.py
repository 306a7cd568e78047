"""Requests of a few listeners for a few episodes, drawn so that windows, ranges, probes and gaps of data meet often."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

BOT: Final = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
WATCH: Final = "atc/1.0 watchOS/6.2 model/Watch3,3 hwp/t8004 build/17T529 (6; dt:155)"
MACHINE: Final = "5.9.0.1"
_AGENTS: Final = (*["AntennaPod/3.4.1", "Pocket Casts", "Castbox/8.23.1 (Linux;Android 11)"] * 5, BOT, WATCH, "", None)
# Size, seconds and header of each episode: the last three lack one or are short.
_FILES: Final = (
    *[(1_800_000, 1_800, None), (57_600_123, 3_601.5, 70_000)] * 3,
    (30_000, 30, 1_000),
    (500_000, None, None),
    (None, 1_800, None),
)
_DST: Final = datetime(2026, 10, 23, tzinfo=UTC)
_SIZES: Final = (0, 2, 999, 20_000, 29_999, 30_000, 60_000, 500_000, 1_800_000, None)


def _address(chance: random.Random) -> str | None:
    host = chance.randrange(60)
    digest = sha256(b"%d" % host).hexdigest()
    kinds = (
        f"198.51.100.{host}",
        f"::ffff:198.51.100.{host}",
        f"2001:db8:0:{host:x}::{chance.randrange(9)}",
        chance.choice((digest, digest.upper())),
    )
    return chance.choice((*kinds * 8, MACHINE, None))


def _range(chance: random.Random) -> str | None:
    first, size = chance.randrange(0, 120_000, 10_000), chance.choice((1, 10_000, 30_000, 60_000))
    kinds = (f"bytes={first}-{first + size - 1}", f"bytes={first}-", f"bytes=-{size}")
    several = (
        f"bytes={first}-{first + 9_999},{first + 5_000}-{first + size + 4_999}",
        f"bytes=-{size},{first}-{first + size - 1},0-",
        f"bytes={first + size}-{first},0-{size}",
    )
    return chance.choice((*kinds * 8, "bytes=0-1", *several, "rows=7", None))


def make_request(chance: random.Random, request_id: int) -> dict[str, Any]:
    """A request in the fields of a file of requests, its time in UTC."""
    episode = chance.randrange(len(_FILES))
    size, seconds, header = _FILES[episode]
    return {
        "id": request_id,
        # Full half hours, so that windows end exactly where others begin.
        "time": _DST + timedelta(minutes=30 * chance.randrange(48 * 5)),
        "ip": _address(chance),
        "user_agent": chance.choice(_AGENTS),
        "method": chance.choice(("GET",) * 20 + ("HEAD", None)),
        "status": chance.choice((206,) * 12 + (200, 302, 304, 0, None)),
        "range": _range(chance),
        "bytes_sent": chance.choice(_SIZES),
        "url": None,
        "referer": None,
        "episode": None if chance.random() < 0.02 else f"e{episode}",
        "file_bytes": size if chance.random() < 0.9 else None,
        "duration_seconds": seconds,
        "header_bytes": header,
    }


def write_lines(requests: Sequence[dict[str, Any]], chance: random.Random) -> list[bytes]:
    """The requests as lines, each time written in some zone."""
    offsets = [UTC, datetime.strptime("+0530", "%z").tzinfo, datetime.strptime("-0400", "%z").tzinfo]
    written = ({**item, "time": item["time"].astimezone(chance.choice(offsets)).isoformat()} for item in requests)
    return [json.dumps(item).encode() for item in written]
