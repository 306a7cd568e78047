"""Milliseconds per question of the dashboard over millions of downloads, beside the same questions of raw rows.

Downloads of 90 days are made by the product's own rollup; a tenth of them is measured first, so that growth is seen.
The peer is PostgreSQL over the raw rows, in the same server and the same run. Limits: p95 50 ms for each question that
rollups answer, 200 ms for those that cross dimensions, no limit for consumers, which are exact sets. What is under
way is said on standard error.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.errors import CastlineError
from castline.measure.figures.query import run_query
from castline.model.query import Filters, Query
from castline.store.listening.metrics import count_events
from castline.store.pool import Store
from make_many import DAYS, FIRST, World, indexed_afterwards, make_world
from make_store import open_folder, open_own_store

_ROUNDS = 20
_PATIENCE_SECONDS = 60
_LIMIT_MS, _CROSS_LIMIT_MS = 50.0, 200.0
_QUERY = Query(FIRST, FIRST + timedelta(days=DAYS - 1))


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of one question: how they grew from a tenth of the rows, and how much longer raw rows take.

    `own_cpu_ms` are those of this process, beside the server's. Raw rows that have not `raw_rows_ended` take longer.
    """

    counted_from: str
    p50_ms: float
    p95_ms: float
    own_cpu_ms: float
    growth_ratio: float
    raw_rows_ms: float
    raw_rows_ratio: float
    raw_rows_ended: bool
    limit_ms: float | None


def main() -> int:
    """Prints the times as JSON; 1 when a question is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="Downloads of the larger account; 20000000 in full."
    )
    chosen = parser.parse_args()
    with open_folder() as folder, open_own_store(folder) as store:
        found = _run(store, chosen.rows)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _run(store: Store, rows: int) -> dict[str, object]:
    started = time.perf_counter()
    with indexed_afterwards(store):
        small, large = (make_world(store, count, report=_say) for count in (rows // 10, rows))
        _say("making the indexes")
    with store.owner() as connection:
        connection.execute("analyze")
    making = time.perf_counter() - started
    questions = {name: _compare(large, small, name) for name in _questions(large)}
    return {
        "workload": "query",
        "rows": rows,
        "rows_before": rows // 10,
        "days": DAYS,
        "making_seconds": round(making, 1),
        "questions": {name: asdict(item) for name, item in questions.items()},
        "load": round(os.getloadavg()[0], 2),
        "within_limit": all(item.limit_ms is None or item.p95_ms <= item.limit_ms for item in questions.values()),
    }


def _compare(large: World, small: World, name: str) -> Timed:
    _say(name)
    query = _questions(large)[name]
    used = time.process_time()
    mine = _time(large, query, _ROUNDS)
    used = time.process_time() - used
    before = _time(small, _questions(small)[name], _ROUNDS)
    peer, has_ended = _time_peer(large, query)
    with large.store.account(large.owner_id) as connection:
        source = run_query(connection, large.owner_id, query).counting.counted_from
    return Timed(
        source,
        round(statistics.median(mine), 2),
        round(_p95(mine), 2),
        round(used * 1000 / (_ROUNDS + 1), 2),
        round(statistics.median(mine) / statistics.median(before), 2),
        round(peer, 2),
        round(peer / statistics.median(mine), 1),
        has_ended,
        _limit(query, source),
    )


def _limit(query: Query, source: str) -> float | None:
    if query.measure == "consumers":
        return None
    return _CROSS_LIMIT_MS if source == "listener_events" else _LIMIT_MS


def _questions(world: World) -> dict[str, Query]:
    """What the dashboard asks of 90 days and, where it crosses dimensions or counts consumers, of one show's week."""
    last_on = _QUERY.last_on
    week = replace(_QUERY, first_on=last_on - timedelta(days=6), filters=Filters(podcast_ids=(world.podcast_ids[-1],)))
    month = replace(week, first_on=last_on - timedelta(days=27))
    return {
        "by_day": replace(_QUERY, grain="day"),
        "by_day_elsewhere": replace(_QUERY, grain="day", tz="America/Los_Angeles"),
        "by_hour_of_a_week": replace(_QUERY, first_on=last_on - timedelta(days=6), grain="hour"),
        "shows": replace(_QUERY, dimensions=("show",)),
        "episodes": replace(_QUERY, dimensions=("episode",)),
        "apps": replace(_QUERY, dimensions=("app",)),
        "countries": replace(_QUERY, dimensions=("country",)),
        "an_app_by_day": replace(_QUERY, grain="day", filters=Filters(apps=("App 3",))),
        "apps_of_a_country_in_a_week": replace(
            week, dimensions=("app",), filters=replace(week.filters, countries=("AA",))
        ),
        "a_show_by_day_and_app": replace(
            month, grain="day", dimensions=("app",), filters=replace(month.filters, devices=("mobile",))
        ),
        "apps_by_country": replace(_QUERY, dimensions=("app", "country")),
        "countries_of_an_app": replace(_QUERY, dimensions=("country",), filters=Filters(apps=("App 3",))),
        "an_app_by_day_in_kathmandu": replace(
            _QUERY, grain="day", tz="Asia/Kathmandu", filters=Filters(apps=("App 3",))
        ),
        "consumers_of_28_days": replace(month, measure="consumers"),
        "consumers_of_a_week": replace(week, measure="consumers"),
        "consumers_by_day": replace(_QUERY, measure="consumers", grain="day", dimensions=("show",)),
    }


def _time(world: World, query: Query, rounds: int) -> list[float]:
    def ask() -> None:
        with world.store.account(world.owner_id) as connection:
            run_query(connection, world.owner_id, query)

    return _repeat(ask, rounds)


def _time_peer(world: World, query: Query) -> tuple[float, bool]:
    """Milliseconds of the same question over raw rows, once, and whether it came to its end within the patience.

    Of many rows the first round is like the next.
    """
    started = time.perf_counter()
    try:
        with world.store.account(world.owner_id) as connection:
            connection.execute(f"set local statement_timeout = '{_PATIENCE_SECONDS}s'")
            count_events(connection, world.owner_id, query)
    except CastlineError:
        if time.perf_counter() - started < _PATIENCE_SECONDS:
            raise
        return _PATIENCE_SECONDS * 1000.0, False
    return (time.perf_counter() - started) * 1000, True


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _repeat(work: Callable[[], None], rounds: int) -> list[float]:
    """Milliseconds of each round after one that warms up."""
    work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _p95(taken: list[float]) -> float:
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.95))]


if __name__ == "__main__":
    sys.exit(main())
