"""Worlds of many downloads for benches: millions of rows through the product's own rollup, a week at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.judge import Judged
from castline.model.account import UNUSABLE_PASSWORD
from castline.store.access.accounts import create_user
from castline.store.pool import Store
from make_listening import agents_of, episodes_of, make_listened, save_judged

DAYS = 90
FIRST = date(2026, 3, 2)
SHOWS, EPISODES = 3, 60
APPS = [(f"App {number}", device) for number in range(40) for device in ("mobile", "desktop")]
COUNTRIES = [f"{first}{second}" for first in "ABCDE" for second in "ABCDEFGH"]


@dataclass(frozen=True, slots=True)
class World:
    """A measured account of so many downloads, and who listened."""

    store: Store
    owner_id: UUID
    podcast_ids: list[UUID]
    listeners: pl.Series


@contextmanager
def indexed_afterwards(store: Store) -> Iterator[None]:
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


def make_world(store: Store, rows: int, *, report: Callable[[str], None] = lambda _: None) -> World:
    """An account whose shows have the downloads, spread over the days; a week is made at a time, and reported."""
    with store.system() as connection:
        owner_id = create_user(connection, f"{uuid4().hex}@example.org", "Bench", UNUSABLE_PASSWORD).user_id
    start = datetime.combine(FIRST, datetime.min.time(), UTC)
    shows = [make_listened(store, owner_id, f"Show {number}", [start] * EPISODES) for number in range(SHOWS)]
    episodes = episodes_of([(podcast_id, key) for podcast_id, keys in shows for key in keys])
    rng = np.random.default_rng(7)
    listeners = _make_keys(rng, max(rows // 8, 1))
    for day in range(0, DAYS, 7):
        days = min(7, DAYS - day)
        frame = _draw(rng, start + timedelta(days=day), days, rows * days // DAYS, listeners)
        save_judged(store, owner_id, Judged(pl.DataFrame(), frame, agents_of(APPS), episodes))
        report(f"made {rows * (day + days) // DAYS:,} of {rows:,} downloads")
    return World(store, owner_id, [podcast_id for podcast_id, _ in shows], listeners)


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
            "agent": pl.Series(_tail(rng, len(APPS), rows), dtype=pl.UInt32),
            "episode": pl.Series(_tail(rng, SHOWS * EPISODES, rows), dtype=pl.Int32),
            "ip": pl.Series([None] * rows, dtype=pl.String),
            "country": pl.Series(COUNTRIES).gather(_tail(rng, len(COUNTRIES), rows)),
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
