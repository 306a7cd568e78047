"""What may be asked as one query, and how longer stretches are asked for."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import pytest

from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.model.query import EARLIEST, Dimension, Filters, Measure, Query, ask_days

DAY = date(2026, 3, 2)


def moment(year: int, month: int = 1, day: int = 1, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def test_a_flight_is_asked_for_by_the_days_that_it_touches() -> None:
    period = Period(moment(2026, 3, 2, 23), moment(2026, 3, 5, 1))
    shows = Filters(podcast_ids=(UUID(int=1),))
    assert ask_days(period, "ads_missed", ("placement",), [UUID(int=1)]) == [
        Query(DAY, date(2026, 3, 5), "ads_missed", ("placement",), "day", filters=shows)
    ]
    assert ask_days(Period(moment(2026, 3, 2), moment(2026, 3, 3)), "downloads", ()) == [Query(DAY, DAY, grain="day")]


def test_what_is_longer_than_one_query_is_asked_in_parts_without_gap_or_overlap() -> None:
    queries = ask_days(Period(moment(1970), moment(2010)), "downloads", ("episode",))
    ends = [(query.first_on, query.last_on) for query in queries]
    # Seven years of 366 days: 2,562 days from 1990-01-01 on are those to 1997-01-05.
    assert ends == [
        (date(1990, 1, 1), date(1997, 1, 5)),
        (date(1997, 1, 6), date(2004, 1, 11)),
        (date(2004, 1, 12), date(2009, 12, 31)),
    ]


def test_days_that_nobody_can_ask_for_are_left_out() -> None:
    assert ask_days(Period(moment(1950), moment(1990)), "downloads", ()) == []
    [far] = ask_days(Period(moment(2199, 12, 1), moment(2300)), "downloads", ())
    assert (far.first_on, far.last_on) == (date(2199, 12, 1), date(2200, 1, 1))


@pytest.mark.parametrize(
    ("measure", "dimensions", "filters"),
    [
        ("downloads", ("placement",), Filters()),
        ("consumers", ("placement",), Filters()),
        ("ads_delivered", ("placement", "app"), Filters()),
        ("ads_delivered", ("placement",), Filters(countries=("NO",))),
    ],
)
def test_placements_split_ads_and_are_crossed_with_nothing(
    measure: Measure, dimensions: tuple[Dimension, ...], filters: Filters
) -> None:
    with pytest.raises(InvalidInput, match="`placement` splits ads alone"):
        Query(DAY, DAY, measure, dimensions, filters=filters)
    assert Query(DAY, DAY, "ads_missed", ("show", "placement"), filters=Filters(podcast_ids=(UUID(int=1),)))


def test_a_source_that_there_is_none_of_is_refused() -> None:
    assert Query(DAY, DAY, filters=Filters(sources=("file", "hls", "prefix", "player")))
    with pytest.raises(InvalidInput, match="source: 'logs' is none of file, hls, prefix, player"):
        Query(DAY, DAY, filters=Filters(sources=("logs",)))


def test_days_of_every_zone_begin_with_a_quarter_of_an_hour() -> None:
    # What the columns of a day's downloads rest on: they know no finer time.
    names = sorted(available_timezones())
    months = [(year, month) for year in range(EARLIEST.year, 2040) for month in (1, 4, 7, 10)]
    odd = {
        name
        for zone, name in ((ZoneInfo(name), name) for name in names)
        for year, month in months
        if (datetime(year, month, 1, tzinfo=zone).utcoffset() or timedelta()) % timedelta(minutes=15)
    }
    assert (odd, len(names) > 400) == (set(), True)


def test_a_day_begins_with_the_first_of_two_midnights() -> None:
    # In Havana clocks went back from 1:00 to 0:00 on 1 November 2026: midnight came at 4:00 and at 5:00 UTC.
    day = Query(date(2026, 11, 1), date(2026, 11, 1), grain="day", tz="America/Havana")
    assert [day.start_of(moment(2026, 11, 1, hour)) for hour in (4, 5, 12)] == [day.period.start_at] * 3
    assert day.period.start_at.astimezone(UTC) == moment(2026, 11, 1, 4)
    hours = replace(day, grain="hour")
    begun = [hours.start_of(moment(2026, 11, 1, hour) + timedelta(minutes=59)) for hour in (4, 5)]
    assert [at and at.astimezone(UTC) for at in begun] == [moment(2026, 11, 1, 4), moment(2026, 11, 1, 5)]


def test_an_hour_that_clocks_cut_by_half_begins_at_its_full_hour() -> None:
    # In Lord Howe clocks went on from 2:00 (UTC+10:30) to 2:30 (UTC+11) on 4 October 2026, at 15:30 UTC.
    night = Query(date(2026, 10, 4), date(2026, 10, 4), grain="hour", tz="Australia/Lord_Howe")
    at = moment(2026, 10, 3, 15)
    starts = [night.start_of(at + timedelta(minutes=minutes)) for minutes in (0, 29, 31, 59, 61)]
    begun = [start and start.astimezone(UTC) for start in starts]
    half = timedelta(minutes=30)
    assert begun == [at - half, at - half, at, at, at + 2 * half]
