"""Every row of the table of log formats keeps one contract; samples are written from the publishers' descriptions."""

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from castline.sources.logs.format import LogFormat
from castline.sources.logs.reading import NotAnAccessLog, ReadAs
from castline.sources.logs.table import LOG_FORMATS, find_format, try_recognise
from read_log import MIDNIGHT, Read

each_format = pytest.mark.parametrize("log_format", LOG_FORMATS, ids=lambda one: one.name)


def _line(log_format: LogFormat) -> str:
    return log_format.example.splitlines()[-1]


@each_format
def test_its_example_is_recognised_and_read(log_format: LogFormat, tmp_path: Path) -> None:
    read = Read(tmp_path / "x.log", f"{log_format.example}\n")
    assert read.file.format_name == log_format.name
    (row,) = read.rows
    assert isinstance(row["time"], datetime)
    assert (row["time"].replace(microsecond=0), row["path"], row["method"]) == (MIDNIGHT, "/one.mp3", "GET")
    assert str(row["user_agent"]).startswith("Overcast")
    assert (row["request_id"] is not None) is log_format.tells_request_id
    assert (row["bytes_sent"] is not None) is (log_format.tells_bytes != "no")
    assert read.refused == []


@each_format
def test_one_format_recognises_a_line_and_a_broken_one_in_front_does_not_matter(log_format: LogFormat) -> None:
    assert try_recognise(["\x16\x03\x01 rubbish", "", *log_format.example.splitlines()]) is log_format


@each_format
def test_broken_lines_are_refused_and_the_others_stay(log_format: LogFormat, tmp_path: Path) -> None:
    line = _line(log_format)
    head = log_format.example.splitlines()[:-1]
    broken = ["rubbish", line[: len(line) // 5], bytes(range(1, 10)).decode(), "\N{PILE OF POO}" * 20]
    lines = [*head, line, *broken, line]
    read = Read(tmp_path / "x.log", "\n".join(lines))
    first = len(head) + 1
    assert read.numbers == [first, first + 5]
    assert [number for number, _ in read.refused] == list(range(first + 1, first + 5))


@each_format
def test_a_clock_in_the_future_is_refused_by_that_reason(log_format: LogFormat, tmp_path: Path) -> None:
    example = log_format.example.replace("2026", "2036").replace("1788739200", "2104358400")
    read = Read(tmp_path / "x.log", example)
    assert [reason for _, reason in read.refused] == ["time_in_future"]


@each_format
def test_a_user_agent_of_ten_megabytes_is_cut_or_refused(log_format: LogFormat, tmp_path: Path) -> None:
    line = _line(log_format)
    long = line.replace("Overcast", "A" * 10_000_000)
    read = Read(tmp_path / "x.log", f"{log_format.example}\n{long}\n{line}")
    assert read.requests.height + len(read.refused) == 3
    assert max(len(agent) for agent in read.requests["user_agent"]) <= 4096


@each_format
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_line_is_landed_or_refused_wherever_bytes_are_injected(
    log_format: LogFormat, tmp_path: Path, data: st.DataObject
) -> None:
    line = _line(log_format).encode()
    head = [one.encode() for one in log_format.example.splitlines()[:-1]]
    hurt = data.draw(st.lists(_damaged(line), min_size=1, max_size=6))
    lines = [*head, line, *hurt, line]
    read = Read(tmp_path / "x.log", b"\n".join(lines), ReadAs(log_format))
    expected = sum(1 for one in [line, *hurt, line] if one not in {b"", b"\r"})
    assert read.requests.height + len(read.refused) == expected
    numbers = sorted([*read.numbers, *(number for number, _ in read.refused)])
    assert len(set(numbers)) == expected
    assert read.numbers[0] == len(head) + 1
    assert read.numbers[-1] == len(lines)


def _damaged(line: bytes) -> st.SearchStrategy[bytes]:
    junk = st.one_of(
        st.binary(max_size=8),
        st.sampled_from([b'"', b"\\", b"\t", b"|", b"{", b"}", b"[", b",", b" ", b"\0", b"\xff", b"%", b"\r", b"-"]),
    ).map(lambda found: found.replace(b"\n", b""))

    def hurt(parts: tuple[int, int, bytes]) -> bytes:
        place, gone, put = parts
        return line[:place] + put + line[place + gone :]

    return st.tuples(st.integers(0, len(line)), st.integers(0, 40), junk).map(hurt)


@each_format
def test_gzip_and_zstd_give_the_same_requests(log_format: LogFormat, tmp_path: Path) -> None:
    plain = f"{log_format.example}\n".encode() * 3
    wanted = Read(tmp_path / "a", plain, ReadAs(log_format))
    for packed in (gzip.compress(plain), _zstd(plain), gzip.compress(plain[:100]) + gzip.compress(plain[100:])):
        read = Read(tmp_path / "b", packed, ReadAs(log_format))
        assert read.rows == wanted.rows
        assert read.file.content_hash == wanted.file.content_hash
    assert wanted.requests.height == 3


def _zstd(content: bytes) -> bytes:
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no types

    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def test_concatenated_zstd_is_read_whole_and_a_cut_one_as_far_as_it_goes(tmp_path: Path) -> None:
    line = find_format("combined").example
    text = "".join(f"{line.replace('28800000', str(number * 7919))}\n" for number in range(100_000)).encode()
    whole = _zstd(text)
    assert Read(tmp_path / "a", whole + _zstd(text)).requests.height == 200_000
    cut = Read(tmp_path / "b", whole[: len(whole) // 2])
    assert 20_000 < cut.requests.height < 100_000
    assert cut.file.problem is not None
    assert cut.file.problem.startswith("the zstd data break before byte ")
    behind = Read(tmp_path / "c", whole + b"rubbish behind it")
    assert behind.requests.height > 99_000
    assert behind.file.problem is not None


def _strange() -> Iterator[bytes]:
    yield b"date,ip,url\n2026-09-07,203.0.113.9,/one.mp3\n"
    yield b'{"a": 1}\n'
    yield b"<html>\n"
    yield b'{"rows": 5}\n'
    yield b"[" * 100_000


@pytest.mark.parametrize("content", list(_strange()), ids=range(5))
def test_a_file_of_no_known_format_is_named_with_its_first_line_and_what_was_tried(
    content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(NotAnAccessLog) as caught:
        Read(tmp_path / "what", content)
    assert f"line 1: {content.splitlines()[0][:80].decode()!r}" in caught.value.message
    assert "tried: combined, cloudfront, cloudfront-json" in caught.value.message


def test_a_format_that_was_asked_for_and_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotAnAccessLog, match="tried: bunny"):
        Read(tmp_path / "x.log", find_format("combined").example, ReadAs(find_format("bunny")))
