"""Downloads by column answer as the rows themselves do, whatever is asked; where they are not whole, rows answer."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import polars as pl
import pytest

from castline.measure.ads import DELIVERED, DELIVERIES_SCHEMA, MISSED, NOT_KNOWN
from castline.measure.column_counts import can_count_columns, count_columns
from castline.measure.query import run_query
from castline.model.account import User
from castline.model.query import GRAINS, MEASURES, Dimension, Filters, Query
from castline.store.metrics import EventCount, count_events
from castline.store.pool import Store
from make import make_account
from make_listening import APPS, Download, judged_of, make_listened, save_judged

pytestmark = pytest.mark.store
CAMPAIGNS = sorted(str(UUID(int=number)) for number in (7, 8, 9))
# Over the days in which the clocks of Oslo and of Lord Howe (by half an hour) change.
FIRST = date(2026, 3, 27)
WEEK = Query(FIRST + timedelta(days=1), FIRST + timedelta(days=9))
ZONES = ("UTC", "Europe/Oslo", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Kiritimati")
DIMENSIONS: tuple[Dimension, ...] = ("show", "episode", "app", "country", "device", "campaign", "source")


def scatter(store: Store, account: User, rng: random.Random) -> tuple[list[UUID], list[UUID]]:
    """500 downloads of twelve days, some with up to three ads; the shows and the episodes."""
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    shows = [make_listened(store, account.user_id, title, [start] * 2) for title in ("One", "Two", "Three")]
    downloads = []
    for _ in range(500):
        podcast_id, episodes = rng.choice(shows)
        at = start + timedelta(seconds=rng.randrange(12 * 86_400))
        who = (rng.randrange(60), rng.choice(APPS), rng.choice(["SE", "NO", None]), rng.choice(["mobile", "desktop"]))
        downloads.append(Download(at, rng.choice(episodes), podcast_id, *who, rng.choice([None, "hls", "prefix"])))
    judged = judged_of(downloads)
    ads = [
        (place, rng.choice(CAMPAIGNS), str(uuid4()), rng.choice([DELIVERED, MISSED, NOT_KNOWN]))
        for place in range(len(downloads))
        for _ in range(rng.choice([0, 0, 1, 2, 3]))
    ]
    deliveries = pl.DataFrame(ads, schema=DELIVERIES_SCHEMA, orient="row")
    save_judged(store, account.user_id, replace(judged, deliveries=deliveries))
    return [show for show, _ in shows], [episode for _, episodes in shows for episode in episodes]


def draw(rng: random.Random, shows: list[UUID], episodes: list[UUID]) -> Query:
    filters = Filters(
        rng.choice([(), (), (shows[0],), (shows[1], shows[2])]),
        rng.choice([(), (), (episodes[0], episodes[3])]),
        rng.choice([(), (), (APPS[0],), APPS[1:]]),
        rng.choice([(), (), ("SE",), ("NO", "unknown")]),
        rng.choice([(), (), ("mobile",), ("console",)]),
        rng.choice([(), (), (UUID(CAMPAIGNS[0]),), (UUID(CAMPAIGNS[1]), UUID(CAMPAIGNS[2]))]),
    )
    dimensions = tuple(rng.sample(DIMENSIONS, rng.choice([0, 1, 2])))
    return replace(
        WEEK,
        measure=rng.choice(MEASURES),
        dimensions=dimensions,
        grain=rng.choice(GRAINS),
        tz=rng.choice(ZONES),
        filters=filters,
    )


def in_order(counts: list[EventCount]) -> list[tuple[float, str, str, int]]:
    return sorted(
        (item.start_at.timestamp() if item.start_at else 0.0, item.first_member, item.second_member, item.value)
        for item in counts
    )


@pytest.mark.parametrize("seed", range(4))
def test_columns_answer_as_rows_do(store: Store, account: User, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # repeatable, no secret
    shows, episodes = scatter(store, account, rng)
    filled = 0
    for query in (draw(rng, shows, episodes) for _ in range(60)):
        with store.account(account.user_id) as connection:
            assert can_count_columns(connection, account.user_id, query)
            columns = in_order(count_columns(connection, account.user_id, query))
            rows = in_order(count_events(connection, account.user_id, query))
        assert columns == rows, query
        filled += bool(rows)
    assert filled > 15


def test_rows_answer_where_columns_are_not_whole(store: Store, account: User) -> None:
    scatter(store, account, random.Random(9))  # noqa: S311  # repeatable, no secret
    query = replace(WEEK, dimensions=("app", "country"))
    with store.account(account.user_id) as connection:
        whole = run_query(connection, account.user_id, query)
    with store.ingest(account.user_id) as connection:
        connection.execute("delete from download_columns where day_on = %s", (query.first_on,))
    with store.account(account.user_id) as connection:
        assert not can_count_columns(connection, account.user_id, query)
        assert can_count_columns(
            connection, account.user_id, query.on_days(query.first_on + timedelta(days=1), query.last_on)
        )
        assert run_query(connection, account.user_id, query) == whole


def test_columns_are_of_one_account(store: Store, account: User) -> None:
    scatter(store, make_account(store), random.Random(10))  # noqa: S311  # repeatable, no secret
    with store.account(account.user_id) as connection:
        assert count_columns(connection, account.user_id, WEEK) == []
        assert connection.execute("select count(*) from download_columns").fetchone() == (0,)
