"""Whatever strangers put into texts, numbers and times that the intake takes is landed or refused, and never waits."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from castline.base.clock import now
from castline.ingest.segment_log import PIXEL, REQUEST, encode_record
from castline.intake.beacon import parse_deliveries
from castline.intake.drain import Drained, drain_intake
from castline.intake.trouble import load_waiting
from castline.measure.run import measure
from castline.model.account import User
from castline.sources.conversions.pixel_hit import PixelHit
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine
from make import make_account
from store.test_intake_drain import beacon, delivery, heard, landed, make_hosted, redirect, take_in
from web.test_pixel import make_campaign

pytestmark = pytest.mark.store
TEXTS = (
    "\x01\x1b[31m", "\x7f\x85\u2028", "'; drop table listener_events; --", '"\\{}', "%00%0a%s%(x)s",
    "=cmd|' /C calc'!A0", "\u202egnp.mp3", "\ufffe\uffff", "🎧" * 60, "e\u0301" * 100, "null", "NaN", " ", "\t\r\n",
    "../../etc/passwd", "<script>",
)  # fmt: skip
ADDRESSES = (
    "http://[::1",
    "http://a:99999999/x",
    "//a:b/x",
    "http://\u2100.example/x",
    "x" * 4096,
    "http://%zz/%",
    "?",
)


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Store:
    """The store over a data folder of this test alone."""
    return replace(store, settings=replace(store.settings, data_dir=tmp_path, secret_key="k" * 32))


def drained_of(store: Store, *records: bytes) -> Drained:
    take_in(store, *records)
    drained = drain_intake(store)
    assert load_waiting(store.settings.data_dir) == []
    assert drained.failed_count == 0
    return drained


def acknowledged(record: bytes) -> bytes:
    """The record of an event, which the intake would have taken."""
    parse_deliveries(record[record.index(b"\r\n\r\n") + 4 :])
    return record


def test_players_texts_are_landed_as_they_came(here: Store) -> None:
    owner_id = make_account(here).user_id
    make_account(here)
    host = f"{owner_id.hex}.example.net"
    make_hosted(here, owner_id, host)
    told = [
        delivery(f"https://{host}/one.mp3", beacon(1, "skip", 5, ad_id=text) | {"id": text}, session=text)
        for text in TEXTS
    ]
    strange = [delivery(address, beacon(1, "skip", 5)) for address in ADDRESSES]
    drained = drained_of(here, *map(acknowledged, told + strange))
    assert (drained.event_count, drained.unclaimed_count) == (len(TEXTS), len(ADDRESSES))
    assert {row[1] for row in heard(here, owner_id) if row[0] == "skip"} == set(TEXTS)


def test_players_numbers_and_times_are_landed_or_refused(here: Store) -> None:
    owner_id = make_account(here).user_id
    host = f"{owner_id.hex}.example.net"
    make_hosted(here, owner_id, host)
    url = f"https://{host}/one.mp3"
    at = now() - timedelta(minutes=5)
    good = [
        beacon(1, "progress", 1_000_000), beacon(2, "progress", 0), beacon(3, "progress", 1e-300),
        beacon(4, "skip") | {"at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.123456789Z"},
        beacon(5, "skip") | {"at": (at + timedelta(hours=14)).strftime("%Y-%m-%dT%H:%M:%S+14:00")},
        # The quarters of an ad, told twice and in no order.
        *(beacon(10 + percent, "ad_progress", percent=percent, ad_id="spot") for percent in (75, 25, 50, 25, 75)),
        beacon(6, "ad_complete", 60, ad_id="spot"), beacon(7, "ad_start", 30, ad_id="spot"),
        beacon(6, "ad_complete", 60, ad_id="spot"),
    ]  # fmt: skip
    bad = [
        beacon(8, "skip") | {"at": text}
        for text in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z")
    ]
    drained = drained_of(here, acknowledged(delivery(url, *good)), acknowledged(delivery(url, *bad, session="late")))
    assert drained.event_count == len(good)
    assert [row[0] for row in heard(here, owner_id)] == ["ad_complete", "ad_start", "listen_start", "skip", "skip"]
    (session,) = [row for row in heard(here, owner_id) if row[0] == "listen_start"]
    assert session[2:4] == (1_000_000, 1.0)


def test_redirects_of_strange_names_and_headers_are_landed_and_measured(here: Store, account: User) -> None:
    make_account(here)
    host = f"{account.user_id.hex}.example.net"
    make_hosted(here, account.user_id, host)
    rests = [
        f"/{host}/{name}" for name in ("%00.mp3", "%0d%0a", "%", "%zz", "a//b", "../x", "?", "~" * 4000, "#x", "x;y=z")
    ]
    rests += [
        f",pg=%00,a=%ff/{host}/one.mp3",
        f",a={account.user_id},{'x' * 2000}/{host}/one.mp3",
        ",/nobody.example/x",
    ]
    agents = [
        asked(host, address, agent)
        for address, agent in (
            (b"::ffff:198.51.100.7", b"\xff\xfe\xfd"), (b"2001:db8::1", b"\t\t"), (b"198.51.100.9", b"'; select 1;"),
            (b"fe80::1%eth0", b'"\\"'), (b"unknown", b"=1+1"), (b"", b"<script>"), (b"999.1.1.1", b"{}"),
            (b"_hidden", b"x" * 8000),
        )
    ]  # fmt: skip
    drained = drained_of(here, *map(redirect, rests), *agents)
    with here.account(account.user_id) as connection:
        (batch,) = load_batches(connection, account.user_id)
        reasons = {row.reason for row in load_quarantine(connection, account.user_id)}
    assert batch.received_count + drained.unclaimed_count == len(rests) + len(agents)
    assert (batch.accepted_count, drained.unclaimed_count) == (drained.request_count, 1)
    assert drained.request_count >= len(rests) - 1 + 3
    assert reasons == {"bad_address"}
    assert sum(row.request_count for row in measure(here, account.user_id).waterfall) == len(
        landed(here, account.user_id)
    )


def test_pixels_parameters_become_conversions_or_wait_in_quarantine(here: Store, account: User) -> None:
    campaign = make_campaign(here, account)
    texts = (*TEXTS, "a\0b", "\ud7ff", "1e400", "-1", "9" * 400)
    hits = [
        hit(campaign.campaign_id, name, text)
        for text in texts
        for name in ("order_id", "value", "dl", "at", "strange", text)
    ]
    drained = drained_of(here, *hits, hit(uuid4(), "order_id", "1"))
    assert (drained.hit_count, drained.unclaimed_count) == (len(hits), 1)


def asked(host: str, address: bytes, agent: bytes) -> bytes:
    text = b"GET /e/%b/one.mp3 HTTP/1.1\r\nhost: pod.example\r\nuser-agent: %b\r\n\r\n" % (host.encode(), agent)
    return encode_record(REQUEST, time.time_ns() // 1000, address, text)


def hit(campaign_id: UUID, name: str, text: str) -> bytes:
    told = PixelHit(
        hit_id=uuid4(),
        campaign_id=campaign_id,
        occurred_at=datetime.now(UTC),
        parameters={name: text},
        address=text,
        user_agent=text,
        referrer=text,
        asked_for_privacy=False,
    )
    return encode_record(PIXEL, time.time_ns() // 1000, b"", msgspec.json.encode(told))
