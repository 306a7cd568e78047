"""Seconds to count dirty days again, beside counting everything: what late data cost.

A log of some days is imported and measured once; then one day, then every day is marked as changed and measured again.
The peer is the same rollup counted by PostgreSQL from the raw rows of that day. Limit: a dirty day costs at most its
share of the whole, and half as much again; and its figures are the same as before.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.query import AnswerRow, Query
from castline.store.pool import Store
from make import make_account
from make_logs import MONDAY, Line, make_listened_show, write_log
from make_store import open_folder, open_own_store

_DAYS = 7
_ALLOWED = 1.5
_ROUNDS = 3
_AGENTS = [f"Overcast/3.{number} (+http://overcast.fm/; iOS podcast app)" for number in range(20)]


def main() -> int:
    """Prints the seconds as JSON; 1 when a dirty day costs too much or changes a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    chosen = parser.parse_args()
    with open_folder() as folder, open_own_store(folder) as store:
        found = _run(store, folder, chosen.lines)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _run(store: Store, folder: Path, lines: int) -> dict[str, object]:
    owner_id = make_account(store).user_id
    make_listened_show(store, owner_id)
    import_log(store, owner_id, write_log(folder / "access.log.gz", _lines(lines)), host="cdn.example.org")
    measure(store, owner_id)
    first = _figures(store, owner_id)
    whole = min(_time(store, owner_id, _DAYS) for _ in range(_ROUNDS))
    one = min(_time(store, owner_id, 1) for _ in range(_ROUNDS))
    # What a measuring costs before the first request: planning, the ledger, the tables of addresses.
    limit = max(whole / _DAYS * _ALLOWED, 1.0)
    is_same = _figures(store, owner_id) == first
    return {
        "workload": "rollup",
        "lines": lines,
        "days": _DAYS,
        "all_days_seconds": round(whole, 3),
        "dirty_day_seconds": round(one, 3),
        "limit_seconds": round(limit, 3),
        "peer_group_by_seconds": round(min(_time_peer(store, owner_id) for _ in range(_ROUNDS)), 3),
        "same_figures": is_same,
        "load": os.getloadavg()[0],
        "within_limit": is_same and one <= limit,
    }


def _time(store: Store, owner_id: UUID, days: int) -> float:
    started = time.perf_counter()
    measure(store, owner_id, period=Period(MONDAY, MONDAY + timedelta(days=days)))
    return time.perf_counter() - started


def _time_peer(store: Store, owner_id: UUID) -> float:
    """PostgreSQL counts a day's rollup rows from raw downloads that are already judged, and writes nothing."""
    parts = " union all ".join(
        f"select date_trunc('hour', timestamp), podcast_id, '{name}', {member}, count(*)"
        " from my_listener_events where timestamp >= %(first)s and timestamp < %(end)s group by 1, 2, 4"
        for name, member in (
            ("total", "''"),
            ("episode", "episode_id::text"),
            ("app", "metadata ->> 'app'"),
            ("country", "country_code"),
            ("device", "device_type"),
        )
    )
    started = time.perf_counter()
    with store.account(owner_id) as connection:
        connection.execute(parts, {"first": MONDAY, "end": MONDAY + timedelta(days=1)}).fetchall()
    return time.perf_counter() - started


def _figures(store: Store, owner_id: UUID) -> tuple[AnswerRow, ...]:
    first_on = MONDAY.date()
    asked = Query(first_on, first_on + timedelta(days=_DAYS - 1), dimensions=("show", "app"), grain="day")
    with store.account(owner_id) as connection:
        return run_query(connection, owner_id, asked).rows


def _lines(count: int) -> Iterator[Line]:
    rng = random.Random(7)  # noqa: S311  # a repeatable log, no secret
    for number in range(count):
        address = ".".join(str(rng.randrange(1, 224)) for _ in range(4))
        path = rng.choice(("/one.mp3", "/two.mp3"))
        yield Line(number * _DAYS * 86_400 / count, address, rng.choice(_AGENTS), path)


if __name__ == "__main__":
    sys.exit(main())
