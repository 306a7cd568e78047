"""The world's requests as gzipped access logs in the combined format, as a web server rotates them."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import numpy as np

from castline.demo.audience import Ints
from castline.demo.shows import MadeShow
from castline.demo.traffic import METHODS, NO_AGENT
from castline.demo.visits import DAY_SECONDS
from castline.demo.world import MALFORMED_EVERY, World

_DAYS_PER_FILE: Final = 15
_GZIP_LEVEL: Final = 4
# Month names are spelt here because strftime follows the machine's locale.
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_TIMES: Final = [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(DAY_SECONDS)]
_BROKEN: Final = (
    '203.0.113.7 - - [31/Foo/2026:99:00:00 +0000] "GET /cut',
    "upstream prematurely closed connection while reading response header",
    '198.51.100.4 - - "GET /small-hours/002.mp3 HTTP/1.1" 200 1042',
)


def write_logs(world: World, folder: Path) -> list[Path]:
    """The log files: one per show and fifteen days, times in the zone of the show's server."""
    folder.mkdir(parents=True, exist_ok=True)
    part = (world.requests.at - world.requests.at.min()) // (_DAYS_PER_FILE * DAY_SECONDS)
    paths: list[Path] = []
    for index, show in enumerate(world.shows):
        for number in range(int(part.max()) + 1):
            rows = np.flatnonzero((world.requests.show == index) & (part == number))
            path = folder / f"access-{show.plan.slug}-{number + 1:02}.log.gz"
            text = "\n".join(_iter_lines(world, show, rows))
            path.write_bytes(gzip.compress(f"{text}\n".encode(), _GZIP_LEVEL, mtime=0))
            paths.append(path)
    return paths


def _iter_lines(world: World, show: MadeShow, rows: Ints) -> Iterator[str]:
    """One line per request of `rows`, and a broken one after every so many of the world's requests."""
    chosen = world.requests.chosen(rows)
    agents = {NO_AGENT: "-"} | dict(enumerate(world.agent_texts))
    paths = {-1: "/favicon.ico", -2: f"/{show.plan.slug}/feed.xml"}
    paths |= {index: episode.path for index, episode in enumerate(show.episodes)}
    zone = timedelta(minutes=show.plan.utc_offset_minutes)
    days, seconds = np.divmod(chosen.at + int(zone.total_seconds()), DAY_SECONDS)
    names = {day: _day_name(day) for day in np.unique(days).tolist()}
    offset = f"{datetime.now(timezone(zone)):%z}"
    columns = (
        chosen.address,
        days,
        seconds,
        chosen.method,
        chosen.path,
        chosen.status,
        chosen.sent_bytes,
        chosen.start,
    )
    for row, at, agent, (address, day, second, method, path, status, sent, start) in zip(
        rows.tolist(),
        chosen.at.tolist(),
        chosen.agent.tolist(),
        zip(*(column.tolist() for column in columns), strict=True),
        strict=True,
    ):
        asked = f'"bytes={start}-{start + sent - 1}"' if start >= 0 else '"-"'
        query = "?source=feed" if at % 9 == 0 else ""
        yield (
            f"{world.audience.addresses[address]} - - [{names[day]}:{_TIMES[second]} {offset}]"
            f' "{METHODS[method]} {paths[path]}{query} HTTP/1.1" {status} {sent} "-" "{agents[agent]}"'
            f"{f' {asked}' if show.plan.tells_ranges else ''}"
        )
        if (row + 1) % MALFORMED_EVERY == 0:
            yield _BROKEN[row // MALFORMED_EVERY % len(_BROKEN)]


def _day_name(day: int) -> str:
    date = datetime.fromtimestamp(day * DAY_SECONDS, UTC)
    return f"{date.day:02}/{_MONTHS[date.month - 1]}/{date.year}"
