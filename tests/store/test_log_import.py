"""A log goes into the landing zone and becomes downloads; the same input twice changes nothing."""

import gzip
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest

from castline.base.clock import now
from castline.base.period import Period
from castline.ingest.logs.landing import import_log
from castline.measure.figures.query import run_query
from castline.measure.run import load_unmatched, measure
from castline.model.account import User
from castline.model.listening import VerdictCount
from castline.model.query import AnswerRow, Query
from castline.sources.logs.reading import NotAnAccessLog
from castline.store.landing.files import LandingFileMissing
from castline.store.listening.downloads import load_dirty_days, load_refused, load_waterfall
from castline.store.pool import Store
from castline.store.provenance.ledger import load_batches, load_quarantine, load_runs
from make import make_account
from make_logs import MINUTE_BYTES, MONDAY, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
DAY = MONDAY.date()
WEEK = Period.of_days(DAY, DAY + timedelta(days=6))
DAILY = Query(DAY, DAY + timedelta(days=6), grain="day")

LINES: list[Line | str] = [
    Line(),
    Line(after=60),
    Line(after=70, address="198.51.100.8", status=206, sent=MINUTE_BYTES - 1),
    Line(after=80, address="2001:db8:1:2::3"),
    Line(after=90, address="2001:db8:1:2:ffff::4"),
    Line(after=100, address="198.51.100.9", method="HEAD", sent=0),
    Line(after=110, agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    Line(after=120, agent="-"),
    Line(after=130, status=404, sent=10),
    Line(after=140, path="/robots.txt", sent=10),
    Line(after=150, status=206, sent=2, range="bytes=0-1"),
    Line(after=160, agent="atc/1.0 watchOS/6.2 model/Watch3,3 hwp/t8004 build/17T529 (6; dt:155)"),
    Line(after=86_399, path="/two.mp3"),
    Line(after=86_400, path="/two.mp3"),
    "198.51.100.77 is no line of a log",
]
JUDGED = {
    ("counted", "one_minute"): 4,
    ("duplicate", "same_window"): 2,
    ("partial", "under_one_minute"): 1,
    ("dropped", "method"): 1,
    ("dropped", "bot"): 1,
    ("dropped", "empty_agent"): 1,
    ("dropped", "status"): 1,
    ("dropped", "no_episode"): 1,
    ("dropped", "two_byte_probe"): 1,
    ("dropped", "watch_duplicate"): 1,
}


_MEASURED = {
    "my_listener_events": "event_id, timestamp, episode_id, platform, country_code, device_type, device_os,"
    " user_agent, ip_address, metadata, listener_key",
    "my_hourly_metrics": "hour_at, metric, dimension, member, value",
    "my_daily_metrics": "day_on, metric, dimension, member, value",
    "request_verdicts": "day_on, batch_id, episode_id, verdict, reason, request_count",
}


def _rows(store: Store, owner_id: UUID) -> list[tuple[object, ...]]:
    """Everything measured of the account but the runs that did it."""
    with store.ingest(owner_id) as connection:
        found: list[tuple[object, ...]] = []
        for view, columns in _MEASURED.items():
            found += connection.execute(f"select '{view}', {columns} from {view} order by {columns}").fetchall()
    return found


def _judged(rows: list[VerdictCount]) -> dict[tuple[str, str], int]:
    return {(row.verdict, row.reason): row.request_count for row in rows}


def test_every_line_ends_somewhere_and_the_counts_sum(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    done = import_log(store, account.user_id, write_log(tmp_path / "access.log", LINES))
    assert (done.received_count, done.landed_count, done.refused_count) == (15, 14, 1)
    assert done.refused_by_reason == {"malformed_line": 1}
    assert done.days == (DAY, DAY + timedelta(days=1))
    result = measure(store, account.user_id)
    assert (result.request_count, result.download_count) == (14, 4)
    assert _judged(list(result.waterfall)) == JUDGED
    with store.account(account.user_id) as connection:
        assert _judged(load_waterfall(connection, account.user_id)) == JUDGED
        assert load_refused(connection, account.user_id) == [VerdictCount("dropped", "malformed_line", 1)]
        assert load_dirty_days(connection, account.user_id) == []


def test_downloads_are_rolled_up_by_day_and_dimension(store: Store, account: User, tmp_path: Path) -> None:
    podcast = make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", LINES))
    measure(store, account.user_id)
    with store.account(account.user_id) as connection:
        total = run_query(connection, account.user_id, replace(DAILY, dimensions=("show",))).rows
        apps = run_query(connection, account.user_id, replace(DAILY, dimensions=("app",))).rows
        consumers = run_query(
            connection, account.user_id, replace(DAILY, measure="consumers", dimensions=("show",))
        ).rows
        hours = connection.execute(
            "select hour_at, value from my_hourly_metrics where dimension = 'total' order by hour_at"
        ).fetchall()
    show, next_day = str(podcast.podcast_id), MONDAY + timedelta(days=1)
    assert total == (AnswerRow(MONDAY, (show,), 3), AnswerRow(next_day, (show,), 1))
    assert apps == (AnswerRow(MONDAY, ("Overcast",), 3), AnswerRow(next_day, ("Overcast",), 1))
    assert [row.value for row in consumers] == [2, 1]
    assert hours == [(MONDAY, 2), (MONDAY + timedelta(hours=23), 1), (MONDAY + timedelta(days=1), 1)]


def test_an_event_says_where_when_and_with_what_without_the_address(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", [Line(address="73.32.0.9")]))
    measure(store, account.user_id)
    with store.account(account.user_id) as connection:
        rows = connection.execute(
            "select timestamp, event_type, platform, country_code, device_type, device_os, host(network(ip_address)),"
            " masklen(ip_address), metadata, length(listener_key), uuid_extract_version(event_id)"
            " from my_listener_events"
        ).fetchall()
    expected = (MONDAY, "download", "overcast", "US", "mobile", "ios", "73.32.0.0", 24, {"app": "Overcast"}, 16, 8)
    assert rows == [expected]


def test_the_same_file_twice_changes_nothing(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    plain = write_log(tmp_path / "access.log", LINES)
    zipped = write_log(tmp_path / "access.log.gz", LINES)
    first = import_log(store, account.user_id, plain)
    measure(store, account.user_id)
    before = _rows(store, account.user_id)
    for again in (plain, zipped):
        second = import_log(store, account.user_id, again)
        assert not second.is_new
        assert second.batch_id == first.batch_id
    assert measure(store, account.user_id).days == ()
    assert _rows(store, account.user_id) == before
    with store.account(account.user_id) as connection:
        assert len(load_batches(connection, account.user_id)) == 1
        assert len(load_quarantine(connection, account.user_id)) == 1


def test_measuring_again_gives_the_same_rows(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "access.log", LINES))
    measure(store, account.user_id)
    before = _rows(store, account.user_id)
    assert measure(store, account.user_id, period=WEEK).download_count == 4
    assert _rows(store, account.user_id) == before


def test_a_log_that_comes_late_moves_the_window_it_belongs_to(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "b.log", [Line(after=500), Line(after=90_000)]))
    measure(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "a.log", [Line(after=100)]))
    assert measure(store, account.user_id).days == (DAY,)
    with store.account(account.user_id) as connection:
        times = connection.execute("select timestamp from my_listener_events order by 1").fetchall()
        assert times == [(MONDAY + timedelta(seconds=100),), (MONDAY + timedelta(seconds=90_000),)]
        assert _judged(load_waterfall(connection, account.user_id)) == {
            ("counted", "one_minute"): 2,
            ("duplicate", "same_window"): 1,
        }


def test_logs_in_any_order_and_cut_anywhere_give_the_same_downloads(
    store: Store, tmp_path: Path, account: User
) -> None:
    other = make_account(store)
    for user in (account, other):
        make_listened_show(store, user.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "all.log", LINES))
    for number, part in enumerate((LINES[9:], LINES[:4], LINES[4:9])):
        import_log(store, other.user_id, write_log(tmp_path / f"{number}.log", part))
        measure(store, other.user_id)
    measure(store, account.user_id)
    query = "select timestamp, platform, country_code, ip_address, user_agent from my_listener_events order by 1, 5, 4"
    found = []
    for user in (account, other):
        with store.account(user.user_id) as connection:
            found.append(connection.execute(query).fetchall())
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_no_whole_address_is_kept_anywhere(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    lines: list[Line | str] = [Line(address="203.0.113.45"), Line(address="2001:db8:77:88::99"), "x 203.0.113.45:80 y"]
    import_log(store, account.user_id, write_log(tmp_path / "access.log", lines))
    measure(store, account.user_id)
    with store.account(account.user_id) as connection:
        (refused,) = load_quarantine(connection, account.user_id)
    assert refused.payload == "x 203.0.113.0/24:80 y"
    folder = store.settings.landing_dir / "requests" / str(account.user_id)
    landed = pl.read_parquet(folder / "**" / "*.parquet", hive_partitioning=False)
    assert sorted(landed["ip"].to_list()) == ["2001:db8:77::/48", "203.0.113.0/24"]
    assert "203.0.113.45" not in str(_rows(store, account.user_id))


def test_what_a_crash_left_behind_is_not_counted(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    import_log(store, account.user_id, write_log(tmp_path / "a.log", [Line()]))
    folder = store.settings.landing_dir / "requests" / str(account.user_id) / "access_log" / str(DAY)
    (landed,) = folder.glob("*.parquet")
    (folder / f"{UUID(int=5)}-00000.parquet").write_bytes(landed.read_bytes())
    assert measure(store, account.user_id).request_count == 1


def test_a_day_whose_requests_have_passed_retention_stays_as_it_was_counted(
    store: Store, account: User, tmp_path: Path
) -> None:
    make_listened_show(store, account.user_id)
    old = '198.51.100.7 - - [02/Jan/2020:00:00:09 +0000] "GET /one.mp3 HTTP/1.1" 200 28800000 "-" "Overcast/3.0"'
    import_log(store, account.user_id, write_log(tmp_path / "a.log", [old]))
    measure(store, account.user_id)
    before = _rows(store, account.user_id)
    folder = store.settings.landing_dir / "requests" / str(account.user_id) / "access_log" / "2020-01-02"
    (landed,) = folder.glob("*.parquet")
    landed.unlink()
    import_log(store, account.user_id, write_log(tmp_path / "b.log", [old.replace("100.7", "100.8")]))
    result = measure(store, account.user_id)
    assert (result.days, result.skipped_days) == ((), (date(2020, 1, 2),))
    assert measure(store, account.user_id).skipped_days == ()
    assert _rows(store, account.user_id) == before


def test_landed_requests_that_are_lost_are_told(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    recent = Line(after=(now() - MONDAY - timedelta(days=2)).total_seconds())
    import_log(store, account.user_id, write_log(tmp_path / "a.log", [recent]))
    (landed,) = (store.settings.landing_dir / "requests" / str(account.user_id)).rglob("*.parquet")
    landed.unlink()
    with pytest.raises(LandingFileMissing, match=landed.name):
        measure(store, account.user_id)


def test_a_file_that_is_no_log_leaves_nothing(store: Store, account: User, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}\n')
    with pytest.raises(NotAnAccessLog, match=r"line 1: '\{\"a\": 1\}'"):
        import_log(store, account.user_id, path)
    with store.account(account.user_id) as connection:
        assert load_batches(connection, account.user_id) == []
        assert load_runs(connection, account.user_id) == []
    assert list((store.settings.landing_dir / "requests" / str(account.user_id)).rglob("*.parquet")) == []


def test_a_damaged_gzip_gives_what_can_be_read(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    path = tmp_path / "access.log.gz"
    lines = [Line(after=number, address=f"198.51.100.{number % 250}") for number in range(5_000)]
    whole = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    path.write_bytes(whole[: len(whole) // 2])
    done = import_log(store, account.user_id, path)
    assert done.problem is not None
    assert f"byte {len(whole) // 2:,}" in done.problem
    assert 1_000 < done.landed_count < 5_000
    assert done.refused_count <= 1


def test_what_belongs_to_no_episode_is_listed(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    lines = [Line(path="/three.mp3?x=1"), Line(path="/three.mp3"), Line(path="/favicon.ico"), Line()]
    import_log(store, account.user_id, write_log(tmp_path / "a.log", lines), host="CDN.example.org")
    found = load_unmatched(store, account.user_id)
    assert [(item.host, item.path, item.request_count) for item in found] == [
        ("cdn.example.org", "/three.mp3", 2),
        ("cdn.example.org", "/favicon.ico", 1),
    ]


def test_a_stray_day_of_1970_makes_two_partitions_and_no_more(store: Store, account: User, tmp_path: Path) -> None:
    make_listened_show(store, account.user_id)
    old = '198.51.100.7 - - [01/Jan/1970:00:00:09 +0000] "GET /one.mp3 HTTP/1.1" 200 28800000 "-" "Overcast/3.0"'
    import_log(store, account.user_id, write_log(tmp_path / "a.log", [old, Line()]))
    assert measure(store, account.user_id).download_count == 2
    with store.account(account.user_id) as connection:
        days = connection.execute("select distinct day_on from my_daily_metrics order by day_on").fetchall()
    assert days == [(date(1970, 1, 1),), (DAY,)]


def test_another_account_sees_nothing_of_it(store: Store, account: User, tmp_path: Path) -> None:
    other = make_account(store)
    make_listened_show(store, account.user_id)
    path = write_log(tmp_path / "a.log", [Line()])
    import_log(store, account.user_id, path)
    measure(store, account.user_id)
    assert measure(store, other.user_id).days == ()
    assert load_unmatched(store, other.user_id) == []
    assert import_log(store, other.user_id, path).is_new
