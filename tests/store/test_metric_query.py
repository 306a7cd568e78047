"""One query, whichever table answers it: rollups and raw downloads agree, and what is not known is no zero."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from castline.measure.figures.query import run_query
from castline.model.account import User
from castline.model.query import Answer, AnswerRow, Dimension, Filters, Grain, Query, Withheld
from castline.store.listening.metrics import count_events
from castline.store.pool import Store
from make import make_account
from make_listening import APPS, Download, make_downloads, make_listened
from make_scattered import FIRST, make_scattered

pytestmark = pytest.mark.store
# Oslo's clocks go forward on Sunday 29 March 2026 at 01:00 UTC and back on Sunday 25 October at 01:00 UTC.
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
WEEK = Query(date(2026, 3, 25), date(2026, 4, 2))


def ask(store: Store, account: User, query: Query) -> Answer:
    with store.account(account.user_id) as connection:
        return run_query(connection, account.user_id, query)


def values(answer: Answer) -> list[int | None]:
    return [row.value for row in answer.rows]


def hourly(store: Store, account: User, day: date) -> None:
    """One download in every UTC hour of the day, of the one before and of the one after."""
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    podcast_id, [episode_id] = make_listened(store, account.user_id, "Hours", [first])
    make_downloads(
        store,
        account.user_id,
        [Download(first + timedelta(hours=hour, minutes=30), episode_id, podcast_id, hour) for hour in range(72)],
    )


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (AUTUMN, 25)])
def test_a_local_day_has_23_or_25_hours_where_clocks_change(store: Store, account: User, day: date, hours: int) -> None:
    hourly(store, account, day)
    answer = ask(store, account, Query(day, day, tz="Europe/Oslo", grain="day"))
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Oslo"))
    assert answer.rows == (AnswerRow(midnight, (), hours),)
    assert answer.counting.counted_from == "hourly_metrics"
    by_hour = ask(store, account, Query(day, day, tz="Europe/Oslo", grain="hour"))
    assert values(by_hour) == [1] * hours
    assert ask(store, account, Query(day, day, grain="day")).rows[0].value == 24


def test_a_zone_between_two_hours_is_counted_from_raw_downloads(store: Store, account: User) -> None:
    hourly(store, account, SPRING)
    answer = ask(store, account, Query(SPRING, SPRING, tz="Asia/Kathmandu", grain="day"))
    assert (values(answer), answer.counting.counted_from) == ([24], "listener_events")


def scatter(store: Store, account: User, *, seed: int) -> None:
    """300 downloads of four episodes of two shows over eleven days."""
    rng = random.Random(seed)  # noqa: S311  # repeatable, no secret
    start = datetime(2026, 3, 24, tzinfo=UTC)
    shows = [make_listened(store, account.user_id, title, [start, start]) for title in ("One", "Two")]
    downloads = []
    for _ in range(300):
        podcast_id, episodes = rng.choice(shows)
        downloads.append(
            Download(
                start + timedelta(seconds=rng.randrange(11 * 86_400)),
                rng.choice(episodes),
                podcast_id,
                rng.randrange(40),
                rng.choice(APPS),
                rng.choice(["SE", "NO", None]),
                rng.choice(["mobile", "desktop"]),
            )
        )
    make_downloads(store, account.user_id, downloads)


@pytest.mark.parametrize("tz", ["UTC", "Europe/Oslo", "America/Los_Angeles"])
@pytest.mark.parametrize("grain", ["none", "hour", "day", "week", "month"])
def test_rollups_answer_as_raw_downloads_do(store: Store, account: User, tz: str, grain: Grain) -> None:
    scatter(store, account, seed=3)
    for dimensions in ((), ("show",), ("episode",), ("show", "app"), ("country",), ("device", "show"), ("source",)):
        for filters in (Filters(), Filters(apps=("Overcast",)) if {*dimensions} <= {"show", "app"} else Filters()):
            query = replace(WEEK, tz=tz, grain=grain, dimensions=dimensions, filters=filters)
            answer = ask(store, account, query)
            assert answer.counting.counted_from != "listener_events"
            with store.account(account.user_id) as connection:
                raw = count_events(connection, account.user_id, query)
            width = len(dimensions)
            expected = {(row.start_at, (row.first_member, row.second_member)[:width]): row.value for row in raw}
            assert {(row.start_at, row.members): row.value for row in answer.rows if row.value} == expected


def test_two_dimensions_are_crossed_in_raw_downloads_and_sum_to_the_rollup(store: Store, account: User) -> None:
    scatter(store, account, seed=4)
    crossed = ask(store, account, replace(WEEK, dimensions=("app", "country")))
    assert crossed.counting.counted_from == "listener_events"
    assert crossed.total == ask(store, account, WEEK).total
    one = ask(store, account, replace(WEEK, filters=Filters(apps=("Overcast",), countries=("NO",))))
    assert one.total == {row.members: row.value for row in crossed.rows}["Overcast", "NO"]


def test_consumers_of_a_week_are_a_union_and_no_sum(store: Store, account: User) -> None:
    # Listener 1 hears both shows on Monday and one of them again on Tuesday; listener 2 one show on Tuesday.
    monday = datetime(2026, 3, 23, 12, tzinfo=UTC)
    one, [first] = make_listened(store, account.user_id, "One", [monday])
    two, [second] = make_listened(store, account.user_id, "Two", [monday])
    tuesday = monday + timedelta(days=1)
    heard = [(monday, first, one, 1), (monday, second, two, 1), (tuesday, first, one, 1), (tuesday, first, one, 2)]
    make_downloads(store, account.user_id, [Download(*item) for item in heard])
    query = Query(date(2026, 3, 23), date(2026, 3, 29), "consumers")
    assert values(ask(store, account, replace(query, grain="day"))) == [1, 2, *[None] * 5]
    assert values(ask(store, account, replace(query, grain="week"))) == [2]
    by_show = ask(store, account, replace(query, dimensions=("show",)))
    assert {row.members: row.value for row in by_show.rows} == {(str(one),): 2, (str(two),): 1}
    # Another agent behind the same address is another consumer.
    wednesday = [Download(tuesday + timedelta(days=1), first, one, 1, APPS[1])]
    make_downloads(store, account.user_id, wednesday)
    assert values(ask(store, account, query)) == [3]


def test_consumers_of_a_shows_day_come_from_the_rollup_and_equal_the_raw_count(store: Store, account: User) -> None:
    scatter(store, account, seed=5)
    stored = ask(store, account, replace(WEEK, measure="consumers", grain="day", dimensions=("show",)))
    assert stored.counting.counted_from == "daily_metrics"
    raw = ask(store, account, replace(WEEK, measure="consumers", grain="day", dimensions=("show", "device")))
    assert raw.counting.counted_from == "listener_events"
    counted = replace(WEEK, measure="consumers", grain="day", dimensions=("show",))
    with store.account(account.user_id) as connection:
        events = count_events(connection, account.user_id, counted)
    assert {(row.start_at, row.members[0]): row.value for row in stored.rows} == {
        (row.start_at, row.first_member): row.value for row in events
    }


def test_zero_nothing_known_and_withheld_are_three_answers(store: Store, account: User) -> None:
    podcast_id, [episode_id] = make_listened(store, account.user_id, "Gaps", [datetime(2026, 3, 1, tzinfo=UTC)])
    at = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (10, 12)]
    make_downloads(store, account.user_id, [Download(moment, episode_id, podcast_id) for moment in at])
    around = Query(date(2026, 3, 9), date(2026, 3, 13), grain="day")
    assert values(ask(store, account, around)) == [None, 1, 0, 1, None]
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from listener_events where podcast_id = %s", (podcast_id,))
    assert values(ask(store, account, around)) == [None, 1, 0, 1, None]
    gone = ask(store, account, replace(around, measure="consumers"))
    assert (gone.rows, gone.counting.counted_from) == ((), "nothing")
    detail = "not measurable: raw downloads are gone, and 2026-03-10 was measured before its consumers were sketched"
    assert gone.withheld == Withheld("raw_not_kept", detail)


def test_a_comparison_answers_the_same_question_of_earlier_days(store: Store, account: User) -> None:
    scatter(store, account, seed=6)
    answer = ask(store, account, Query(date(2026, 3, 30), date(2026, 4, 1), comparison="previous"))
    assert answer.compared is not None
    assert answer.compared == ask(store, account, Query(date(2026, 3, 27), date(2026, 3, 29)))


def test_an_answer_holds_nothing_of_another_account(store: Store, account: User) -> None:
    other = make_account(store)
    scatter(store, other, seed=7)
    for query in (WEEK, replace(WEEK, tz="Asia/Tokyo"), replace(WEEK, measure="consumers"), replace(WEEK, grain="day")):
        answer = ask(store, account, query)
        assert answer.total in {None, 0}
        assert set(values(answer)) <= {None, 0}


def test_a_rollup_answers_by_source_only_where_it_covers_the_days(store: Store, account: User) -> None:
    podcast_id, [episode_id] = make_listened(store, account.user_id, "Ways", [datetime(2026, 3, 1, tzinfo=UTC)])
    at = datetime(2026, 3, 26, 12, tzinfo=UTC)
    ways = [
        Download(at, episode_id, podcast_id, number, source=["prefix", None, "hls"][number % 3]) for number in range(7)
    ]
    make_downloads(store, account.user_id, ways)
    found = {("prefix",): 3, ("file",): 2, ("hls",): 2}
    for tz in ("UTC", "Europe/Oslo"):
        answer = ask(store, account, replace(WEEK, dimensions=("source",), tz=tz))
        assert {row.members: row.value for row in answer.rows} == found
        assert answer.counting.counted_from == ("daily_metrics" if tz == "UTC" else "hourly_metrics")
    # Days that were measured before the rollups had sources.
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from daily_metrics where podcast_id = %s and dimension = 'source'", (podcast_id,))
    answer = ask(store, account, replace(WEEK, dimensions=("source",)))
    assert {row.members: row.value for row in answer.rows} == found
    assert answer.counting.counted_from == "listener_events"
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from listener_events where podcast_id = %s", (podcast_id,))
    answer = ask(store, account, replace(WEEK, dimensions=("source",)))
    detail = "not measurable: some of these days were measured before `source` was; measure them again"
    assert (answer.rows, answer.withheld) == ((), Withheld("not_measured", detail))


def test_a_source_is_filtered_by_from_rollups_and_with_another_filter_from_raw_downloads(
    store: Store, account: User
) -> None:
    # Of seven downloads, one an hour, numbers 0, 3 and 6 came through the prefix, 1 and 4 in a file, 2 and 5 by stream;
    # those of even numbers are Overcast's: 0 and 6 of the prefix.
    podcast_id, [episode_id] = make_listened(store, account.user_id, "Ways", [datetime(2026, 3, 1, tzinfo=UTC)])
    at = datetime(2026, 3, 26, 12, tzinfo=UTC)
    ways = ["prefix", None, "hls"]
    heard = [
        Download(
            at + timedelta(hours=number), episode_id, podcast_id, number, APPS[number % 2], source=ways[number % 3]
        )
        for number in range(7)
    ]
    make_downloads(store, account.user_id, heard)
    of_prefix = replace(WEEK, filters=Filters(sources=("prefix",)))
    found = [
        (ask(store, account, query).total, ask(store, account, query).counting.counted_from)
        for query in (
            of_prefix,
            replace(of_prefix, tz="Europe/Oslo"),
            replace(of_prefix, filters=Filters(sources=("hls", "file"))),
            replace(of_prefix, filters=Filters(apps=(APPS[0],), sources=("prefix",))),
            replace(of_prefix, measure="consumers"),
        )
    ]
    assert found == [
        (3, "daily_metrics"),
        (3, "hourly_metrics"),
        (4, "daily_metrics"),
        (2, "listener_events"),
        (3, "listener_events"),
    ]
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from daily_metrics where podcast_id = %s and dimension = 'source'", (podcast_id,))
    answer = ask(store, account, of_prefix)
    assert (answer.total, answer.counting.counted_from) == (3, "listener_events")
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from listener_events where podcast_id = %s", (podcast_id,))
    withheld = ask(store, account, of_prefix).withheld
    assert withheld
    assert withheld.reason == "not_measured"


@pytest.mark.parametrize("filtered", ["show", "episode", "app", "country", "device", "source"])
def test_every_dimension_lets_through_what_a_split_by_it_tells_whatever_else_is_asked(
    store: Store, account: User, filtered: Dimension
) -> None:
    make_scattered(store, account, random.Random(12))  # noqa: S311  # repeatable, no secret
    whole = replace(WEEK, first_on=FIRST + timedelta(days=1), last_on=FIRST + timedelta(days=9))
    members = sorted(row.members[0] for row in ask(store, account, replace(whole, dimensions=(filtered,))).rows)
    member = members[0]
    only = {
        "show": lambda: Filters(podcast_ids=(UUID(member),)),
        "episode": lambda: Filters(episode_ids=(UUID(member),)),
        "app": lambda: Filters(apps=(member,)),
        "country": lambda: Filters(countries=(member,)),
        "device": lambda: Filters(devices=(member,)),
        "source": lambda: Filters(sources=(member,)),
    }[filtered]()
    others: tuple[Dimension, ...] = ("show", "episode", "app", "country", "device", "campaign", "source")
    for split in others:
        narrowed = ask(store, account, replace(whole, dimensions=(split,), filters=only))
        told = {row.members[0]: row.value for row in narrowed.rows}
        if split == filtered:
            assert [*told] == [member]
            continue
        crossed = ask(store, account, replace(whole, dimensions=(filtered, split)))
        assert told == {row.members[1]: row.value for row in crossed.rows if row.members[0] == member}, split
        assert sum(value or 0 for value in told.values()) > 10


def test_downloads_without_a_campaign_are_of_none(store: Store, account: User) -> None:
    scatter(store, account, seed=8)
    answer = ask(store, account, replace(WEEK, dimensions=("campaign",)))
    assert [row.members for row in answer.rows] == [("none",)]
    assert answer.total == ask(store, account, WEEK).total
