"""A day that is measured again and again is written by its differences, and stands as if it were written whole."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from castline.base.clock import now
from castline.base.errors import InvalidInput
from castline.ingest.logs.landing import import_log
from castline.measure.rows import memory
from castline.measure.run import measure
from castline.model.measurement import MeasureSettings
from castline.store.pool import Store
from castline.store.provenance.measure_settings import load_day_versions, save_adoption
from make import make_account
from make_logs import MONDAY, OVERCAST, Line, make_listened_show, write_log
from store.drill_state import load_state

pytestmark = pytest.mark.store
DAY = MONDAY.date()
_KEYS = """
    select encode(listener_key, 'hex'), event_id::text, timestamp, metadata from my_listener_events order by 2
"""


@pytest.fixture(autouse=True)
def _every_day_lasts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory, "LARGE_DAY", 1)
    monkeypatch.setattr(memory, "LASTS", timedelta(days=100_000))
    yield
    memory.remembered.clear()


def _stands(store: Store, owner_id: UUID) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    with store.account(owner_id) as connection:
        return load_state(store, owner_id), connection.execute(_KEYS).fetchall()


def _measured_whole(store: Store, owner_id: UUID, days: list[date]) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """How everything stands when all of it is written anew."""
    memory.remembered.clear()
    _mark(store, owner_id, days)
    measure(store, owner_id)
    return _stands(store, owner_id)


def _mark(store: Store, owner_id: UUID, days: list[date]) -> None:
    with store.account(owner_id) as connection:
        for day in days:
            connection.execute("insert into dirty_days (user_id, day_on) values (%s, %s)", (owner_id, day))


def _runs_of(store: Store, owner_id: UUID, table: str) -> int:
    queries = {
        "events": "select count(distinct run_id) from my_listener_events",
        "hours": "select count(distinct run_id) from my_hourly_metrics",
        "verdicts": "select count(distinct run_id) from request_verdicts where user_id = castline_tenant()",
    }
    with store.account(owner_id) as connection:
        row = connection.execute(queries[table]).fetchone()
    assert row is not None
    return int(row[0])


def _requests(chance: random.Random, count: int) -> list[Line]:
    """Two days of requests: parts that add up, repeats, probes, a robot, and what is no episode."""
    lines = []
    for _ in range(count):
        line = Line(
            after=chance.randrange(2 * 86_400),
            address=f"198.51.{chance.randrange(3)}.{chance.randrange(60)}",
            agent=chance.choice((OVERCAST, "AntennaPod/3.4.1", "Googlebot/2.1 (+http://www.google.com/bot.html)")),
            path=chance.choice(("/one.mp3", "/two.mp3", "/none.html")),
        )
        kind = chance.randrange(6)
        if kind == 0:
            line = line.but(status=206, sent=2, range="bytes=0-1")
        if kind in {1, 2}:
            start = chance.randrange(4) * 300_000
            line = line.but(status=206, sent=300_000, range=f"bytes={start}-{start + 299_999}")
        lines.append(line)
    return lines


@pytest.fixture
def owner_id(own_store: Store) -> UUID:
    found = make_account(own_store).user_id
    make_listened_show(own_store, found)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_whatever_lands_late_again_and_in_any_order_stands_as_if_written_whole(
    seed: int, own_store: Store, owner_id: UUID, tmp_path: Path
) -> None:
    chance = random.Random(seed)  # noqa: S311  # what is random is the test
    lines = _requests(chance, 240)
    files: list[list[Line]] = [[] for _ in range(5)]
    for line in lines:
        chance.choice(files).append(line)
    for number, content in enumerate(files):
        path = write_log(tmp_path / f"{number}.log", content)
        for _ in range(chance.randrange(1, 3)):
            import_log(own_store, owner_id, path, host="cdn.example.org")
        measure(own_store, owner_id)
        if number == 3:
            _mark(own_store, owner_id, [DAY])
            measure(own_store, owner_id)
    assert _runs_of(own_store, owner_id, "events") > 2
    assert _runs_of(own_store, owner_id, "hours") > 2
    assert _runs_of(own_store, owner_id, "verdicts") > 2
    piecewise = _stands(own_store, owner_id)
    assert piecewise == _measured_whole(own_store, owner_id, [DAY, DAY + timedelta(days=1)])


def test_a_download_whose_first_request_came_late_is_written_again(
    own_store: Store, owner_id: UUID, tmp_path: Path
) -> None:
    late, early = Line(after=7_200), Line(after=3_600, status=206, sent=100, range="bytes=0-99")
    others = [Line(after=7_000 + number, address=f"203.0.113.{number}") for number in range(20)]
    import_log(own_store, owner_id, write_log(tmp_path / "a.log", [late, *others]), host="cdn.example.org")
    measure(own_store, owner_id)
    before = _stands(own_store, owner_id)[1]
    import_log(own_store, owner_id, write_log(tmp_path / "b.log", [early]), host="cdn.example.org")
    measure(own_store, owner_id)
    after = _stands(own_store, owner_id)
    assert {row[2] for row in after[1]} - {row[2] for row in before} == {MONDAY + timedelta(seconds=3_600)}
    assert len(after[1]) == len(before) == 21
    assert _runs_of(own_store, owner_id, "events") == 2
    assert after == _measured_whole(own_store, owner_id, [DAY])


def test_what_another_process_wrote_meanwhile_is_not_believed_to_be_as_before(
    own_store: Store, owner_id: UUID, tmp_path: Path
) -> None:
    chance = random.Random(5)  # noqa: S311  # what is random is the test
    parts = [_requests(chance, 80) for _ in range(3)]
    paths = [write_log(tmp_path / f"{number}.log", lines) for number, lines in enumerate(parts)]
    import_log(own_store, owner_id, paths[0], host="cdn.example.org")
    measure(own_store, owner_id)
    ours = dict(memory.remembered)
    memory.remembered.clear()
    import_log(own_store, owner_id, paths[1], host="cdn.example.org")
    measure(own_store, owner_id)
    memory.remembered.clear()
    memory.remembered.update(ours)
    import_log(own_store, owner_id, paths[2], host="cdn.example.org")
    measure(own_store, owner_id)
    piecewise = _stands(own_store, owner_id)
    assert piecewise == _measured_whole(own_store, owner_id, [DAY, DAY + timedelta(days=1)])


def test_a_run_that_failed_changes_neither_the_days_nor_what_is_remembered(
    own_store: Store, owner_id: UUID, tmp_path: Path
) -> None:
    chance = random.Random(6)  # noqa: S311  # what is random is the test
    first, second = (write_log(tmp_path / f"{number}.log", _requests(chance, 90)) for number in range(2))
    import_log(own_store, owner_id, first, host="cdn.example.org")
    measure(own_store, owner_id)
    stood = _stands(own_store, owner_id)[1]
    import_log(own_store, owner_id, second, host="cdn.example.org")
    with own_store.owner() as connection:
        connection.execute("alter table consumer_sketches add constraint refused check (false) not valid")
    with pytest.raises(InvalidInput, match="refused"):
        measure(own_store, owner_id)
    assert _stands(own_store, owner_id)[1] == stood
    with own_store.owner() as connection:
        connection.execute("alter table consumer_sketches drop constraint refused")
    measure(own_store, owner_id)
    piecewise = _stands(own_store, owner_id)
    assert piecewise == _measured_whole(own_store, owner_id, [DAY, DAY + timedelta(days=1)])


def test_days_stand_under_the_last_run_and_its_settings_though_it_wrote_little(
    own_store: Store, owner_id: UUID, tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311  # what is random is the test
    import_log(own_store, owner_id, write_log(tmp_path / "0.log", _requests(chance, 150)), host="cdn.example.org")
    measure(own_store, owner_id)
    settings = MeasureSettings(two_byte_probe="drop")
    with own_store.account(owner_id) as connection:
        save_adoption(connection, owner_id, settings, adopted_by=owner_id, reason="a test")
    days = [DAY, DAY + timedelta(days=1)]
    _mark(own_store, owner_id, days)
    [run_id] = measure(own_store, owner_id).run_ids
    with own_store.account(owner_id) as connection:
        stands = load_day_versions(connection, owner_id)
    assert [(item.day_on, item.run_id, item.settings_version) for item in stands] == [
        (day, run_id, settings.version) for day in days
    ]
    assert _runs_of(own_store, owner_id, "events") == 1


def test_a_day_that_is_over_is_written_whole_and_forgotten(
    own_store: Store, owner_id: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "LASTS", timedelta(days=1))
    import_log(own_store, owner_id, write_log(tmp_path / "0.log", [Line()]), host="cdn.example.org")
    measure(own_store, owner_id)
    assert now().date() > DAY
    assert dict(memory.remembered) == {}
