"""Hostile access logs: every line becomes a request or is refused with its number, and nothing is lost or merged."""

import gzip
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.base.errors import SourceUnreadable
from castline.sources.logs.file import Lines, LogFile
from castline.sources.logs.reading import iter_requests, parse_lines
from castline.sources.logs.rows import LogBlock

NOW = datetime(2026, 11, 23, tzinfo=UTC)
HEAD = "203.0.113.9 - - [10/Oct/2026:13:55:36 +0000]"
GOOD = f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 2326 "-" "Overcast/3.0"'


def _parse(*lines: str | bytes) -> LogBlock:
    text = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    return parse_lines(Lines(1, text), now_at=NOW)


def _only(line: str | bytes) -> dict[str, object]:
    block = _parse(line)
    assert block.refused.is_empty()
    return block.requests.row(0, named=True)


def test_a_combined_line_has_all_its_fields() -> None:
    start = HEAD.replace("- -", "- frank").replace("+0000", "-0730")
    assert _only(f'{start} "GET /a.mp3?x=1 HTTP/1.1" 206 2326 "http://x/" "UA/1" "bytes=0-"') == {
        "line_number": 1,
        "time": datetime(2026, 10, 10, 21, 25, 36, tzinfo=UTC),
        "address": "203.0.113.9",
        "listener": None,
        "country": None,
        "host": None,
        "method": "GET",
        "path": "/a.mp3",
        "status": 206,
        "bytes_sent": 2326,
        "referer": "http://x/",
        "user_agent": "UA/1",
        "range": "bytes=0-",
        "request_id": None,
        "delivery": None,
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 -', {"bytes_sent": 0, "user_agent": ""}),
        (f'{HEAD} "GET /a.mp3" 200 5 "-" "-"', {"method": "GET", "path": "/a.mp3", "user_agent": "", "referer": None}),
        (f'{HEAD} "GET /a b.mp3 HTTP/1.1" 200 5 "-" "x"', {"path": "/a b.mp3"}),
        (
            f'{HEAD} "GET http://Cdn.Example:80/a.mp3 HTTP/1.1" 200 5 "-" "x"',
            {"host": "cdn.example:80", "path": "/a.mp3"},
        ),
        (f'{HEAD} "-" 408 0 "-" "-"', {"method": None, "path": None}),
        (f'{HEAD} "" 400 0 "-" "-"', {"method": None, "path": None}),
        (rf'{HEAD} "\x16\x03\x01\x02\x00" 400 157 "-" "-"', {"method": None, "path": None, "status": 400}),
        (f'{HEAD} "PROPFIND / HTTP/1.1" 405 5 "-" "x"', {"method": "PROPFIND"}),
        (rf'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "a \"b\" c"', {"user_agent": 'a "b" c'}),
        (rf'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "a \x22b\x22 \xD0\x9F"', {"user_agent": 'a "b" П'}),
        (rf'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "http://x/?q=\"y\"" "z"', {"referer": 'http://x/?q="y"'}),
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "a "b" c"', {"user_agent": 'a "b" c'}),
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 000 5 "-" "x"', {"status": 0}),
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "x" "9.9.9.9, 8.8.8.8" 0.003 "bytes=0-1"', {"range": "bytes=0-1"}),
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "x" a b c d e f g h "bytes=7-"', {"range": "bytes=7-"}),
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "x" ', {"user_agent": "x"}),
        (f"{GOOD}\r", {"user_agent": "Overcast/3.0"}),
        (f"www.Example.org:443 {GOOD}", {"host": "www.example.org:443", "address": "203.0.113.9"}),
        (GOOD.replace(" - - ", " - john q. doe "), {"address": "203.0.113.9", "path": "/a.mp3"}),
        (GOOD.replace("203.0.113.9", "2001:db8::1"), {"address": "2001:db8::1"}),
        (GOOD.replace("203.0.113.9", "::ffff:203.0.113.9"), {"address": "::ffff:203.0.113.9"}),
    ],
)
def test_an_odd_line_is_read_for_what_it_is(line: str, expected: dict[str, object]) -> None:
    found = _only(line)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("garbage", "malformed_line"),
        ("   ", "malformed_line"),
        (f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "cut', "malformed_line"),
        (GOOD.replace("203.0.113.9", "some-host"), "malformed_line"),
        (GOOD.replace("10/Oct/2026", "31/Feb/2026"), "bad_time"),
        (GOOD.replace("13:55:36", "25:00:00"), "bad_time"),
        (GOOD.replace("+0000", "+9900"), "bad_time"),
        (GOOD.replace("10/Oct/2026", "10/Oct/2036"), "time_in_future"),
    ],
)
def test_what_is_no_request_is_refused_and_the_rest_goes_on(line: str, reason: str) -> None:
    block = _parse(GOOD, line, GOOD)
    assert block.requests["line_number"].to_list() == [1, 3]
    assert block.refused.select("line_number", "reason", "payload").rows() == [(2, reason, line)]


def test_a_clock_a_little_ahead_is_taken() -> None:
    assert _only(GOOD.replace("10/Oct", "23/Nov"))["time"] == datetime(2026, 11, 23, 13, 55, 36, tzinfo=UTC)


def test_binary_rubbish_nul_and_broken_utf8_do_no_harm() -> None:
    block = _parse(GOOD, bytes(range(1, 10)) + bytes(range(11, 256)), GOOD.encode().replace(b"Overcast", b"O\0\xff"))
    assert block.requests["line_number"].to_list() == [1, 3]
    assert block.requests["user_agent"][1] == "O\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}/3.0"
    assert block.refused["line_number"].to_list() == [2]


def test_a_byte_order_mark_and_blank_lines_are_no_lines() -> None:
    block = _parse(b"\xef\xbb\xbf" + GOOD.encode(), "", GOOD, "")
    assert block.requests["line_number"].to_list() == [1, 3]
    assert block.line_count == 2


def test_a_user_agent_of_ten_megabytes_is_cut() -> None:
    agent = _only(f'{HEAD} "GET /a.mp3 HTTP/1.1" 200 5 "-" "{"A" * 10_000_000}"')["user_agent"]
    assert agent == "A" * 4096


_piece = st.one_of(
    st.sampled_from(
        [GOOD, f"www.example.org {GOOD}", HEAD, '"', '\\"', "[", "]", " ", "-", "\\x22", "GET /a HTTP/1.1"]
    ),
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=12),
)


@given(st.lists(st.lists(_piece, max_size=5).map("".join), max_size=12))
def test_every_line_is_accounted_for(lines: list[str]) -> None:
    block = _parse(*lines)
    expected = [number for number, line in enumerate(lines, start=1) if line.rstrip("\r")]
    expected = [number for number in expected if number > 1 or lines[0] != "\N{ZERO WIDTH NO-BREAK SPACE}"]
    found = block.requests["line_number"].to_list() + block.refused["line_number"].to_list()
    assert sorted(found) == expected


@given(st.lists(st.lists(_piece, max_size=5).map("".join), max_size=12), st.integers(64, 400))
def test_blocks_of_any_size_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "blocks.log"
    path.write_bytes("".join(f"{line}\n" for line in [GOOD, *lines]).encode())
    file = LogFile(path, block_bytes=max(size, *(len(line.encode()) + 2 for line in [GOOD, *lines])))
    found = [row for block in iter_requests(file, now_at=NOW) for row in block.requests.rows()]
    assert found == _parse(GOOD, *lines).requests.rows()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"ts": 1}\n', "line 1: '{\"ts\": 1}'"),
        (b"date,ip,url\n2026,1,2\n", "line 1: 'date,ip,url'"),
        (b"%PDF-1.7 ...", "line 1: it is a PDF"),
        (b"PK\x03\x04...", "line 1: it is a ZIP archive"),
        (b"BZh9...", "line 1: it is compressed with bzip2"),
        (b"\n\n<html>\n", "line 3: '<html>'"),
    ],
)
def test_a_file_that_is_no_access_log_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "what.log"
    path.write_bytes(content)
    with pytest.raises(SourceUnreadable) as caught:
        list(iter_requests(LogFile(path), now_at=NOW))
    assert said in caught.value.message
    assert str(path) in caught.value.message


def test_a_number_that_nothing_holds_makes_its_own_line_malformed_and_no_other(tmp_path: Path) -> None:
    good = '{"time_iso8601":"2026-10-10T13:55:36Z","remote_addr":"203.0.113.9","request_uri":"/a.mp3","status":"200"}'
    path = tmp_path / "numbers.json"
    path.write_text(f'{good}\n{{"status":1e999}}\n[{{"status":1e999}},\n{good}\n')
    (block,) = iter_requests(LogFile(path), now_at=NOW)
    assert block.requests["line_number"].to_list() == [1, 4]
    assert block.refused.select("line_number", "reason").rows() == [(2, "malformed_line"), (3, "malformed_line")]


def test_a_log_from_the_future_is_still_a_log(tmp_path: Path) -> None:
    path = tmp_path / "future.log"
    path.write_text(GOOD.replace("2026", "2040") + "\nrubbish\n")
    (block,) = iter_requests(LogFile(path), now_at=NOW)
    assert block.refused["reason"].to_list() == ["time_in_future", "malformed_line"]


def test_a_line_longer_than_a_block_is_refused_and_the_next_ones_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    path.write_text(f"{GOOD}\n{'x' * 20_000_000}\n{GOOD}\n")
    blocks = list(iter_requests(LogFile(path, block_bytes=5_000_000), now_at=NOW))
    assert [number for block in blocks for number in block.requests["line_number"]] == [1, 3]
    assert [row for block in blocks for row in block.refused.select("line_number", "reason").rows()] == [
        (2, "line_too_long")
    ]


def test_concatenated_gzip_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "two.log.gz"
    path.write_bytes(gzip.compress(f"{GOOD}\n".encode()) * 2 + bytes(512))
    file = LogFile(path)
    assert sum(block.line_count for block in iter_requests(file, now_at=NOW)) == 2
    assert file.problem is None


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_gzip_gives_what_came_before_and_says_where_it_broke(tmp_path: Path, damage: str) -> None:
    lines = [GOOD.replace("2326", str(number * 7919 % 100_003)) for number in range(20_000)]
    whole = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    middle = len(whole) // 2
    path = tmp_path / "damaged.log.gz"
    path.write_bytes(whole[:middle] if damage == "cut" else whole[:middle] + bytes(2_000) + whole[middle + 2_000 :])
    file = LogFile(path)
    blocks = list(iter_requests(file, now_at=NOW))
    read = sum(block.requests.height for block in blocks)
    assert 5_000 < read < 20_000
    assert file.problem is not None
    assert file.problem.startswith("the gzip data break at byte ")


def test_the_same_content_has_the_same_hash_however_it_is_packed(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.log", tmp_path / "a.log.gz"
    plain.write_text(f"{GOOD}\n")
    packed.write_bytes(gzip.compress(f"{GOOD}\n".encode()))
    files = [LogFile(path) for path in (plain, packed)]
    for file in files:
        list(iter_requests(file, now_at=NOW))
    assert files[0].content_hash == files[1].content_hash


def test_an_error_while_reading_reaches_the_reader(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="No such file"):
        list(iter_requests(LogFile(tmp_path / "none.log"), now_at=NOW))


def test_an_early_end_of_reading_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"{GOOD}\n" * 1_000)
    reading = LogFile(path, block_bytes=1_000).iter_lines()
    next(reading)
    reading.close()  # type: ignore[attr-defined]  # a generator
    assert "read-ahead" not in {thread.name for thread in threading.enumerate()}
