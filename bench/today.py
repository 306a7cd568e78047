"""Seconds from ten seconds of traffic that were landed to figures, on a day that has seen much already.

The current day is measured again every twenty seconds, and always whole, for a request may change what became of any
other; what is written is what differs. A day of requests is landed in a hundred batches and measured, as after a start;
then traffic of ten seconds lands at a time and is measured. Limit: the twenty seconds until the next measuring. Seconds
of CPU, ours with the server's, stand beside, for a machine that others use.
"""

import argparse
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.clock import now
from castline.base.period import start_of_day
from castline.ingest.logs.landing import import_log
from castline.measure.agents.rules import load_agent_rules
from castline.measure.run import measure
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions
from make import make_account
from make_logs import EPISODE_BYTES, make_listened_show, write_log
from make_store import open_folder, open_own_store

_BATCHES = 100
_ROUNDS = 5
_EPISODES = 200
_SECONDS_OF_DAY = 86_400
_LIMIT_SECONDS = 20.0


def main() -> int:
    """Prints the seconds as JSON; 1 when a measuring takes longer than the time until the next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500_000, help="Of the day, before the rounds begin.")
    chosen = parser.parse_args()
    with open_folder() as folder, open_own_store(folder) as store:
        found = _run(store, folder, chosen.requests)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _run(store: Store, folder: Path, requests: int) -> dict[str, object]:
    owner_id = make_account(store).user_id
    make_listened_show(store, owner_id, *map(str, range(_EPISODES)))
    with store.owner() as connection:
        ensure_partitions(connection, now().date(), now().date())  # as the worker's are, weeks before
    rng = random.Random(7)  # noqa: S311  # a repeatable day, no secret
    day = start_of_day(now().date())
    step = timedelta(seconds=_SECONDS_OF_DAY / _BATCHES)
    for number in range(_BATCHES):
        _land(store, owner_id, folder, _lines(rng, requests // _BATCHES, day + number * step, step))
    whole, whole_cpu = _time(store, owner_id)
    rounds = []
    for _ in range(_ROUNDS):
        ten = timedelta(seconds=10)
        _land(store, owner_id, folder, _lines(rng, max(requests * 10 // _SECONDS_OF_DAY, 1), day + step * 50, ten))
        rounds.append(_time(store, owner_id))
    seconds = statistics.median(wall for wall, _ in rounds)
    return {
        "workload": "today",
        "requests": requests,
        "whole_day_seconds": round(whole, 2),
        "whole_day_cpu_seconds": round(whole_cpu, 2),
        "ten_seconds_of_traffic_seconds": round(seconds, 2),
        "ten_seconds_of_traffic_cpu_seconds": round(statistics.median(cpu for _, cpu in rounds), 2),
        "limit_seconds": _LIMIT_SECONDS,
        "load": os.getloadavg()[0],
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "within_limit": seconds <= _LIMIT_SECONDS,
    }


def _land(store: Store, owner_id: UUID, folder: Path, lines: Iterator[str]) -> None:
    import_log(store, owner_id, write_log(folder / "traffic.log", lines), host="cdn.example.org")


def _time(store: Store, owner_id: UUID) -> tuple[float, float]:
    """Seconds of wall, and of CPU with the server's."""
    with store.system() as connection:
        backend = connection.info.backend_pid
    server, own, started = _server_cpu(backend), time.process_time(), time.perf_counter()
    measure(store, owner_id)
    wall = time.perf_counter() - started
    return wall, time.process_time() - own + _server_cpu(backend) - server


def _server_cpu(backend: int) -> float:
    """CPU seconds of all processes of the server, proc(5)."""
    facts = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        facts[int(place.parent.name)] = int(fields[1]), [int(ticks) for ticks in fields[11:15]]
    server = facts[backend][0]
    members = sum(sum(ticks[:2]) for parent, ticks in facts.values() if parent == server)
    return (sum(facts[server][1]) + members) / os.sysconf("SC_CLK_TCK")


def _lines(rng: random.Random, count: int, first_at: datetime, span: timedelta) -> Iterator[str]:
    """Requests with a long tail of episodes and every example of our table of user agents; three tenths are parts."""
    agents = [example for rule in load_agent_rules().entries for example in rule.examples if '"' not in example]
    weights = [1 / (rank + 1) ** 1.1 for rank in range(len(agents))]
    for number, agent in enumerate(rng.choices(agents, weights, k=count)):
        at = first_at.astimezone(UTC) + span * (number / count)
        address = ".".join(str(rng.randrange(1, 224)) for _ in range(4))
        answer = "200" if rng.random() < 0.7 else "206"  # noqa: PLR2004
        sent = EPISODE_BYTES if answer == "200" else 1_000_000
        path = f"/{int(_EPISODES * rng.random() ** 3)}.mp3"
        yield f'{address} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {answer} {sent} "-" "{agent}"'


if __name__ == "__main__":
    sys.exit(main())
