"""Log lines per second from a gzipped file to measured downloads in PostgreSQL, beside what nobody can go below.

The limit is `zcat | wc -l` of the same file plus a raw COPY of the same rows into a table of the same columns, key,
indexes and partitions, in the same server and the same run. The log is made: a week of 30 % range requests, IPv6, bots,
repeats and other pages, with a long tail of user agents.
"""

import argparse
import gzip
import json
import os
import random
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from castline.base.config import Settings
from castline.ingest.landing import import_log
from castline.measure.agent_rules import load_agent_rules
from castline.measure.event_rows import EVENT_COLUMNS
from castline.measure.run import measure
from castline.model.account import UNUSABLE_PASSWORD
from castline.store.accounts import create_user
from castline.store.embedded import remove_embedded
from castline.store.pool import Store, open_store
from castline.store.shows import create_episode, create_podcast

Result = TypeVar("Result")
_GOAL = 0.5
_FIRST = datetime(2026, 9, 7, tzinfo=UTC)
_DAYS = 7
_EPISODES = 200
_BYTES, _SECONDS = 28_800_000, 1_800


@dataclass(frozen=True, slots=True)
class Timed:
    """Wall and CPU seconds of this process and the children it waited for."""

    seconds: float
    cpu_seconds: float


def main() -> int:
    """Prints the rates as JSON; 1 when the share of the limit is below the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--database", help="A PostgreSQL of your own instead of the embedded one; it must be empty.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="castline-bench-") as place:
        folder = Path(place)
        # Root's server runs as a user of its own, who must be able to pass.
        folder.chmod(0o711)
        log = _write_log(folder / "access.log.gz", chosen.lines)
        settings = Settings(data_dir=folder / "data", database_url=chosen.database)
        try:
            with open_store(settings) as store:
                found = _run(store, log, chosen.lines)
        finally:
            if not chosen.database:
                remove_embedded(settings.data_dir)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _run(store: Store, log: Path, lines: int) -> dict[str, object]:
    owner_id = _make_world(store)
    pipe = f"zcat {shlex.quote(str(log))} | wc -l"
    count_lines, _ = _time(lambda: subprocess.run(["sh", "-c", pipe], check=True, stdout=subprocess.DEVNULL))
    importing, landed = _time(lambda: import_log(store, owner_id, log))
    measuring, result = _time(lambda: measure(store, owner_id))
    copying, rows = _time_copy(store)
    spent, limit = importing.seconds + measuring.seconds, count_lines.seconds + copying
    return {
        "workload": "import",
        "lines": lines,
        "landed": landed.landed_count,
        "downloads": result.download_count,
        "rows_copied": rows,
        "import_seconds": importing.seconds,
        "import_cpu_seconds": importing.cpu_seconds,
        "measure_seconds": measuring.seconds,
        "measure_cpu_seconds": measuring.cpu_seconds,
        "lines_per_second": lines / spent,
        "zcat_wc_seconds": count_lines.seconds,
        "raw_copy_seconds": copying,
        "limit_lines_per_second": lines / limit,
        "share_of_limit": limit / spent,
        "goal": _GOAL,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "load": os.getloadavg()[0],
        "within_limit": limit / spent >= _GOAL,
    }


def _time(work: Callable[[], Result]) -> tuple[Timed, Result]:
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    return Timed(time.perf_counter() - wall, _cpu() - cpu), result


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _time_copy(store: Store) -> tuple[float, int]:
    """Seconds for a COPY of the measured downloads, as they were sent, into an identical table; and their number."""
    columns = ", ".join(EVENT_COLUMNS)
    with store.owner() as connection:
        with connection.cursor().copy(
            f"copy (select {columns} from listener_events order by timestamp) to stdout (format csv)"
        ) as copy:
            content = b"".join(bytes(part) for part in copy)
        connection.execute(
            "create table bench_events (like listener_events including all) partition by range (timestamp)"
        )
        for number in range(2):
            first = _FIRST + timedelta(days=7 * number)
            connection.execute(
                f"create table bench_events_{number} partition of bench_events"
                f" for values from ('{first}') to ('{first + timedelta(days=7)}')"
            )
    started = time.perf_counter()
    with store.owner() as connection, connection.cursor() as cursor:
        with cursor.copy(f"copy bench_events ({columns}) from stdin (format csv)") as copy:
            copy.write(content)
        rows = cursor.rowcount
    return time.perf_counter() - started, rows


def _make_world(store: Store) -> UUID:
    with store.system() as connection:
        user = create_user(connection, f"{uuid4().hex}@example.org", "Bench", UNUSABLE_PASSWORD)
    with store.account(user.user_id) as connection:
        podcast_id = create_podcast(connection, user.user_id, "Bench", "https://example.org/feed")
        for number in range(_EPISODES):
            create_episode(connection, podcast_id, _episode(number))
    return user.user_id


def _episode(number: int) -> dict[str, object]:
    unknown = dict.fromkeys(("description", "link", "author", "transcript_url"))
    return unknown | {
        "guid": str(number),
        "title": f"Episode {number}",
        "audio_url": f"https://cdn.example.org/audio/{number}.mp3",
        "duration_seconds": _SECONDS,
        "publish_date": _FIRST - timedelta(days=number),
        "categories": [],
        "explicit": False,
        "metadata": {},
        "audio_bytes": _BYTES,
        "audio_key": f"cdn.example.org/audio/{number}.mp3",
        "publish_date_is_first_seen": False,
    }


def _write_log(path: Path, lines: int) -> Path:
    with gzip.open(path, "wb", compresslevel=4) as file:
        for line in _iter_lines(lines):
            file.write(line)
    return path


def _iter_lines(lines: int) -> Iterator[bytes]:
    rng = random.Random(7)  # noqa: S311  # a repeatable log, no secret
    agents = [example for rule in load_agent_rules().entries for example in rule.examples if '"' not in example]
    rng.shuffle(agents)
    weights = [1 / (rank + 1) ** 1.1 for rank in range(len(agents))]
    people = [_address(rng) for _ in range(max(lines // 6, 1))]
    step = timedelta(days=_DAYS) / lines
    for start in range(0, lines, 10_000):
        size = min(10_000, lines - start)
        drawn = zip(rng.choices(agents, weights, k=size), rng.choices(people, k=size), strict=True)
        for number, (agent, address) in enumerate(drawn, start=start):
            at = _FIRST + number * step
            request, answer, asked = _request(rng)
            yield (
                f'{address} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "{request} HTTP/1.1" {answer} "-" "{agent}" "{asked}"\n'
            ).encode()


def _address(rng: random.Random) -> str:
    if rng.random() < 0.25:  # noqa: PLR2004
        return (
            f"2a01:{rng.randrange(65_536):x}:{rng.randrange(65_536):x}:{rng.randrange(16):x}::{rng.randrange(9_999):x}"
        )
    return ".".join(str(rng.randrange(1, 224)) for _ in range(4))


def _request(rng: random.Random) -> tuple[str, str, str]:
    """Method and path, status and bytes, and the range asked for."""
    path = f"GET /audio/{int(_EPISODES * rng.random() ** 3)}.mp3?source=feed"
    kind = rng.random()
    if kind < 0.3:  # noqa: PLR2004
        start = rng.randrange(0, _BYTES, 500_000)
        return path, f"206 {min(rng.choice((400_000, 1_000_000, _BYTES)), _BYTES - start)}", f"bytes={start}-"
    if kind < 0.86:  # noqa: PLR2004
        return path, f"200 {_BYTES if kind < 0.8 else 300_000}", "-"  # noqa: PLR2004
    if kind < 0.9:  # noqa: PLR2004
        return path, "206 2", "bytes=0-1"
    return ("GET /", "200 5120", "-") if kind < 0.95 else (path.replace("GET", "HEAD"), "200 0", "-")  # noqa: PLR2004


if __name__ == "__main__":
    sys.exit(main())
