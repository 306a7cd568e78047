"""Logs that are combined up to the bytes, with the fields behind in an order of the operator's own."""

from pathlib import Path

import pytest

from castline.base.errors import InvalidInput
from castline.sources.logs.reading import ReadAs
from castline.sources.logs.table import find_format
from read_log import Read

_HEAD = '203.0.113.9 - - [07/Sep/2026:00:00:00 +0000] "GET /one.mp3 HTTP/1.1" 206 2'
_AGENT = '"CastBox/8.17.3 (Linux;Android 13)"'


@pytest.mark.parametrize(
    ("behind", "name"),
    [
        (f'"bytes=0-1" "https://alpha.org/a" {_AGENT}', "combined:3"),
        (f'{_AGENT} "https://alpha.org/a" "bytes=0-1"', "combined:1"),
        (f'"https://alpha.org/a" "cdn.alpha.org" {_AGENT} "bytes=0-1"', "combined:3"),
        (f'"HIT" "https://alpha.org/a" "bytes=0-1" TLSv1.3 {_AGENT} 0.012', "combined:5"),
        (f'"https://alpha.org/a" {_AGENT} "bytes=0-1" "nginx/1.2"', "combined"),
    ],
)
@pytest.mark.parametrize("host", ["", "cdn.alpha.org "])
def test_the_fields_behind_the_bytes_are_told_by_what_they_hold(
    host: str, behind: str, name: str, tmp_path: Path
) -> None:
    read = Read(tmp_path / "x.log", f"{host}{_HEAD} {behind}\n")
    assert read.file.format_name == name
    (row,) = read.rows
    told = (row["user_agent"], row["range"], row["referer"], row["status"], row["bytes_sent"], row["host"] or "")
    assert told == (_AGENT.strip('"'), "bytes=0-1", "https://alpha.org/a", 206, 2, host.strip())
    again = Read(tmp_path / "y.log", f"{host}{_HEAD} {behind}\n", ReadAs(find_format(name)))
    assert again.rows == [row]


def test_an_agent_without_a_version_keeps_its_place(tmp_path: Path) -> None:
    lines = [f'{_HEAD} "-" "Overcast"', f'{_HEAD} "-" "Podcasts/1.0"', f'{_HEAD} "-" "Castro" "nginx/1.2"']
    read = Read(tmp_path / "x.log", "\n".join(lines))
    assert [row["user_agent"] for row in read.rows] == ["Overcast", "Podcasts/1.0", "Castro"]


def test_a_field_that_few_lines_have_is_no_agent(tmp_path: Path) -> None:
    lines = [f'{_HEAD} "-" "-"'] * 3 + [f'{_HEAD} "-" "-" "nginx/1.2"']
    read = Read(tmp_path / "x.log", "\n".join(lines))
    assert read.file.format_name == "combined"
    assert read.file.problem is not None
    assert "no line tells a user agent" in read.file.problem


def test_quotes_within_the_agent_are_escaped(tmp_path: Path) -> None:
    line = rf'{_HEAD} "-" "-" "Over\"cast/3.0 \\ x" "203.0.113.7, 10.0.0.1"'
    read = Read(tmp_path / "x.log", line, ReadAs(find_format("combined:3"), trust_forwarded=True))
    (row,) = read.rows
    assert (row["user_agent"], row["referer"], row["range"]) == ('Over"cast/3.0 \\ x', None, None)
    assert row["address"] != "203.0.113.9"


def test_a_log_that_changes_its_order_is_read_on(tmp_path: Path) -> None:
    lines = [f'{_HEAD} "bytes=0-1" "-" {_AGENT}', f"{_HEAD} - rubbish", '{"a": 1}', f'{_HEAD} "-" "bytes=0-1" {_AGENT}']
    read = Read(tmp_path / "x.log", "\n".join(lines))
    assert [row["range"] for row in read.rows] == ["bytes=0-1", "bytes=0-1"]
    assert [number for number, _ in read.refused] == [2, 3]


@pytest.mark.parametrize("place", ["0", "13", "x", "", "02"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput, match="place behind the bytes"):
        find_format(f"combined:{place}")
