"""Which days a report knows something of."""

from datetime import date, timedelta

from castline.model.figures import MeasuredDays

FIRST_ON = date(2026, 3, 2)


def test_a_gap_between_measured_days_is_no_measured_day() -> None:
    days = [FIRST_ON + timedelta(days=number) for number in range(-1, 6)]
    measured = MeasuredDays(FIRST_ON, FIRST_ON + timedelta(days=4), frozenset(days[3:5]))
    assert [day in measured for day in days] == [False, True, True, False, False, True, False]
    assert [day in MeasuredDays() for day in days] == [False] * 7
