"""The demo's world: the same again from the same seed, and a truth that holds together."""

import csv
import gzip
from collections import Counter
from datetime import date
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from castline.demo.commerce import counted_requests
from castline.demo.feed_server import render_feed, serve_feeds
from castline.demo.log_files import write_logs
from castline.demo.tables import BROKEN_COUNT, write_conversions, write_rates
from castline.demo.traffic import FATES
from castline.demo.visits import DAY_SECONDS
from castline.demo.world import DAY_COUNT, World, make_world
from castline.sources.feeds.rss import parse_feed

LAST_ON = date(2026, 3, 31)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(seed=7, last_on=LAST_ON, line_count=6_000)


def test_the_same_seed_makes_the_same_world(world: World) -> None:
    again = make_world(seed=7, last_on=LAST_ON, line_count=6_000)
    assert again.truth == world.truth
    assert again.orders == world.orders
    assert np.array_equal(again.requests.at, world.requests.at)


def test_another_seed_makes_another_world(world: World) -> None:
    assert make_world(seed=8, last_on=LAST_ON, line_count=6_000).truth != world.truth


def test_a_week_later_the_world_has_the_same_counts(world: World) -> None:
    moved = make_world(seed=7, last_on=date(2026, 4, 7), line_count=6_000)
    assert moved.truth.requests == world.truth.requests


def test_every_request_has_one_fate_and_they_sum_to_what_was_received(world: World) -> None:
    truth = world.truth
    assert sum(truth.requests.values()) + truth.malformed_count == truth.received_count
    assert set(truth.requests) == set(FATES)
    assert all(count > 0 for count in truth.requests.values())


def test_no_two_downloads_share_household_agent_episode_and_day(world: World) -> None:
    counted = counted_requests(world.requests)
    days = counted.at // DAY_SECONDS
    keys = Counter(zip(counted.address // 2, counted.agent, counted.show, counted.path, days, strict=True))
    assert max(keys.values()) == 1
    assert len(keys) == world.truth.download_count == sum(world.truth.downloads.values())


def test_duplicates_follow_their_download_on_the_same_day(world: World) -> None:
    requests = world.requests
    keys = list(
        zip(
            requests.address // 2, requests.agent, requests.show, requests.path, requests.at // DAY_SECONDS, strict=True
        )
    )
    first = {keys[place]: requests.at[place] for place in np.flatnonzero(requests.fate == FATES.index("counted"))}
    for place in np.flatnonzero(requests.fate == FATES.index("duplicate")):
        assert first[keys[place]] < requests.at[place]


def test_all_requests_lie_within_the_ninety_days(world: World) -> None:
    days = world.requests.at // DAY_SECONDS - world.requests.at.min() // DAY_SECONDS
    assert (days.min(), days.max()) == (0, DAY_COUNT - 1)


def test_log_files_hold_every_line_once(world: World, tmp_path: Path) -> None:
    paths = write_logs(world, tmp_path)
    lines = [line for path in paths for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    assert len(lines) == world.truth.received_count
    assert {path.name for path in paths} == {
        f"access-{show.plan.slug}-{number:02}.log.gz" for show in world.shows for number in range(1, 7)
    }
    assert any(" +0900] " in line for line in lines)


def test_feeds_read_without_a_problem(world: World) -> None:
    for show in world.shows:
        feed = parse_feed(render_feed(show), source=show.plan.slug)
        assert feed.problems == ()
        assert (feed.show.title, feed.show.language) == (show.plan.title, show.plan.language)
        assert [(item.guid, item.title, item.audio_bytes) for item in feed.episodes] == [
            (item.guid, item.title, item.audio_bytes) for item in reversed(show.episodes)
        ]


def test_the_feed_server_knows_who_has_the_feed_already(world: World) -> None:
    with serve_feeds(world) as urls:
        place = urlsplit(urls[1])
        connection = HTTPConnection(place.netloc)
        connection.request("GET", place.path)
        answer = connection.getresponse()
        assert answer.read() == render_feed(world.shows[1])
        connection.request("GET", place.path, headers={"If-None-Match": answer.headers["ETag"]})
        again = connection.getresponse()
        assert (again.status, again.read()) == (304, b"")
        connection.close()


def test_the_conversions_file_holds_its_orders_refunds_and_broken_rows(world: World, tmp_path: Path) -> None:
    write_conversions(world, tmp_path / "conversions.csv")
    with (tmp_path / "conversions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sent = [order for order in world.orders if "csv" in order.told.routes]
    assert len(rows) == len(sent) + len(world.refunds) + BROKEN_COUNT


def test_rates_cover_every_day_of_each_pair(world: World, tmp_path: Path) -> None:
    write_rates(world.rates, tmp_path / "rates.csv")
    with (tmp_path / "rates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(f"{row['base']}/{row['quote']}" for row in rows) == dict.fromkeys(world.plan.rates, DAY_COUNT)
    assert all(Decimal(row["rate"]) > 0 for row in rows)


def test_campaigns_differ_as_they_are_meant_to(world: World) -> None:
    by_name = {item.name: item for item in world.truth.campaigns}
    assert by_name["Halcyon silence"].roi_rate == -1
    assert by_name["Halcyon silence"].order_count == 0
    for item in world.truth.campaigns:
        assert item.net_revenue == item.gross_revenue + item.refunds
    named = [order for order in world.orders if order.told.names_campaign]
    twice = [order for order in world.orders if len(order.told.routes) > 1]
    assert named
    assert twice
