"""Which days no log covers is known from the logs' own first and last lines, however small the show."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from castline.ingest.landing import import_log
from castline.ingest.segment_log import LOG_FOLDER, REQUEST, LogWriter, encode_record
from castline.intake.drain import drain_intake
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.query import Answer, Query
from castline.store.pool import Store
from make import make_account
from make_logs import MONDAY, OVERCAST, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
FIRST_ON = MONDAY.date()
WEEK = Query(FIRST_ON, FIRST_ON + timedelta(days=6), grain="day")


@pytest.fixture(autouse=True)
def _show(store: Store, account: User) -> None:
    make_listened_show(store, account.user_id)


def on(*days: float) -> list[Line]:
    """One download at a moment of each day, counted from Monday's midnight."""
    return [Line(after=int(day * 86_400), address=f"198.51.100.{number}") for number, day in enumerate(days)]


def take_in(store: Store, account: User, folder: Path, **logs: list[Line]) -> None:
    for name, lines in logs.items():
        import_log(store, account.user_id, write_log(folder / f"{name}.log", lines), host="cdn.example.org")


def ask(store: Store, account: User) -> Answer:
    with store.snapshot(account.user_id) as connection:
        return run_query(connection, account.user_id, WEEK)


def told(answer: Answer) -> tuple[list[int | None], list[tuple[str, int, int]]]:
    """The days' values, and each gap with its first and last day of the week."""
    gaps = [item for item in answer.annotations if item.kind == "gap"]
    places = [(item.title, (item.first_on - FIRST_ON).days, (item.last_on - FIRST_ON).days) for item in gaps]
    return [row.value for row in answer.rows], places


def test_a_day_that_lies_between_two_logs_has_no_value_though_a_download_a_day_is_usual(
    store: Store, account: User, tmp_path: Path
) -> None:
    take_in(store, account, tmp_path, one=on(0.2, 1.5), two=on(4.1, 6.9))
    measure(store, account.user_id)
    answer = ask(store, account)
    # The second log begins on Friday: Saturday had no download, Wednesday and Thursday nobody knows.
    assert told(answer) == ([1, 1, None, None, 1, 0, 1], [("No log", 2, 3)])
    assert (answer.counting.measured_day_count, answer.counting.is_whole) == (5, False)
    [gap] = [item for item in answer.annotations if item.kind == "gap"]
    assert gap.detail == "No log that came in covers 2 days: it is missing, or the server was down."


def test_a_log_that_comes_later_fills_the_days_once_they_are_counted(
    store: Store, account: User, tmp_path: Path
) -> None:
    take_in(store, account, tmp_path, one=on(0.2, 1.5), two=on(4.1, 6.9))
    measure(store, account.user_id)
    take_in(store, account, tmp_path, late=on(2.3, 2.4))
    assert told(ask(store, account)) == (
        [1, 1, None, None, 1, 0, 1],
        [("Not counted yet", 2, 2), ("No log", 3, 3)],
    )
    measure(store, account.user_id)
    assert told(ask(store, account)) == ([1, 1, 2, None, 1, 0, 1], [("No log", 3, 3)])


def test_a_day_without_a_line_within_a_log_that_grew_is_a_zero(store: Store, account: User, tmp_path: Path) -> None:
    first = on(0.2, 1.5)
    take_in(store, account, tmp_path, access=first)
    take_in(store, account, tmp_path, access=[*first, *on(4.1, 6.9)])
    measure(store, account.user_id)
    assert told(ask(store, account)) == ([1, 1, 0, 0, 1, 0, 1], [])


def test_logs_that_overlap_cover_what_lies_in_any_of_them(store: Store, account: User, tmp_path: Path) -> None:
    # Two servers: one log of the whole week with a line at its ends, and daily ones that stop on Tuesday.
    take_in(store, account, tmp_path, whole=on(0.1, 6.9), monday=on(0.5), tuesday=on(1.5))
    measure(store, account.user_id)
    assert told(ask(store, account)) == ([1, 1, 0, 0, 0, 0, 1], [])


def test_the_intake_covers_the_days_between_what_it_took(own_store: Store) -> None:
    store = replace(own_store, settings=replace(own_store.settings, secret_key="k" * 32))
    owner = make_account(store)
    make_listened_show(store, owner.user_id)
    head = f"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: pod.example\r\nUser-Agent: {OVERCAST}\r\n\r\n".encode()
    for day in (0, 3, 6):
        at_us = int((MONDAY + timedelta(days=day, hours=5)).timestamp() * 1_000_000)
        log = LogWriter(store.settings.data_dir / LOG_FOLDER)
        log.append([encode_record(REQUEST, at_us, b"198.51.100.7", head)])
        log.close()
        drain_intake(store)
    measure(store, owner.user_id)
    assert told(ask(store, owner)) == ([1, 0, 0, 1, 0, 0, 1], [])
