"""What the intake took becomes requests and events of the right account, once, whoever dies in between."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg_pool import ConnectionPool

from castline.base.clock import now
from castline.base.errors import DatabaseUnavailable
from castline.base.period import Period
from castline.ingest.segment_log import EVENTS, LOG_FOLDER, REQUEST, LogWriter, encode_record
from castline.intake import drain as drain_module
from castline.intake.drain import UnclaimedAddress, drain_intake, load_unclaimed
from castline.measure.figures.audience import compute_listen_through
from castline.measure.run import load_unmatched, measure
from castline.model.account import User
from castline.model.query import Query
from castline.store.landing.files import load_requests
from castline.store.listening.downloads import LOG_KIND, load_log_batches
from castline.store.listening.playback import find_told_days
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine
from make import make_account
from make_logs import EPISODE_SECONDS, make_listened_show

pytestmark = pytest.mark.store
AGENT = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Store:
    """The store over a data folder of this test alone."""
    return replace(store, settings=replace(store.settings, data_dir=tmp_path, secret_key="k" * 32))


def take_in(store: Store, *records: bytes) -> None:
    """The intake has taken the records and closed its segment."""
    log = LogWriter(store.settings.data_dir / LOG_FOLDER)
    log.append(list(records))
    log.close()


def redirect(rest: str, *, at: datetime | None = None, address: str = "198.51.100.7", method: str = "GET") -> bytes:
    text = f"{method} /e{rest} HTTP/1.1\r\nHost: pod.example\r\nUser-Agent: {AGENT}\r\nRange: bytes=0-\r\n\r\n"
    at_us = int((at or now()).timestamp() * 1_000_000)
    return encode_record(REQUEST, at_us, address.encode(), text.encode())


def landed(store: Store, owner_id: UUID) -> list[dict[str, Any]]:
    day = now().date()
    period = Period.of_days(day - timedelta(days=1), day)
    with store.account(owner_id) as connection:
        batches = load_log_batches(connection, owner_id, period)
    frame = load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, list(period.iter_days()))
    return list(frame.sort("time", "line_number").iter_rows(named=True))


def test_a_redirect_is_landed_as_a_request_of_prefix_mode_without_its_address(here: Store, account: User) -> None:
    make_listened_show(here, account.user_id)
    at = now()
    take_in(here, redirect(f",a={account.user_id}/dts.podtrac.com/redirect.mp3/cdn.example.org/one.mp3?x=1", at=at))
    drained = drain_intake(here)
    assert (drained.segment_count, drained.request_count, drained.unclaimed_count) == (1, 1, 0)
    (row,) = landed(here, account.user_id)
    told = {name: row[name] for name in ("time", "ip", "host", "path", "method", "status", "range", "delivery")}
    assert told == {
        "time": at,
        "ip": "198.51.100.0/24",
        "host": "cdn.example.org",
        "path": "/one.mp3",
        "method": "GET",
        "status": 302,
        "range": "bytes=0-",
        "delivery": "prefix",
    }
    assert row["user_agent"] == AGENT
    assert row["bytes_sent"] is None
    assert len(row["request_id"]) == 16
    left = [path for path in (here.settings.data_dir / LOG_FOLDER).rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["drain.lock"]
    assert not [
        path for path in here.settings.data_dir.rglob("*") if path.is_file() and b"198.51.100.7" in path.read_bytes()
    ]


def test_each_target_finds_its_account_and_the_rest_is_counted(here: Store) -> None:
    mine, theirs = make_account(here), make_account(here)
    make_hosted(here, mine.user_id, "mine.example.net")
    make_hosted(here, theirs.user_id, "theirs.example.net")
    take_in(
        here,
        redirect("/mine.example.net/one.mp3"),
        redirect("/mine.example.net/not-polled-yet.mp3"),
        redirect("/theirs.example.net/one.mp3"),
        redirect("/nobody.example.net/one.mp3"),
        redirect("/nobody.example.net/one.mp3"),
        redirect(f",a={str(theirs.user_id)[:13]}/nobody.example.net/one.mp3"),
        redirect(",a=ffffffff-0000/nobody.example.net/two.mp3"),
    )
    drained = drain_intake(here)
    assert (drained.request_count, drained.unclaimed_count) == (4, 3)
    assert [row["path"] for row in landed(here, mine.user_id)] == ["/one.mp3", "/not-polled-yet.mp3"]
    assert [row["host"] for row in landed(here, theirs.user_id)] == ["theirs.example.net", "nobody.example.net"]
    assert load_unclaimed(here.settings.data_dir) == [
        UnclaimedAddress("redirect", "nobody.example.net/one.mp3", 2, now().date()),
        UnclaimedAddress("redirect", "nobody.example.net/two.mp3", 1, now().date()),
    ]
    (unmatched,) = load_unmatched(here, mine.user_id)
    assert (unmatched.path, unmatched.request_count) == ("/not-polled-yet.mp3", 1)


def make_hosted(store: Store, owner_id: UUID, host: str) -> None:
    """A show of the account whose episodes lie on the host."""
    show = make_listened_show(store, owner_id)
    with store.system() as connection:
        connection.execute(
            "update episodes set audio_key = replace(audio_key, 'cdn.example.org', %s) where podcast_id = %s",
            (host, show.podcast_id),
        )


class _Killed(BaseException):
    """What ends a drain in mid-work."""


@pytest.mark.parametrize("step", ["split", "landed", "counted"])
def test_a_drain_that_died_anywhere_is_finished_by_the_next_and_counts_nothing_twice(
    here: Store, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = make_account(here), make_account(here)
    for owner, host in ((mine, f"{step}-mine.example.net"), (theirs, f"{step}-theirs.example.net")):
        make_hosted(here, owner.user_id, host)
        take_in(here, *(redirect(f"/{host}/{name}.mp3") for name in ("one", "two", "one")), redirect("/nobody.test/x"))
    names = {"split": "_land_folder", "landed": "_land_file", "counted": "_keep_unclaimed"}
    original = getattr(drain_module, names[step])

    def die(*given: object) -> None:
        if step != "split":
            original(*given)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(drain_module, names[step], die)
        with pytest.raises(_Killed):
            drain_intake(here)
    drain_intake(here)
    assert [len(landed(here, owner.user_id)) for owner in (mine, theirs)] == [3, 3]
    assert [row.count for row in load_unclaimed(here.settings.data_dir)] == [2]
    assert drain_intake(here).segment_count == 0


def test_without_a_database_everything_waits_on_the_disk(here: Store, account: User) -> None:
    make_listened_show(here, account.user_id)
    take_in(here, redirect(f",a={account.user_id}/cdn.example.org/one.mp3"))
    with _Away(here) as away, pytest.raises(DatabaseUnavailable):
        drain_intake(away)
    assert len(list((here.settings.data_dir / LOG_FOLDER).glob("*.ready"))) == 1
    drain_intake(here)
    assert len(landed(here, account.user_id)) == 1


class _Away:
    """The store, whose database cannot be reached."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Store:
        self._pool = ConnectionPool(
            "host=127.0.0.1 port=1 connect_timeout=1", min_size=0, max_size=1, timeout=1, open=True
        )
        return replace(self._store, _pool=self._pool)

    def __exit__(self, *_: object) -> None:
        self._pool.close()


def delivery(
    url: str, *events: Mapping[str, object], session: str = "s1", started_at: str | None = None, **more: object
) -> bytes:
    started = started_at or f"{now() - timedelta(minutes=30):%Y-%m-%dT%H:%M:00Z}"
    body = {"session": {"id": session, "started_at": started, "episode": {"url": url}} | more, "events": list(events)}
    head = f"POST /v1/events HTTP/1.1\r\nuser-agent: {AGENT}\r\n\r\n"
    return encode_record(EVENTS, time.time_ns() // 1000, b"198.51.100.7", head.encode() + json.dumps(body).encode())


def beacon(number: int, kind: str, position: float | None = None, **more: object) -> dict[str, object]:
    at = now().replace(second=0, microsecond=0) - timedelta(minutes=20) + timedelta(seconds=number)
    return {"id": str(number), "type": kind, "at": at.isoformat(), "position_seconds": position} | more


def heard(store: Store, owner_id: UUID) -> list[tuple[Any, ...]]:
    with store.account(owner_id) as connection:
        return connection.execute(
            "select event_type, session_id, listen_duration_seconds, completion_rate::float8, platform,"
            " ip_address::text from my_listener_events order by event_type, session_id"
        ).fetchall()


def test_a_session_bears_its_furthest_point_in_whatever_order_and_however_often_it_is_told(here: Store) -> None:
    owner = make_account(here).user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    url = f"https://{host}/one.mp3"
    begun = f"{now():%Y-%m-%dT00:00:00Z}"
    parts = [
        delivery(url, beacon(1, "progress", 900), beacon(2, "ad_progress", percent=50), started_at=begun),
        delivery(url, beacon(3, "start", 0), beacon(4, "ad_start", 30, ad_id="spot"), started_at=begun),
        delivery(url, beacon(5, "progress", 450), beacon(6, "skip", 450), started_at=begun),
    ]
    take_in(here, parts[0], parts[1], parts[1])
    drain_intake(here)
    take_in(here, parts[2], parts[0])
    take_in(here, parts[1])
    drain_intake(here)
    known = ("overcast", "198.51.100.0/24")
    assert heard(here, owner) == [
        ("ad_start", "s1", 30, None, *known),
        ("listen_start", "s1", 900, 900 / EPISODE_SECONDS, *known),
        ("skip", "s1", 450, None, *known),
    ]


def test_a_session_that_began_on_an_earlier_day_is_told_of_from_that_day_on(here: Store) -> None:
    # Its row is of the day on which it began, though all that was told happened later.
    owner = make_account(here).user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    begun, event = now().replace(microsecond=0) - timedelta(days=2), beacon(1, "progress", 60)
    take_in(here, delivery(f"https://{host}/one.mp3", event, started_at=begun.isoformat()))
    drain_intake(here)
    with here.account(owner) as connection:
        told = find_told_days(connection, owner)
    assert (told.first_on, told.last_on) == (begun.date(), datetime.fromisoformat(str(event["at"])).date())


def test_a_completed_episode_was_heard_to_its_end(here: Store) -> None:
    owner = make_account(here).user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    take_in(here, delivery(f"https://{host}/one.mp3", beacon(1, "complete"), session="whole"))
    drain_intake(here)
    assert [row[:4] for row in heard(here, owner)] == [
        ("listen_complete", "whole", None, None),
        ("listen_start", "whole", EPISODE_SECONDS, 1.0),
    ]


def test_how_far_people_listen_is_what_their_players_told(here: Store) -> None:
    # Three plays: one to the end, one that left at a quarter, one that told no place. 1 of 3 came to the end; those
    # that told how much was heard came to (1 + 0.25) / 2 of it on average.
    owner = make_account(here).user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    url = f"https://{host}/one.mp3"
    take_in(
        here,
        delivery(url, beacon(1, "start", 0), beacon(2, "complete"), session="whole"),
        delivery(url, beacon(1, "start", 0), beacon(2, "progress", EPISODE_SECONDS / 4), session="left"),
        delivery(url, beacon(1, "start"), session="silent"),
        delivery(url, beacon(2, "complete"), session="whole"),
    )
    drain_intake(here)
    day = now().date()
    with here.account(owner) as connection:
        found = compute_listen_through(connection, owner, Query(day - timedelta(days=1), day))
    told = [item for item in found if item.play_count]
    assert [(item.play_count, item.completed_count) for item in told] == [(3, 1)]
    assert told[0].listen_through_rate == pytest.approx(1 / 3)
    assert told[0].mean_completion_rate == pytest.approx(0.625)
    assert {item.reason for item in found if not item.play_count} == {"no_player_told"}


def test_a_clock_in_the_future_is_refused_with_its_reason_and_an_unknown_episode_is_counted(here: Store) -> None:
    owner = make_account(here).user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    future = beacon(2, "skip", 5) | {"at": "2199-01-01T00:00:00Z"}
    ancient = beacon(3, "skip", 5) | {"at": "1970-01-01T00:00:00Z"}
    take_in(
        here,
        delivery(f"https://{host}/one.mp3", beacon(1, "start", 0), future, ancient),
        delivery("https://nobody.test/x.mp3", beacon(1, "start", 0), beacon(2, "skip", 1)),
    )
    drained = drain_intake(here)
    assert (drained.event_count, drained.unclaimed_count) == (1, 2)
    with here.account(owner) as connection:
        (batch,) = load_batches(connection, owner)
        reasons = sorted(row.reason for row in load_quarantine(connection, owner))
    assert (batch.kind, batch.received_count, batch.accepted_count, batch.refused_count) == ("player_events", 3, 1, 2)
    assert reasons == ["past_retention", "time_in_future"]


def test_whoever_asks_for_privacy_is_no_household(here: Store) -> None:
    owner = make_account(here).user_id
    host = f"{owner.hex}.example.net"
    make_hosted(here, owner, host)
    record = delivery(f"https://{host}/one.mp3", beacon(1, "start", 0))
    text = record[record.index(b"POST") :].replace(b"user-agent", b"sec-gpc: 1\r\nuser-agent")
    take_in(here, encode_record(EVENTS, time.time_ns() // 1000, b"198.51.100.7", text))
    drain_intake(here)
    with here.account(owner) as connection:
        rows = connection.execute("select listener_key, ip_address, user_agent from my_listener_events").fetchall()
    assert rows == [(None, None, None)]


def test_two_drains_at_once_land_each_record_once(here: Store, account: User) -> None:
    make_listened_show(here, account.user_id)
    for number in range(6):
        take_in(here, *(redirect(f",a={account.user_id}/cdn.example.org/{number}-{one}.mp3") for one in range(20)))
    with ThreadPoolExecutor(4) as pool:
        drained = [done.result() for done in [pool.submit(drain_intake, here) for _ in range(8)]]
    assert sum(one.request_count for one in drained) == 120
    paths = [row["path"] for row in landed(here, account.user_id)]
    assert (len(paths), len(set(paths))) == (120, 120)


def test_a_redirect_counts_once_in_prefix_mode(here: Store, account: User) -> None:
    make_listened_show(here, account.user_id)
    one = f",a={account.user_id}/cdn.example.org/one.mp3"
    take_in(here, redirect(one), redirect(one), redirect(one, method="HEAD"))
    drain_intake(here)
    result = measure(here, account.user_id)
    assert {(row.verdict, row.reason): row.request_count for row in result.waterfall} == {
        ("dropped", "method"): 1,
        ("counted", "prefix"): 1,
        ("duplicate", "same_window"): 1,
    }
