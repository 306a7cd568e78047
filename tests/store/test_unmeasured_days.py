"""Days that nobody could measure are gaps and never zeros, and sums over them say so."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.figures.audience import compute_audience
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.query import Answer, Filters, Query
from castline.store.pool import Store
from make_logs import MONDAY, Line, make_listened_show, write_log
from run_castline import Castline

pytestmark = pytest.mark.store
FIRST_ON = MONDAY.date()
ANTENNA = "AntennaPod/3.4.0"
# Two days of which there is no log, and between measured ones a day without any download.
HEARD, LOST, UNWANTED = (0, 1, 2, 5, 7), (3, 4), 6
WHOLE = Query(FIRST_ON - timedelta(days=1), FIRST_ON + timedelta(days=8), grain="day")


@pytest.fixture(autouse=True)
def _listened(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    lines = [
        Line(after=day * 86_400 + number * 600, address=f"198.51.100.{number}") for day in HEARD for number in range(20)
    ]
    lines += [Line(after=UNWANTED * 86_400 + 60, method="POST"), Line(after=60, agent=ANTENNA)]
    import_log(store, account.user_id, write_log(tmp_path / "access.log", lines), host="cdn.example.org")
    measure(store, account.user_id)


def _ask(store: Store, account: User, query: Query) -> Answer:
    with store.snapshot(account.user_id) as connection:
        return run_query(connection, account.user_id, query)


def _values(answer: Answer) -> list[int | None]:
    return [row.value for row in answer.rows]


def test_days_of_a_missing_log_have_no_value_and_measured_days_without_downloads_have_zero(
    store: Store, account: User
) -> None:
    answer = _ask(store, account, WHOLE)
    gaps = [(item.first_on, item.last_on) for item in answer.annotations if item.kind == "gap"]
    assert gaps == [(FIRST_ON + timedelta(days=LOST[0]), FIRST_ON + timedelta(days=LOST[1]))]
    assert _values(answer) == [None, 21, 20, 20, None, None, 20, 0, 20, None]
    one_app = _ask(store, account, replace(WHOLE, filters=Filters(apps=("AntennaPod",))))
    assert _values(one_app) == [None, 1, 0, 0, None, None, 0, 0, 0, None]
    weeks = _ask(store, account, replace(WHOLE, grain="week"))
    assert _values(weeks) == [None, 81, 20]
    hours = _values(_ask(store, account, replace(WHOLE, grain="hour", first_on=FIRST_ON + timedelta(days=2))))
    assert hours[24:72] == [None] * 48
    assert hours[4:24] == [0] * 20


def test_a_sum_says_of_how_many_days_it_is(store: Store, account: User) -> None:
    answer = _ask(store, account, replace(WHOLE, grain="none", comparison="previous"))
    assert answer.compared is not None
    found = [
        (part.total, part.counting.day_count, part.counting.measured_day_count) for part in (answer, answer.compared)
    ]
    assert found == [(101, 10, 6), (None, 10, 0)]
    whole = _ask(store, account, Query(FIRST_ON, FIRST_ON + timedelta(days=2))).counting
    assert (whole.day_count, whole.measured_day_count, whole.is_whole) == (3, 3, True)


def test_the_command_line_says_of_how_many_days_a_sum_is(store: Store, account: User) -> None:
    castline = Castline(store.settings.data_dir, {"DATABASE_URL": store.dsn, "CASTLINE_ACCOUNT": account.email})
    days = ("--from", str(WHOLE.first_on), "--to", str(WHOLE.last_on))
    part = castline("measure", "query", *days)
    assert "measured on 6 of 10 days: nothing is known of the others" in part.err
    whole = castline("measure", "query", "--from", str(FIRST_ON), "--to", str(date(2026, 9, 9)))
    assert (whole.code, "nothing is known" in whole.err) == (0, False)
    said = castline.well("measure", "query", "--by", "day", *days)
    assert [row["value"] for row in said["rows"]] == [None, 21, 20, 20, None, None, 20, 0, 20, None]


def test_consumers_of_a_day_that_nobody_measured_have_no_value_and_its_week_has_one(
    store: Store, account: User
) -> None:
    lost_on, quiet_on = FIRST_ON + timedelta(days=LOST[0]), FIRST_ON + timedelta(days=UNWANTED)
    found = {}
    for day in (lost_on, quiet_on):
        with store.snapshot(account.user_id) as connection:
            rows = compute_audience(connection, account.user_id, day)
        found[day] = {(row.span, row.podcast_id is None): row.consumers for row in rows if row.span in {"day", "week"}}
    # Twenty listeners come back each day, and one of them by another app.
    week = {("week", False): 21, ("week", True): 21}
    assert found[lost_on] == {("day", False): None, ("day", True): None} | week
    assert found[quiet_on] == {("day", False): 0, ("day", True): 0} | week


def test_a_day_of_another_zone_that_touches_a_gap_is_no_zero_and_not_whole(store: Store, account: User) -> None:
    # Downloads came from midnight to 03:10 UTC, which is the evening before in New York and noon in Auckland.
    # New York's Wednesday ends at 04:00 on the first lost day, Auckland's Saturday begins at noon of the second.
    days = replace(WHOLE, first_on=FIRST_ON, last_on=FIRST_ON + timedelta(days=7))
    west = _ask(store, account, replace(days, tz="America/New_York"))
    assert _values(west) == [20, 20, None, None, 20, 0, 20, 0]
    east = _ask(store, account, replace(days, tz="Pacific/Auckland"))
    assert _values(east) == [21, 20, 20, None, None, 20, 0, 20]
    assert [answer.counting.measured_day_count for answer in (west, east)] == [5, 5]
