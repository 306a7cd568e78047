"""Partitions of the time-series tables: where each moment lies, at the edges of weeks and years, and two at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg import Connection

from castline.base.errors import InvalidInput
from castline.store.pool import Store
from castline.store.timeseries import (
    Partition,
    SeriesTable,
    ensure_partitions,
    iter_series,
    list_partitions,
    partition_of,
)

EVENTS = SeriesTable("listener_events", "timestamp", "timestamptz", "week")
DAYS = SeriesTable("daily_metrics", "day_on", "date", "year")


def _week(first_on: date) -> Partition:
    return Partition("listener_events", f"listener_events_w{first_on:%Y%m%d}", first_on, first_on + timedelta(days=7))


@pytest.mark.parametrize(
    ("day", "first_on"),
    [
        (date(2026, 3, 2), date(2026, 3, 2)),  # a Monday
        (date(2026, 3, 8), date(2026, 3, 2)),  # the Sunday after it
        (date(2026, 12, 31), date(2026, 12, 28)),  # ISO week 53 begins in the old year
        (date(2027, 1, 3), date(2026, 12, 28)),  # and ends in the new one
        (date(2028, 2, 29), date(2028, 2, 28)),  # a leap day
        (date(1970, 1, 1), date(1969, 12, 29)),
    ],
)
def test_a_day_lies_in_the_week_of_its_monday(day: date, first_on: date) -> None:
    assert partition_of(EVENTS, day) == _week(first_on)


@pytest.mark.parametrize("day", [date(2028, 1, 1), date(2028, 2, 29), date(2028, 12, 31)])
def test_a_daily_row_lies_in_its_year(day: date) -> None:
    assert partition_of(DAYS, day) == Partition(
        "daily_metrics", "daily_metrics_y2028", date(2028, 1, 1), date(2029, 1, 1)
    )


def test_the_catalogue_cuts_events_by_week_and_days_by_year() -> None:
    assert {(table.name, table.column, table.column_type, table.cut) for table in iter_series()} == {
        ("listener_events", "timestamp", "timestamptz", "week"),
        ("attribution_events", "timestamp", "timestamptz", "week"),
        ("hourly_metrics", "hour_at", "timestamptz", "week"),
        ("daily_metrics", "day_on", "date", "year"),
    }


@pytest.mark.store
def test_partitions_over_a_turn_of_the_year_are_made_once_and_listed(own_store: Store) -> None:
    with own_store.owner() as connection:
        made = ensure_partitions(connection, date(2026, 12, 31), date(2027, 1, 4))
        assert ensure_partitions(connection, date(2026, 12, 31), date(2027, 1, 4)) == []
        assert list_partitions(connection) == sorted(made, key=lambda one: (one.table, one.first_on))
    assert sorted(one.name for one in made) == [
        "attribution_events_w20261228",
        "attribution_events_w20270104",
        "daily_metrics_y2026",
        "daily_metrics_y2027",
        "hourly_metrics_w20261228",
        "hourly_metrics_w20270104",
        "listener_events_w20261228",
        "listener_events_w20270104",
    ]


def _save_event(connection: Connection, at: datetime) -> str:
    row = connection.execute(
        "insert into listener_events (event_id, timestamp, podcast_id, event_type, run_id)"
        " values (%s, %s, %s, 'download', %s) returning tableoid::regclass::text",
        (uuid4(), at, uuid4(), uuid4()),
    ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.store
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_the_first_and_last_moment_of_a_week_lie_in_it_whatever_the_servers_zone(own_store: Store, zone: str) -> None:
    monday = datetime(2028, 2, 28, tzinfo=UTC)
    with own_store.owner() as connection:
        connection.execute("select set_config('timezone', %s, true)", (zone,))
        ensure_partitions(connection, date(2028, 2, 28), date(2028, 3, 6))
    with own_store.system() as connection:
        found = [
            _save_event(connection, at)
            for at in (monday, monday + timedelta(days=7, microseconds=-1), monday + timedelta(days=7))
        ]
    assert found == ["listener_events_w20280228", "listener_events_w20280228", "listener_events_w20280306"]


@pytest.mark.store
def test_a_moment_without_a_partition_is_refused(own_store: Store) -> None:
    with pytest.raises(InvalidInput, match="no partition"), own_store.system() as connection:
        _save_event(connection, datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.store
def test_two_that_make_the_same_partitions_at_once_make_each_once(own_store: Store) -> None:
    def make(_: int) -> list[Partition]:
        with own_store.owner() as connection:
            return ensure_partitions(connection, date(2026, 3, 2), date(2026, 3, 29))

    with ThreadPoolExecutor(4) as pool:
        made = [partition for part in pool.map(make, range(4)) for partition in part]
    assert len(made) == len({partition.name for partition in made}) == 13
