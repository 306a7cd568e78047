"""Log lines per second from a gzipped file to measured downloads in PostgreSQL, beside what nobody can go below.

The limit is `zcat | wc -l` of the same file plus a raw COPY, in its usual text form, of the same rows into a table of
the same columns, key, indexes and partitions, in the same server, turn by turn: every round has both, and the median of
the rounds' shares counts. The log is made: a week of 30 % range requests, IPv6, bots, repeats and other pages, with a
long tail of user agents.

Peers are taken from PATH, each per CPU second, ours with the server's: `goaccess` with all its panels, `import_logs.py`
(Matomo's importer) in a dry run. One that is not there is reported as missing, never as passed.
"""

import argparse
import gzip
import json
import os
import random
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TypeVar
from uuid import UUID, uuid4

from castline.base.config import Settings
from castline.ingest.logs.landing import import_log
from castline.measure.agents.rules import load_agent_rules
from castline.measure.rows.events import EVENT_COLUMNS
from castline.measure.run import measure
from castline.model.account import UNUSABLE_PASSWORD
from castline.store.access.accounts import create_user
from castline.store.embedded.server import remove_embedded
from castline.store.entities.shows import create_episode, create_podcast
from castline.store.pool import Store, open_store
from castline.store.timeseries import drop_partition, list_partitions

Result = TypeVar("Result")
# Goals of performance.md: the share of the limit, and times the peers per CPU second.
_GOAL, _GOAL_GOACCESS, _GOAL_MATOMO = 0.85, 10.0, 30.0
_MATOMO_LINES = 100_000
_FIRST = datetime(2026, 9, 7, tzinfo=UTC)
_DAYS = 7
_EPISODES = 200
# Machines ask a tenth of the requests.
_MACHINES = 0.1
_BYTES, _SECONDS = 28_800_000, 1_800


@dataclass(frozen=True, slots=True)
class Timed:
    """Wall seconds, and CPU seconds of this process, the children it waited for, and the database's server."""

    seconds: float
    cpu_seconds: float
    server_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    """One import and measurement, and the limit beside it."""

    importing: Timed
    measuring: Timed
    zcat_wc: Timed
    raw_copy: Timed
    rows: int
    load: float
    # The most that this process held until it had measured; what it holds of the raw COPY comes afterwards.
    peak_memory_mb: int

    @property
    def seconds(self) -> float:
        """From the file to the rows."""
        return self.importing.seconds + self.measuring.seconds

    @property
    def cpu_seconds(self) -> float:
        """From the file to the rows, with the server's."""
        return sum(part.cpu_seconds + part.server_cpu_seconds for part in (self.importing, self.measuring))

    @property
    def limit_cpu_seconds(self) -> float:
        return sum(part.cpu_seconds + part.server_cpu_seconds for part in (self.zcat_wc, self.raw_copy))

    @property
    def share(self) -> float:
        """The limit's time over ours."""
        return (self.zcat_wc.seconds + self.raw_copy.seconds) / self.seconds


@dataclass(frozen=True, slots=True)
class Rates:
    """Lines per CPU second with the server's: ours, and the limit's, which nothing that keeps these rows exceeds."""

    castline: float
    limit: float


def main() -> int:
    """Prints the rates as JSON; 1 when the share of the limit is below the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
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
                rounds = [_run(store, log) for _ in range(chosen.rounds)]
        finally:
            if not chosen.database:
                remove_embedded(settings.data_dir)
        found = _summarise(rounds, chosen.lines)
        rates = Rates(
            castline=chosen.lines / statistics.median(one.cpu_seconds for one in rounds),
            limit=chosen.lines / statistics.median(one.limit_cpu_seconds for one in rounds),
        )
        found["goaccess"] = _measure_goaccess(log, chosen.lines, rates)
        found["matomo"] = _measure_matomo(log, rates)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _summarise(rounds: list[Round], lines: int) -> dict[str, object]:
    shares = [one.share for one in rounds]
    seconds = statistics.median(one.seconds for one in rounds)
    return {
        "workload": "import",
        "lines": lines,
        "downloads": rounds[0].rows,
        "lines_per_second": lines / seconds,
        "share_of_limit": statistics.median(shares),
        "least_share": min(shares),
        "greatest_share": max(shares),
        "goal": _GOAL,
        "cpu_seconds": statistics.median(one.cpu_seconds for one in rounds),
        "peak_memory_mb": rounds[0].peak_memory_mb,
        "rounds": [asdict(one) for one in rounds],
        "within_limit": statistics.median(shares) >= _GOAL,
    }


def _run(store: Store, log: Path) -> Round:
    owner_id = _make_world(store)
    with store.owner() as connection:
        # Every round fills weeks that nobody wrote to yet, as the raw COPY does.
        for partition in list_partitions(connection):
            drop_partition(connection, partition)
    pipe = f"zcat {shlex.quote(str(log))} | wc -l"
    zcat_wc, _ = _time(store, lambda: subprocess.run(["sh", "-c", pipe], check=True, stdout=subprocess.DEVNULL))
    importing, _ = _time(store, lambda: import_log(store, owner_id, log))
    measuring, result = _time(store, lambda: measure(store, owner_id))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    raw_copy, rows = _time_copy(store)
    if rows != result.download_count:
        raise AssertionError(f"{result.download_count} downloads became {rows} rows")
    return Round(importing, measuring, zcat_wc, raw_copy, rows, os.getloadavg()[0], memory)


def _time(store: Store, work: Callable[[], Result]) -> tuple[Timed, Result]:
    with store.system() as connection:
        backend = connection.info.backend_pid
    server = _server_cpu(backend)
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    return Timed(time.perf_counter() - wall, _cpu() - cpu, _server_cpu(backend) - server), result


def _cpu() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _server_cpu(backend: int) -> float:
    """CPU seconds of the server that the process belongs to, with all its processes; 0 for one on another machine."""
    facts = dict(_iter_processes())
    if backend not in facts:
        return 0.0
    server = facts[backend][0]
    members = [times for number, (parent, times) in facts.items() if parent == server]
    return (sum(facts[server][1]) + sum(sum(times[:2]) for times in members)) / os.sysconf("SC_CLK_TCK")


def _iter_processes() -> Iterator[tuple[int, tuple[int, list[int]]]]:
    """(process, (its parent, CPU ticks of its own and of children that ended)), proc(5)."""
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        yield int(place.parent.name), (int(fields[1]), [int(ticks) for ticks in fields[11:15]])


def _time_copy(store: Store) -> tuple[Timed, int]:
    """What a COPY of the measured downloads into an identical table takes; and their number."""
    columns = ", ".join(EVENT_COLUMNS)
    with store.owner() as connection:
        with connection.cursor().copy(
            f"copy (select {columns} from listener_events order by timestamp) to stdout"
        ) as copy:
            content = b"".join(bytes(part) for part in copy)
        connection.execute("drop table if exists bench_events")
        connection.execute(
            "create table bench_events (like listener_events including all) partition by range (timestamp)"
        )
        for number in range(2):
            first = _FIRST + timedelta(days=7 * number)
            connection.execute(
                f"create table bench_events_{number} partition of bench_events"
                f" for values from ('{first}') to ('{first + timedelta(days=7)}')"
            )

    def copy_all() -> int:
        with store.owner() as connection, connection.cursor() as cursor:
            with cursor.copy(f"copy bench_events ({columns}) from stdin") as copy:
                copy.write(content)
            return cursor.rowcount

    return _time(store, copy_all)


def _measure_goaccess(log: Path, lines: int, rates: Rates) -> dict[str, object]:
    if not shutil.which("goaccess"):
        return {"missing": True, "goal": _GOAL_GOACCESS}
    form = """%h %^[%d:%t %^] "%r" %s %b "%R" "%u" "%^\""""
    command = (
        f"zcat {shlex.quote(str(log))} | goaccess - --no-global-config --no-progress --date-format=%d/%b/%Y"
        f" --time-format=%T --log-format={shlex.quote(form)} -o {shlex.quote(str(log.with_name('goaccess.json')))}"
    )
    cpu = _cpu()
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    return _beside(lines / (_cpu() - cpu), rates, _GOAL_GOACCESS)


def _measure_matomo(log: Path, rates: Rates) -> dict[str, object]:
    importer = shutil.which("import_logs.py")
    if importer is None:
        return {"missing": True, "goal": _GOAL_MATOMO}
    with gzip.open(log, "rb") as file, log.with_name("part.log").open("wb") as part:
        count = sum(part.write(line) > 0 for line, _ in zip(file, range(_MATOMO_LINES), strict=False))
    with _answering_site() as port:
        command = [sys.executable, importer, f"--url=http://127.0.0.1:{port}", "--token-auth=none", "--idsite=1"]
        options = ["--dry-run", "--enable-static", "--enable-bots", "--enable-http-redirects", "--enable-http-errors"]
        cpu = _cpu_of_children()
        subprocess.run(
            [*command, *options, "--log-format-name=ncsa_extended", part.name], check=True, capture_output=True
        )
        return _beside(count / (_cpu_of_children() - cpu), rates, _GOAL_MATOMO)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _beside(peer: float, rates: Rates, goal: float) -> dict[str, object]:
    times = rates.castline / peer
    return {
        "lines_per_cpu_second": peer,
        "castline_lines_per_cpu_second": rates.castline,
        "times": times,
        "limit_times": rates.limit / peer,
        "goal": goal,
        "within_goal": times >= goal,
    }


class _Site(BaseHTTPRequestHandler):
    """The one question that a dry run of Matomo's importer asks: which site it is."""

    def do_POST(self) -> None:  # its base names it
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"idsite": "1", "main_url": "https://cdn.example.org"}')

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@contextmanager
def _answering_site() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


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
    weights = _weigh_agents(rng)
    agents = list(weights)
    people = [_address(rng) for _ in range(max(lines // 6, 1))]
    step = timedelta(days=_DAYS) / lines
    for start in range(0, lines, 10_000):
        size = min(10_000, lines - start)
        drawn = zip(rng.choices(agents, list(weights.values()), k=size), rng.choices(people, k=size), strict=True)
        for number, (agent, address) in enumerate(drawn, start=start):
            at = _FIRST + number * step
            request, answer, asked = _request(rng)
            yield (
                f'{address} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "{request} HTTP/1.1" {answer} "-" "{agent}" "{asked}"\n'
            ).encode()


def _weigh_agents(rng: random.Random) -> dict[str, float]:
    """Every example of the table with its share: a long tail of listeners, and one of machines, whatever it holds."""
    weights: dict[str, float] = {}
    for is_listener, share in ((True, 1 - _MACHINES), (False, _MACHINES)):
        texts = [
            example
            for rule in load_agent_rules().entries
            if (rule.type in {"app", "browser"} and rule.category is None) is is_listener
            for example in rule.examples
            if '"' not in example
        ]
        rng.shuffle(texts)
        tail = [1 / (rank + 1) ** 1.1 for rank in range(len(texts))]
        weights |= {text: share * weight / sum(tail) for text, weight in zip(texts, tail, strict=True)}
    return weights


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
