"""Whatever the window, and however the days come in, the store holds what one pass over all requests gives."""

import random
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure import run
from castline.measure.judge import OUTCOMES, judge
from castline.measure.landed_days import LandedDays
from castline.measure.rules.matching import EpisodeIndex
from castline.measure.rules.table import own_rulebook
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.store.entities.shows import load_audio_keys
from castline.store.pool import Store
from castline.store.provenance.measure_settings import save_adoption
from make_logs import (
    EPISODE_BYTES,
    EPISODE_SECONDS,
    MINUTE_BYTES,
    MONDAY,
    OVERCAST,
    Line,
    make_listened_show,
    write_log,
)
from oracle import Rules, count

pytestmark = pytest.mark.store
HOUR = 3_600
# Clocks change on 2026-10-25 in Europe, where that day has 25 hours, and on 2026-09-27 in New Zealand, where it has 23.
AUTUMN, SPRING = 47 * 24 * HOUR, 19 * 24 * HOUR
WAYS = {
    "first_touch": (MeasureSettings(window="first_touch"), 0),
    "last_touch": (MeasureSettings(window="last_touch"), 0),
    "a zone west of UTC": (MeasureSettings(tz="America/Los_Angeles"), 0),
    "a zone of half hours": (MeasureSettings(tz="Asia/Kolkata"), 0),
    "a day of 25 hours": (MeasureSettings(tz="Europe/Oslo"), AUTUMN),
    "a day of 23 hours": (MeasureSettings(tz="Pacific/Auckland"), SPRING),
}
CAPPED = {
    "first_touch": MeasureSettings(window="first_touch", max_downloads_per_ip_window=2),
    "last_touch": MeasureSettings(window="last_touch", max_downloads_per_ip_window=1),
    "calendar": MeasureSettings(tz="Asia/Tokyo", max_downloads_per_ip_window=2),
}
STEPS = (0, 1, HOUR, 5 * HOUR, 11 * HOUR, 23 * HOUR, 24 * HOUR - 1, 24 * HOUR, 24 * HOUR + 1, 30 * HOUR, 60 * HOUR)
Verdicts = Counter[tuple[date, UUID, str, str]]
Events = set[tuple[datetime, str, str]]


@pytest.fixture(autouse=True)
def _portions_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring cuts between days."""
    monkeypatch.setattr(run, "_ROWS_AT_ONCE", 12)


def _requests(chance: random.Random, start: int) -> list[Line]:
    """Some consumers' requests, at times that lie just inside and just outside of windows; parts that add up."""
    lines = []
    for address in ("198.51.100.7", "198.51.100.8", "2001:db8::7"):
        for agent in (OVERCAST, "AntennaPod/3.4.1"):
            for path in ("/one.mp3", "/two.mp3"):
                at = start + chance.randrange(30 * HOUR)
                for _ in range(chance.randrange(7)):
                    lines.append(_line(chance, Line(at, address, agent, path)))
                    at += chance.choice(STEPS)
    return lines


def _line(chance: random.Random, line: Line) -> Line:
    kind = chance.randrange(10)
    if kind == 0:
        return line.but(method="HEAD")
    if kind < 4:
        first = chance.choice((0, MINUTE_BYTES // 2, MINUTE_BYTES))
        size = chance.choice((MINUTE_BYTES // 2, MINUTE_BYTES * 3 // 4))
        return line.but(status=206, sent=size, range=f"bytes={first}-{first + size - 1}")
    return line.but(sent=MINUTE_BYTES - 1) if kind == 4 else line


def _land(
    store: Store, owner_id: UUID, folder: Path, lines: list[Line], chance: random.Random
) -> dict[UUID, list[Line]]:
    """The lines in files of any split and order, some of them twice; measured now and then, and at the end."""
    repeated = chance.sample(lines, len(lines) // 10)
    files: list[list[Line]] = [[] for _ in range(chance.randrange(1, 6))]
    for line in (*lines, *repeated):
        chance.choice(files).append(line)
    landed = {}
    for number, content in enumerate(files):
        chance.shuffle(content)
        if content:
            done = import_log(store, owner_id, write_log(folder / f"{number}.log", content))
            if done.is_new:
                landed[done.batch_id] = content
        if chance.random() < 0.6:
            measure(store, owner_id)
    measure(store, owner_id)
    return landed


def _expected(landed: dict[UUID, list[Line]], settings: MeasureSettings) -> Verdicts:
    """By the plain counter, over everything at once."""
    places = [(batch, number) for batch, lines in landed.items() for number in range(len(lines))]
    requests = [_plain(landed[batch][number], (str(batch), number)) for batch, number in places]
    ends = count(requests, Rules(window=settings.window, tz=settings.tz))
    return Counter(
        (request["time"].date(), batch, *end) for (batch, _), request, end in zip(places, requests, ends, strict=True)
    )


def _plain(line: Line, place: tuple[str, int]) -> dict[str, Any]:
    return {
        "id": place,
        "time": MONDAY + timedelta(seconds=line.after),
        "ip": line.address,
        "user_agent": line.agent,
        "method": line.method,
        "status": line.status,
        "range": line.range,
        "bytes_sent": line.sent,
        "episode": line.path,
        "file_bytes": EPISODE_BYTES,
        "duration_seconds": EPISODE_SECONDS,
        "header_bytes": None,
    }


def read_stored(store: Store, owner_id: UUID) -> tuple[Verdicts, Events, dict[date, int]]:
    """Verdicts; downloads by time, user agent and episode; and downloads by the daily metrics."""
    with store.account(owner_id) as connection:
        verdicts = connection.execute(
            "select day_on, batch_id, verdict, reason, sum(request_count)::int from request_verdicts"
            " where user_id = %s group by 1, 2, 3, 4",
            (owner_id,),
        ).fetchall()
        events = connection.execute(
            "select timestamp, encode(listener_key, 'hex') || user_agent, episode_id::text from my_listener_events"
        ).fetchall()
        daily = connection.execute(
            "select day_on, sum(value)::int from my_daily_metrics"
            " where metric = 'downloads' and dimension = 'total' group by 1"
        ).fetchall()
    assert len(set(events)) == len(events)
    return Counter({row[:4]: row[4] for row in verdicts}), set(events), dict(daily)


def read_judged(store: Store, owner_id: UUID, settings: MeasureSettings) -> tuple[Verdicts, Events]:
    """One pass of the product over everything that landed."""
    with store.account(owner_id) as connection:
        landed = LandedDays(store, connection, owner_id)
        days = landed.count_requests(Period.of_days(MONDAY.date(), MONDAY.date() + timedelta(days=80)).iter_days())
        requests, batches = landed.in_order(landed.load(list(days)))
        found = judge(requests, EpisodeIndex(load_audio_keys(connection, owner_id)), own_rulebook(settings))
    rows = found.requests.select("day_on", "batch", "outcome").iter_rows()
    verdicts = Counter((day, batches[batch].batch_id, *OUTCOMES[outcome]) for day, batch, outcome in rows)
    named = found.downloads.join(found.agents.select("agent", "user_agent"), on="agent", maintain_order="left")
    told = named.join(found.episodes, on="episode", maintain_order="left").select(
        "time", "listener_key", "user_agent", "episode_id"
    )
    return verdicts, {(at.astimezone(UTC), key.hex() + agent, episode) for at, key, agent, episode in told.iter_rows()}


def _adopt(store: Store, owner_id: UUID, settings: MeasureSettings) -> None:
    with store.account(owner_id) as connection:
        save_adoption(connection, owner_id, settings, adopted_by=owner_id, reason="a test")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", WAYS)
def test_landed_in_any_way_days_are_measured_as_the_plain_counter_counts_all_at_once(
    way: str, seed: int, store: Store, account: User, tmp_path: Path
) -> None:
    settings, start = WAYS[way]
    chance = random.Random(f"{way} {seed}")  # noqa: S311  # what is random is the test
    make_listened_show(store, account.user_id)
    _adopt(store, account.user_id, settings)
    landed = _land(store, account.user_id, tmp_path, _requests(chance, start), chance)
    verdicts, events, daily = read_stored(store, account.user_id)
    assert verdicts == _expected(landed, settings)
    assert (verdicts, events) == read_judged(store, account.user_id, settings)
    assert daily == Counter(at.date() for at, _, _ in events)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", CAPPED)
def test_under_a_ceiling_too_days_are_measured_as_in_one_pass(
    way: str, seed: int, store: Store, account: User, tmp_path: Path
) -> None:
    settings = CAPPED[way]
    chance = random.Random(f"{way} {seed}")  # noqa: S311  # what is random is the test
    make_listened_show(store, account.user_id)
    _adopt(store, account.user_id, settings)
    _land(store, account.user_id, tmp_path, _requests(chance, 0), chance)
    verdicts, events, daily = read_stored(store, account.user_id)
    assert (verdicts, events) == read_judged(store, account.user_id, settings)
    assert daily == Counter(at.date() for at, _, _ in events)


def test_imports_and_measurings_at_the_same_time_lose_and_double_nothing(
    store: Store, account: User, tmp_path: Path
) -> None:
    settings = MeasureSettings(window="last_touch")
    chance = random.Random(3)  # noqa: S311  # what is random is the test
    make_listened_show(store, account.user_id)
    _adopt(store, account.user_id, settings)
    files: list[list[Line]] = [[] for _ in range(4)]
    for line in _requests(chance, 0):
        chance.choice(files).append(line)
    paths = [write_log(tmp_path / f"{number}.log", lines) for number, lines in enumerate(files)]
    with ThreadPoolExecutor(4) as pool:
        work: list[Future[Any]] = [pool.submit(import_log, store, account.user_id, path) for path in paths]
        work += [pool.submit(measure, store, account.user_id) for _ in range(6)]
        for done in work:
            done.result()
    measure(store, account.user_id)
    verdicts, events, daily = read_stored(store, account.user_id)
    assert (verdicts, events) == read_judged(store, account.user_id, settings)
    assert daily == Counter(at.date() for at, _, _ in events)
