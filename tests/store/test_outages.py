"""Long outages, lines of a wrong clock and late lines are no zeros; the quiet days of a small show are."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.query import Query
from castline.store.pool import Store
from make_logs import MONDAY, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
FIRST_ON = MONDAY.date()
DAY_SECONDS = 86_400


@pytest.fixture(autouse=True)
def _show(store: Store, account: User) -> None:
    make_listened_show(store, account.user_id)


def each(days: Iterable[int], count: int) -> list[Line]:
    """So many downloads on each of the days."""
    return [
        Line(after=day * DAY_SECONDS + number * 400, address=f"198.51.100.{number}")
        for day in days
        for number in range(count)
    ]


def counted(plan: Mapping[int, int]) -> list[Line]:
    """The downloads of each day of the plan."""
    return [line for day, count in plan.items() for line in each([day], count)]


def told(
    store: Store, account: User, folder: Path, *logs: list[Line], last: int, first: int = 0
) -> tuple[list[int | None], list[tuple[str, int, int]]]:
    """The values of the first day to the last once the logs are counted, and each gap with its first and last day."""
    for number, lines in enumerate(logs):
        import_log(store, account.user_id, write_log(folder / f"{number}.log", lines), host="cdn.example.org")
    measure(store, account.user_id)
    with store.snapshot(account.user_id) as connection:
        query = Query(FIRST_ON + timedelta(days=first), FIRST_ON + timedelta(days=last), grain="day")
        answer = run_query(connection, account.user_id, query)
    gaps = [item for item in answer.annotations if item.kind == "gap"]
    places = [(item.title, (item.first_on - FIRST_ON).days, (item.last_on - FIRST_ON).days) for item in gaps]
    return [row.value for row in answer.rows], places


@pytest.mark.parametrize(("count", "lost"), [(12, 20), (50, 60), (12, 90)])
def test_an_outage_of_any_length_in_one_log_is_a_gap_from_its_first_day_to_its_last(
    store: Store, account: User, tmp_path: Path, count: int, lost: int
) -> None:
    log = each([*range(-lost - 4, -lost), *range(3)], count)
    values, gaps = told(store, account, tmp_path, log, first=-lost - 4, last=2)
    assert values == [count] * 4 + [None] * lost + [count] * 3
    assert gaps == [("No requests", -lost, -1)]


def test_days_in_a_row_are_a_gap_where_so_few_requests_are_no_chance_over_all_of_them(
    store: Store, account: User, tmp_path: Path
) -> None:
    # Three downloads a day: one day without any is a chance of 5 %, three in a row are one in 8,000.
    log = each([0, 1, 2, 4, 5, 6, 10, 11], 3)
    assert told(store, account, tmp_path, log, last=11) == (
        [3, 3, 3, 0, 3, 3, 3, None, None, None, 3, 3],
        [("No requests", 7, 9)],
    )


def test_a_log_with_a_line_every_ten_days_has_zeros_between_them(store: Store, account: User, tmp_path: Path) -> None:
    days = range(0, 51, 10)
    values, gaps = told(store, account, tmp_path, each(days, 1), last=50)
    assert values == [1 if day in days else 0 for day in range(51)]
    assert gaps == []


def test_quiet_days_between_busy_releases_are_zeros(store: Store, account: User, tmp_path: Path) -> None:
    plan = {0: 30, 1: 2, 2: 1, 4: 1, 7: 30, 8: 3, 9: 1, 12: 1, 14: 30}
    values, gaps = told(store, account, tmp_path, counted(plan), last=14)
    assert values == [plan.get(day, 0) for day in range(15)]
    assert gaps == []


def test_a_line_of_a_wrong_clock_does_not_cover_the_days_of_a_missing_log(
    store: Store, account: User, tmp_path: Path
) -> None:
    stray = Line(after=50, address="203.0.113.1")
    later = [stray, *each([8, 9], 3)]
    assert told(store, account, tmp_path, each([0, 1, 2], 3), later, last=9) == (
        [4, 3, 3, None, None, None, None, None, 3, 3],
        [("No requests", 3, 7)],
    )


def test_a_line_of_a_wrong_clock_covers_nothing_where_a_download_a_day_is_usual(
    store: Store, account: User, tmp_path: Path
) -> None:
    stray = Line(after=50, address="203.0.113.1")
    # The later log itself is empty from the second day to the ninth, though it has a line on every other day.
    later = [stray, *each([9, 10, 11], 1)]
    assert told(store, account, tmp_path, each(range(5), 1), later, last=11) == (
        [2, 1, 1, 1, 1, None, None, None, None, 1, 1, 1],
        [("No requests", 5, 8)],
    )


def test_lines_that_come_a_day_late_do_not_cover_a_day_of_which_the_log_is_missing(
    store: Store, account: User, tmp_path: Path
) -> None:
    late = [Line(after=DAY_SECONDS - 60 * number, address=f"203.0.113.{number}") for number in (1, 2)]
    later = [*late, *each([2], 3)]
    assert told(store, account, tmp_path, each([0], 3), later, last=2) == ([5, None, 3], [("No log", 1, 1)])
