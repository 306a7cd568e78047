"""What behaves as no people do is dropped by whole days, under any window, however days are landed and judged."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure import recount, run
from castline.measure.judge import OUTCOMES
from castline.measure.recount import compute_recount
from castline.measure.run import measure
from castline.model.account import User
from castline.model.measurement import MeasureSettings
from castline.store.listening.downloads import load_waterfall
from castline.store.pool import Store
from castline.store.provenance.measure_settings import save_adoption
from make_logs import MINUTE_BYTES, MONDAY, Line, make_listened_show, write_log
from store.test_windows import read_judged, read_stored

pytestmark = pytest.mark.store
HOUR = 3_600
EPISODES = [f"e{number}" for number in range(90)]
BUSY, PEOPLE = "192.0.2.200", [f"198.51.100.{number}" for number in range(1, 40)]
WINDOWS = {
    "first_touch": MeasureSettings(window="first_touch"),
    "last_touch": MeasureSettings(window="last_touch"),
    "calendar": MeasureSettings(tz="America/Los_Angeles"),
}


@pytest.fixture(autouse=True)
def _portions_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring cuts between days."""
    monkeypatch.setattr(run, "_ROWS_AT_ONCE", 100)


def _lines(chance: random.Random) -> list[Line]:
    """People over three days, and one address that takes a whole catalogue in an hour of the second."""
    lines = [
        Line(day * 24 * HOUR + chance.randrange(24 * HOUR), address, path=f"/{chance.choice(EPISODES[:3])}.mp3")
        for day in range(3)
        for address in PEOPLE
        for _ in range(2)
    ]
    sweep = [Line(24 * HOUR + 9 * number, BUSY, path=f"/{name}.mp3") for number, name in enumerate(EPISODES)]
    # The same address listens like people the evening before and the evening after, across midnight.
    edges = [Line(at * HOUR, BUSY, path=f"/{name}.mp3") for at in (23, 47.5, 49) for name in EPISODES[:4]]
    parts = [
        Line(
            at * HOUR, "198.51.100.77", path="/e1.mp3", status=206, sent=size, range=f"bytes={first}-{first + size - 1}"
        )
        for at, first, size in ((23.5, 0, MINUTE_BYTES // 2), (24.5, MINUTE_BYTES // 2, MINUTE_BYTES // 2))
    ]
    return lines + sweep + edges + parts


def _landed(store: Store, account: User, folder: Path, settings: MeasureSettings, chance: random.Random) -> None:
    make_listened_show(store, account.user_id, *EPISODES)
    with store.account(account.user_id) as connection:
        save_adoption(connection, account.user_id, settings, adopted_by=None, reason="a test")
    files: list[list[Line]] = [[], [], []]
    for line in _lines(chance):
        chance.choice(files).append(line)
    for number, lines in enumerate(files):
        import_log(store, account.user_id, write_log(folder / f"{number}.log", lines))
        measure(store, account.user_id)


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_sweep_is_dropped_and_the_windows_around_it_are_those_of_one_pass(
    window: str, seed: int, store: Store, account: User, tmp_path: Path
) -> None:
    chance = random.Random(f"{window} {seed}")  # noqa: S311  # what is random is the test
    _landed(store, account, tmp_path, WINDOWS[window], chance)
    verdicts, events, _ = read_stored(store, account.user_id)
    assert sum(count for (_, _, _, reason), count in verdicts.items() if reason == "sweep") >= len(EPISODES)
    assert (verdicts, events) == read_judged(store, account.user_id, WINDOWS[window])


def test_other_days_are_looked_at_whole_before_their_windows_reach_over(
    store: Store, account: User, tmp_path: Path
) -> None:
    # A rule that would take most addresses of a day tells nothing of any: of one of them alone it would.
    settings = WINDOWS["first_touch"]
    make_listened_show(store, account.user_id, *EPISODES)
    with store.account(account.user_id) as connection:
        save_adoption(connection, account.user_id, settings, adopted_by=None, reason="a test")
    replay = [
        Line(12 * HOUR + 9 * number, address, path=f"/{name}.mp3")
        for address in PEOPLE[:15]
        for number, name in enumerate(EPISODES)
    ]
    after = [Line(25 * HOUR, PEOPLE[0], path=f"/{name}.mp3") for name in EPISODES[:3]]
    for number, lines in enumerate((replay, after)):
        import_log(store, account.user_id, write_log(tmp_path / f"{number}.log", lines))
        measure(store, account.user_id)
    with store.account(account.user_id) as connection:
        ends = {(row.verdict, row.reason): row.request_count for row in load_waterfall(connection, account.user_id)}
    assert ends == {("counted", "one_minute"): len(replay), ("duplicate", "same_window"): 3}
    verdicts, events, _ = read_stored(store, account.user_id)
    assert (verdicts, events) == read_judged(store, account.user_id, settings)


@pytest.mark.parametrize("rows_at_once", [1_000_000, 60])
def test_a_recount_shows_what_measuring_gives_in_whatever_shares(
    rows_at_once: int, store: Store, account: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "_ROWS_AT_ONCE", rows_at_once)
    _landed(store, account, tmp_path, WINDOWS["first_touch"], random.Random(7))  # noqa: S311  # what is random is the test
    week = Period.of_days(MONDAY.date(), MONDAY.date() + timedelta(days=6))
    found = compute_recount(store, account.user_id, week, MeasureSettings())
    with store.account(account.user_id) as connection:
        stored = {(row.verdict, row.reason): row.request_count for row in load_waterfall(connection, account.user_id)}
    assert {(row.verdict, row.reason): row.before_count for row in found.differences if row.before_count} == stored
    assert {(row.verdict, row.reason) for row in found.differences} <= set(OUTCOMES)
    assert sum(row.after_count for row in found.differences) == sum(stored.values())
