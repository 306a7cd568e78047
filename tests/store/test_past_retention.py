"""When raw downloads are gone, a figure is what it was or not measurable, and never a part of it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from castline.measure.figures.query import run_query
from castline.model.account import User
from castline.model.query import DOWNLOAD_MEASURES, Answer, Dimension, Filters, Grain, Query
from castline.store.pool import Store
from make_listening import APPS
from make_scattered import FIRST, make_scattered

pytestmark = pytest.mark.store
SPAN = Query(FIRST + timedelta(days=1), FIRST + timedelta(days=9))
SPLITS: tuple[tuple[Dimension, ...], ...] = (
    (),
    ("show",),
    ("episode",),
    ("app",),
    ("country",),
    ("device",),
    ("campaign",),
    ("source",),
    ("placement",),
    ("show", "country"),
    ("app", "device"),
)
GRAINS: tuple[Grain, ...] = ("none", "hour", "day")
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kathmandu")


def iter_questions() -> Iterator[Query]:
    """Every measure by every dimension, as it is and for one app."""
    for measure in DOWNLOAD_MEASURES:
        for dimensions in SPLITS:
            if "placement" in dimensions and not measure.startswith("ads"):
                continue
            for filters in (Filters(), Filters(apps=(APPS[0],))):
                if "placement" in dimensions and filters.apps:
                    continue
                for tz in ZONES:
                    for grain in GRAINS:
                        yield replace(SPAN, measure=measure, dimensions=dimensions, filters=filters, tz=tz, grain=grain)


def ask_all(store: Store, account: User) -> dict[Query, Answer]:
    with store.account(account.user_id) as connection:
        return {query: run_query(connection, account.user_id, query) for query in iter_questions()}


def delete_raw(store: Store, account: User, before_on: date) -> None:
    """What retention takes away of the days before one."""
    with store.ingest(account.user_id) as connection:
        connection.execute(
            "delete from listener_events where timestamp < %s"
            " and podcast_id in (select podcast_id from podcasts where user_id = %s)",
            (before_on, account.user_id),
        )
        connection.execute("delete from download_columns where day_on < %s", (before_on,))


@pytest.mark.parametrize("kept_days", [0, 6])
def test_past_retention_every_figure_is_as_before_or_not_measurable(
    store: Store, account: User, kept_days: int
) -> None:
    make_scattered(store, account, random.Random(21))  # noqa: S311  # repeatable, no secret
    before = ask_all(store, account)
    delete_raw(store, account, FIRST + timedelta(days=12 - kept_days))
    wrong: list[object] = []
    kinds: set[str] = set()
    for query, answer in ask_all(store, account).items():
        if answer.withheld:
            is_right = answer.rows == () and answer.withheld.detail.startswith("not measurable: ")
            kinds.add(answer.withheld.reason)
        else:
            is_right = answer.rows == before[query].rows
            kinds.add(answer.counting.counted_from)
        if not is_right:
            wrong.append((query, answer.counting.counted_from))
    assert wrong == []
    assert {"daily_metrics", "hourly_metrics", "raw_not_kept"} <= kinds


def test_what_rollups_hold_is_still_told_past_retention(store: Store, account: User) -> None:
    make_scattered(store, account, random.Random(22))  # noqa: S311  # repeatable, no secret
    delete_raw(store, account, FIRST + timedelta(days=12))
    single = [item for item in SPLITS if len(item) <= 1 and item != ("placement",)]
    with store.account(account.user_id) as connection:
        for measure in DOWNLOAD_MEASURES:
            told = {}
            for dimensions in single:
                answer = run_query(
                    connection, account.user_id, replace(SPAN, measure=measure, dimensions=dimensions, grain="day")
                )
                told[dimensions] = answer.withheld is None
            # Consumers of a day are stored by show; of all shows together they need who they were.
            expected = {("show",)} if measure == "consumers" else {*single}
            assert {dimensions for dimensions, is_told in told.items() if is_told} == expected
