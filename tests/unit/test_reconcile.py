"""Two counts side by side; every difference is worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from castline.measure.figures.reconcile import Difference, Explanation, Traffic, reconcile
from castline.model.lineage import Drop
from castline.sources.daily_csv import DailyFigure, NotDailyFigures, parse_daily

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(days=number) for number in range(4)]


def series(*counts: int) -> dict[date, int]:
    return dict(zip(DAYS, counts, strict=False))


def test_within_five_per_cent_two_counts_agree_and_need_no_explanation() -> None:
    found = reconcile(Traffic("Show", series(105, 95, 100, 100), series(100, 100, 100, 100)))
    assert found.whole == Difference(400, 400, 0.0, is_flagged=False)
    assert [day.difference.is_flagged for day in found.days if day.difference] == [False] * 4
    assert not found.is_flagged


def test_beyond_five_per_cent_a_day_is_flagged() -> None:
    # 106 of 100 is 6 %; over both days 206 of 200 is 3 %.
    found = reconcile(Traffic("Show", series(106, 100), series(100, 100)))
    assert found.whole == Difference(200, 206, 0.03, is_flagged=False)
    assert [day.difference for day in found.days] == [
        Difference(100, 106, 0.06, is_flagged=True),
        Difference(100, 100, 0.0, is_flagged=False),
    ]
    assert found.is_flagged
    assert found.explanation is None


def test_a_day_that_was_not_measured_is_listed_and_not_compared() -> None:
    found = reconcile(Traffic("Show", series(100, 100), {FIRST: 100}))
    assert [day.difference for day in found.days] == [Difference(100, 100, 0.0, is_flagged=False), None]
    assert found.whole == Difference(100, 100, 0.0, is_flagged=False)


def test_theirs_where_ours_is_zero_has_no_rate_and_is_flagged() -> None:
    assert reconcile(Traffic("Show", {FIRST: 3}, {FIRST: 0})).whole == Difference(0, 3, None, is_flagged=True)


def test_what_they_count_beside_ours_is_named_by_its_rule() -> None:
    uncounted = {"window": series(30, 10, 20), "bots": series(7, 9, 1), "probes": series(50, 50, 50)}
    repeats = reconcile(Traffic("Show", series(130, 110, 120), series(100, 100, 100), uncounted=uncounted))
    assert repeats.explanation == Explanation(("window",), 0, 0.0)
    both = reconcile(Traffic("Show", series(137, 119, 121), series(100, 100, 100), uncounted=uncounted))
    assert both.explanation == Explanation(("window", "bots"), 0, 0.0)
    neither = reconcile(Traffic("Show", series(117, 171, 103), series(100, 100, 100), uncounted=uncounted))
    assert neither.explanation is None


@pytest.mark.parametrize("shift", [-24, -8, 2, 9, 24])
def test_days_of_another_zone_are_found_by_their_shift(shift: int) -> None:
    # Hour h of the time has (7 h mod 31) + 20 downloads, so that no two days are alike.
    start = datetime(2026, 2, 27, tzinfo=UTC)
    hours = {start + timedelta(hours=hour): hour * 7 % 31 + 20 + 40 * (hour > 90) for hour in range(24 * 12)}

    def day_of(day: date, east: int) -> int:
        zone_midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=east)
        return sum(hours[zone_midnight + timedelta(hours=hour)] for hour in range(24))

    theirs, ours = ({day: day_of(day, east) for day in DAYS} for east in (shift, 0))
    assert reconcile(Traffic("Show", theirs, ours, hours)).explanation == Explanation((), shift, 0.0)


def test_a_file_of_daily_figures_is_read_row_by_row() -> None:
    data = 'Date;Podcast;Downloads\n2026-03-02;One;"1,204"\n03.03.2026;One;7\n03/04/2026;One;1\n2026-03-05;One;-\n'
    assert parse_daily(data.encode(), source="x.csv") == [
        DailyFigure(2, date(2026, 3, 2), "One", None, 1204),
        DailyFigure(3, date(2026, 3, 3), "One", None, 7),
        Drop(4, "bad_date", "date: '03/04/2026' is no day, such as 2026-03-01", "03/04/2026;One;1"),
        Drop(5, "bad_downloads", "downloads: '-' is no count", "2026-03-05;One;-"),
    ]


def test_a_file_without_days_is_no_daily_figures() -> None:
    with pytest.raises(NotDailyFigures, match="no column for date; its columns are show, downloads"):
        parse_daily(b"show,downloads\nOne,3\n", source="x.csv")
