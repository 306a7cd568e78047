"""Downloads in the binary form of COPY are what PostgreSQL makes of the same values in text."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from castline.store.pool import Store
from make import make_account, make_id
from make_listening import Download, judged_of, make_listened, save_judged

pytestmark = pytest.mark.store
MONDAY = datetime(2026, 3, 23, tzinfo=UTC)
ADDRESSES = (
    "192.0.2.0/24",
    "0.0.0.0/24",
    "255.255.255.0/24",
    "10.0.0.7/32",
    "192.0.2.7",
    "255.255.255.255",
    "2001:db8:1::/48",
    "2001:db8::/48",
    "2a01::/48",
    "::/48",
    "ffff:ffff:ffff::/48",
    "2001:db8:1:2::/64",
    "2001:db8::7",
    "64:ff9b::192.0.2.33",
    None,
)


def test_addresses_and_networks_of_every_kind_are_stored_as_postgresql_reads_them(store: Store) -> None:
    owner_id = make_account(store).user_id
    podcast_id, [episode_id] = make_listened(store, owner_id, "One", [MONDAY])
    at = [MONDAY + timedelta(minutes=number) for number in range(len(ADDRESSES))]
    judged = judged_of([Download(time, episode_id, podcast_id) for time in at])
    save_judged(store, owner_id, replace(judged, downloads=judged.downloads.with_columns(ip=pl.Series(ADDRESSES))))
    with store.account(owner_id) as connection:
        stored = connection.execute("select ip_address::text from my_listener_events order by timestamp").fetchall()
        read = [connection.execute("select %s::inet::text", (text,)).fetchone() for text in ADDRESSES]
    assert stored == read


def test_every_column_of_a_download_is_stored_as_it_was_judged(store: Store) -> None:
    owner_id = make_account(store).user_id
    podcast_id, [first, second] = make_listened(store, owner_id, "One", [MONDAY, MONDAY])
    app = 'Gödel\\N\t"Esc"\N{HEADPHONE}'
    downloads = [
        Download(MONDAY + timedelta(seconds=1, microseconds=7), first, podcast_id, app=app, country=None),
        Download(MONDAY + timedelta(hours=23), second, podcast_id, listener=2, device="tv", source="prefix"),
    ]
    judged = judged_of(downloads)
    save_judged(store, owner_id, judged)
    with store.account(owner_id) as connection:
        rows = connection.execute(
            "select timestamp, podcast_id, episode_id, event_type, platform, country_code, device_type, device_os,"
            " user_agent, metadata, listener_key, campaign_id from my_listener_events order by timestamp"
        ).fetchall()
    told = [
        (app, None, "mobile", f"{app}/1.0 (mobile)", {"app": app}),
        ("Overcast", "SE", "tv", "Overcast/1.0 (tv)", {"app": "Overcast", "source": "prefix"}),
    ]
    keys = judged.downloads["listener_key"]
    assert rows == [
        (item.at, podcast_id, item.episode_id, "download", name, country, device, None, agent, metadata, key, None)
        for item, (name, country, device, agent, metadata), key in zip(downloads, told, keys, strict=True)
    ]


def test_more_rows_than_a_slice_are_all_stored_with_ids_of_their_own(store: Store) -> None:
    owner_id = make_account(store).user_id
    podcast_id, [episode_id] = make_listened(store, owner_id, "One", [MONDAY])
    one = judged_of([Download(MONDAY, episode_id, podcast_id)])
    keys = pl.Series([make_id(number).bytes for number in range(40_000)], dtype=pl.Binary)
    downloads = one.downloads[[0] * len(keys)].with_columns(listener_key=keys)
    save_judged(store, owner_id, replace(one, downloads=downloads))
    with store.account(owner_id) as connection:
        found = connection.execute(
            "select count(*), count(distinct event_id), count(distinct listener_key) from my_listener_events"
        ).fetchone()
    assert found == (40_000, 40_000, 40_000)
