"""What may be asked as one query, and how longer stretches are asked for."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.model.query import Dimension, Filters, Measure, Query, ask_days

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
