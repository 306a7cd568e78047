"""Milliseconds per question of the dashboard over millions of downloads, beside the same questions of raw rows.

Downloads of 90 days are made by the product's own rollup; a tenth of them is measured first, so that growth is seen.
The peer is PostgreSQL over the raw rows, in the same server and the same run. Limits: p95 50 ms for each question that
rollups answer, 200 ms for those that cross two dimensions, no limit for consumers, which are exact sets of raw rows.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import numpy.typing as npt
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.config import Settings
from castline.measure.judge import Judged
from castline.measure.query import run_query
from castline.model.account import UNUSABLE_PASSWORD
from castline.model.query import Filters, Query
from castline.store.accounts import create_user
from castline.store.embedded import remove_embedded
from castline.store.metrics import count_events
from castline.store.pool import Store, open_store
from make_listening import agents_of, episodes_of, make_listened, save_judged

_DAYS = 90
_FIRST = date(2026, 3, 2)
_SHOWS, _EPISODES = 3, 60
_APPS = [(f"App {number}", device) for number in range(40) for device in ("mobile", "desktop")]
_COUNTRIES = [f"{first}{second}" for first in "ABCDE" for second in "ABCDEFGH"]
_ROUNDS = 20
_LIMIT_MS, _CROSS_LIMIT_MS = 50.0, 200.0
_QUERY = Query(_FIRST, _FIRST + timedelta(days=_DAYS - 1))


@dataclass(frozen=True, slots=True)
class World:
    """A measured account of so many downloads."""

    store: Store
    owner_id: UUID
    podcast_ids: list[UUID]


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of one question. `growth_ratio`: against a tenth of the rows; `raw_rows_ratio`: raw rows against it."""

    counted_from: str
    p50_ms: float
    p95_ms: float
    growth_ratio: float
    raw_rows_ms: float
    raw_rows_ratio: float
    limit_ms: float | None


def main() -> int:
    """Prints the times as JSON; 1 when a question is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="Downloads of the larger account; 20000000 in full."
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="castline-bench-") as place:
        folder = Path(place)
        # Root's server runs as a user of its own, who must be able to pass.
        folder.chmod(0o711)
        settings = Settings(data_dir=folder / "data")
        try:
            with open_store(settings) as store:
                found = _run(store, chosen.rows)
        finally:
            remove_embedded(settings.data_dir)
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _run(store: Store, rows: int) -> dict[str, object]:
    started = time.perf_counter()
    with _indexed_afterwards(store):
        small, large = (_make_world(store, count) for count in (rows // 10, rows))
    with store.owner() as connection:
        connection.execute("analyze")
    making = time.perf_counter() - started
    questions = {name: _compare(large, small, name) for name in _questions(large)}
    return {
        "workload": "query",
        "rows": rows,
        "rows_before": rows // 10,
        "days": _DAYS,
        "making_seconds": round(making, 1),
        "questions": {name: asdict(item) for name, item in questions.items()},
        "load": round(os.getloadavg()[0], 2),
        "within_limit": all(item.limit_ms is None or item.p95_ms <= item.limit_ms for item in questions.values()),
    }


def _compare(large: World, small: World, name: str) -> Timed:
    query = _questions(large)[name]
    mine, before = _time(large, query, _ROUNDS), _time(small, _questions(small)[name], _ROUNDS)
    peer = _time_peer(large, query)
    with large.store.account(large.owner_id) as connection:
        source = run_query(connection, large.owner_id, query).counting.counted_from
    return Timed(
        source,
        round(statistics.median(mine), 2),
        round(_p95(mine), 2),
        round(statistics.median(mine) / statistics.median(before), 2),
        round(peer, 2),
        round(peer / statistics.median(mine), 1),
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
        "consumers_of_a_week": replace(week, measure="consumers"),
        "consumers_by_day": replace(_QUERY, measure="consumers", grain="day", dimensions=("show",)),
    }


def _time(world: World, query: Query, rounds: int) -> list[float]:
    def ask() -> None:
        with world.store.account(world.owner_id) as connection:
            run_query(connection, world.owner_id, query)

    return _repeat(ask, rounds)


def _time_peer(world: World, query: Query) -> float:
    """Milliseconds of the same question over raw rows, once: of many rows the first round is like the next."""
    started = time.perf_counter()
    with world.store.account(world.owner_id) as connection:
        count_events(connection, world.owner_id, query)
    return (time.perf_counter() - started) * 1000


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


@contextmanager
def _indexed_afterwards(store: Store) -> Iterator[None]:
    """Rows that are written meanwhile are indexed at the end, at once: the same indexes, made several times faster."""
    with store.owner() as connection:
        found = connection.execute(
            "select indexname, indexdef from pg_indexes where tablename = 'listener_events' and schemaname = 'public'"
        ).fetchall()
        connection.execute("alter table listener_events drop constraint listener_events_pkey")
        for name, _ in found:
            connection.execute(f"drop index if exists {name}")
    yield
    with store.owner() as connection:
        connection.execute("set local maintenance_work_mem = '1GB'")
        connection.execute("alter table listener_events add primary key (event_id, timestamp)")
        for name, text in found:
            if name != "listener_events_pkey":
                connection.execute(text)


def _make_world(store: Store, rows: int) -> World:
    """An account whose shows have the downloads, spread over the days; a week is made at a time."""
    with store.system() as connection:
        owner_id = create_user(connection, f"{uuid4().hex}@example.org", "Bench", UNUSABLE_PASSWORD).user_id
    start = datetime.combine(_FIRST, datetime.min.time(), UTC)
    shows = [make_listened(store, owner_id, f"Show {number}", [start] * _EPISODES) for number in range(_SHOWS)]
    episodes = episodes_of([(podcast_id, key) for podcast_id, keys in shows for key in keys])
    rng = np.random.default_rng(7)
    listeners = _make_keys(rng, max(rows // 8, 1))
    for day in range(0, _DAYS, 7):
        days = min(7, _DAYS - day)
        frame = _draw(rng, start + timedelta(days=day), days, rows * days // _DAYS, listeners)
        save_judged(store, owner_id, Judged(pl.DataFrame(), frame, agents_of(_APPS), episodes))
    return World(store, owner_id, [podcast_id for podcast_id, _ in shows])


def _draw(rng: np.random.Generator, first_at: datetime, days: int, rows: int, listeners: pl.Series) -> pl.DataFrame:
    """Downloads with long tails of episodes, apps and countries."""
    base = int(first_at.timestamp() * 1_000_000)
    at = np.sort(base + rng.integers(0, days * 86_400_000_000, rows))
    who = rng.integers(0, len(listeners), rows)
    time_column = pl.Series("time", at).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "day_on": time_column.dt.date(),
            "time": time_column,
            "listener_key": listeners.gather(who),
            "agent": pl.Series(_tail(rng, len(_APPS), rows), dtype=pl.UInt32),
            "episode": pl.Series(_tail(rng, _SHOWS * _EPISODES, rows), dtype=pl.Int32),
            "ip": pl.Series([None] * rows, dtype=pl.String),
            "country": pl.Series(_COUNTRIES).gather(_tail(rng, len(_COUNTRIES), rows)),
            "delivery": pl.Series([None] * rows, dtype=pl.String),
        }
    )


def _make_keys(rng: np.random.Generator, count: int) -> pl.Series:
    """So many different listeners."""
    packed = rng.bytes(16 * count)
    return pl.Series([packed[16 * place : 16 * place + 16] for place in range(count)], dtype=pl.Binary)


def _tail(rng: np.random.Generator, size: int, rows: int) -> npt.NDArray[np.int64]:
    """Numbers below `size`, the small ones far more often."""
    return (size * rng.random(rows) ** 3).astype(np.int64)


if __name__ == "__main__":
    sys.exit(main())
