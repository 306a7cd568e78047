"""Downloads by column answer as the rows themselves do, whatever is asked; where they are not whole, rows answer."""

import random
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from castline.measure.figures.query import run_query
from castline.measure.rows.column_counts import can_count_columns, count_columns
from castline.model.account import User
from castline.model.query import DOWNLOAD_MEASURES, GRAINS, Dimension, Filters, Query
from castline.store.listening.metrics import EventCount, count_events
from castline.store.pool import Store
from make import make_account
from make_listening import APPS
from make_scattered import CAMPAIGNS, FIRST, make_scattered

pytestmark = pytest.mark.store
WEEK = Query(FIRST + timedelta(days=1), FIRST + timedelta(days=9))
ZONES = ("UTC", "Europe/Oslo", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Kiritimati")
DIMENSIONS: tuple[Dimension, ...] = ("show", "episode", "app", "country", "device", "campaign", "source")


def draw(rng: random.Random, shows: list[UUID], episodes: list[UUID]) -> Query:
    filters = Filters(
        rng.choice([(), (), (shows[0],), (shows[1], shows[2])]),
        rng.choice([(), (), (episodes[0], episodes[3])]),
        rng.choice([(), (), (APPS[0],), APPS[1:]]),
        rng.choice([(), (), ("SE",), ("NO", "unknown")]),
        rng.choice([(), (), ("mobile",), ("console",)]),
        rng.choice([(), (), (UUID(CAMPAIGNS[0]),), (UUID(CAMPAIGNS[1]), UUID(CAMPAIGNS[2]))]),
        rng.choice([(), (), ("prefix",), ("file", "hls")]),
    )
    dimensions = tuple(rng.sample(DIMENSIONS, rng.choice([0, 1, 2])))
    return replace(
        WEEK,
        measure=rng.choice(DOWNLOAD_MEASURES),
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
    shows, episodes = make_scattered(store, account, rng)
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
    make_scattered(store, account, random.Random(9))  # noqa: S311  # repeatable, no secret
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
    make_scattered(store, make_account(store), random.Random(10))  # noqa: S311  # repeatable, no secret
    with store.account(account.user_id) as connection:
        assert count_columns(connection, account.user_id, WEEK) == []
        assert connection.execute("select count(*) from download_columns").fetchone() == (0,)
