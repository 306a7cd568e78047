"""Times whose text names no zone are those of a clock in the zone that is told for them; others stay as they are."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from castline.sources.logs.reading import ReadAs
from castline.sources.logs.table import LOG_FORMATS, find_format
from read_log import MIDNIGHT, Read

ASKED = '"GET /one.mp3 HTTP/1.1" 200 7'
BARE = {"haproxy"}  # formats whose times name no zone and are not UTC by their standard


@pytest.mark.parametrize("name", [log_format.name for log_format in LOG_FORMATS])
def test_only_times_without_a_zone_are_moved(name: str, tmp_path: Path) -> None:
    (row,) = Read(tmp_path / "x.log", find_format(name).example, ReadAs(zone="America/New_York")).rows
    told = row["time"]
    assert isinstance(told, datetime)
    expected = datetime(2026, 9, 7, 4, tzinfo=UTC) if name in BARE else MIDNIGHT
    assert told.replace(microsecond=0) == expected


def test_the_utc_of_the_w3c_is_moved_only_where_its_format_is_named(tmp_path: Path) -> None:
    w3c, zone = find_format("w3c"), "America/New_York"
    (found,) = Read(tmp_path / "x.log", w3c.example, ReadAs(zone=zone)).rows
    (named,) = Read(tmp_path / "x.log", w3c.example, ReadAs(w3c, zone=zone)).rows
    # Four hours behind UTC in summer.
    assert (found["time"], named["time"]) == (MIDNIGHT, MIDNIGHT + timedelta(hours=4))


def test_each_format_of_a_log_that_was_changed_has_the_clock_that_is_its_own(tmp_path: Path) -> None:
    content = "\n".join(find_format(name).example for name in ("haproxy", "w3c"))
    requests = Read(tmp_path / "x.log", content, ReadAs(zone="America/New_York")).requests
    assert requests["time"].dt.truncate("1s").to_list() == [MIDNIGHT + timedelta(hours=4), MIDNIGHT]


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        # Summer time: two hours ahead.
        ("2026-09-07T02:00:00", "Europe/Berlin", "2026-09-07 00:00:00+00:00"),
        ("2026-09-07 02:00:00,250", "Europe/Berlin", "2026-09-07 00:00:00.250000+00:00"),
        ("07/Sep/2026:02:00:00", "Europe/Berlin", "2026-09-07 00:00:00+00:00"),
        ("2026-09-07T02:00:00+02:00", "Asia/Tokyo", "2026-09-07 00:00:00+00:00"),
        ("2026-09-07T00:00:00Z", "Asia/Tokyo", "2026-09-07 00:00:00+00:00"),
        ("1788739200", "Asia/Tokyo", "2026-09-07 00:00:00+00:00"),
        # The clock shows 02:30 twice on 25 October 2026, first two hours ahead; a half hour zone; the same in UTC.
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25 00:30:00+00:00"),
        ("2026-09-07T05:30:00", "Asia/Kolkata", "2026-09-07 00:00:00+00:00"),
        ("2026-09-07T00:00:00", "UTC", "2026-09-07 00:00:00+00:00"),
    ],
)
def test_a_clock_is_read_in_its_zone(text: str, zone: str, expected: str, tmp_path: Path) -> None:
    line = json.dumps(json.loads(find_format("json").example) | {"time_iso8601": text})
    (row,) = Read(tmp_path / "x.log", line, ReadAs(zone=zone)).rows
    assert str(row["time"]) == expected


def test_an_hour_that_a_clock_skips_is_no_time(tmp_path: Path) -> None:
    line = json.dumps(json.loads(find_format("json").example) | {"time_iso8601": "2026-03-29T02:30:00"})
    assert Read(tmp_path / "x.log", line, ReadAs(zone="Europe/Berlin")).refused == [(1, "bad_time")]
    assert Read(tmp_path / "x.log", line).refused == []


@pytest.mark.parametrize(
    ("written", "line", "zone", "expected"),
    [
        ('%h %t %{usec_frac}t "%r" %>s %b', "[07/Sep/2026:02:00:00 +0200] 123456", "UTC", "00:00:00.123456"),
        ('%h %t.%{msec_frac}t "%r" %>s %b', "[07/Sep/2026:02:00:00 +0200].007", "UTC", "00:00:00.007000"),
        ('%h %{sec}t.%{msec_frac}t "%r" %>s %b', "1788739200.250", "UTC", "00:00:00.250000"),
        ('%h %{%FT%T}t.%{usec_frac}t%{%z}t "%r" %>s %b', "2026-09-07T02:00:00.000250+0200", "UTC", "00:00:00.000250"),
        ('%h %{%F %T}t.%{msec_frac}t "%r" %>s %b', "2026-09-07 02:00:00.250", "Europe/Berlin", "00:00:00.250000"),
        ('%h %{%F %T}t "%r" %>s %b', "2026-09-07 02:00:00", "Europe/Berlin", "00:00:00"),
        ('%h %{%s}t.%{msec_frac}t "%r" %>s %b', "1788739200.250", "Asia/Tokyo", "00:00:00.250000"),
    ],
)
def test_an_apache_format_tells_fractions_and_clocks_without_a_zone(
    written: str, line: str, zone: str, expected: str, tmp_path: Path
) -> None:
    read = Read(tmp_path / "x.log", f"203.0.113.9 {line} {ASKED}", ReadAs(find_format(f"apache:{written}"), zone=zone))
    assert [str(row["time"]) for row in read.rows] == [f"2026-09-07 {expected}+00:00"]
