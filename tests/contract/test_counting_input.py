"""Counting a file of requests reads it plain, gzipped, with zstd or from a pipe, and accounts for every line."""

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from castline.measure.conformance import BASE
from run_castline import Castline

_REQUESTS: Final = [
    {"id": 1, "time": "2026-09-07T12:00:00Z", "range": "bytes=30000-59999", "status": 206, "bytes_sent": 30_000},
    {"id": 2, "time": "2026-09-07T11:00:00Z", "range": "bytes=0-29999", "status": 206, "bytes_sent": 30_000},
    {"id": 3, "time": "2026-09-07T13:00:00Z"},
    {"id": 4, "method": "HEAD"},
]
_TEXT: Final = "".join(json.dumps(BASE | request) + "\n" for request in _REQUESTS).encode()
_ENDS: Final = [
    (1, "counted", "one_minute"),
    (2, "partial", "under_one_minute"),
    (3, "duplicate", "same_window"),
    (4, "dropped", "method"),
]


@pytest.fixture
def castline(tmp_path: Path) -> Castline:
    return Castline(tmp_path / "data", {})


def _ends(out: str) -> list[tuple[Any, str, str]]:
    told = [json.loads(line) for line in out.splitlines()]
    return [(item["id"], item["verdict"], item["reason"]) for item in told]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_TEXT, id="plain"),
        pytest.param(gzip.compress(_TEXT), id="gzip"),
        pytest.param(gzip.compress(_TEXT[:300]) + gzip.compress(_TEXT[300:]), id="gzip of two members"),
        pytest.param(pa.compress(_TEXT, codec="zstd", asbytes=True), id="zstd"),
        pytest.param(b"\xef\xbb\xbf" + _TEXT.replace(b"\n", b"\r\n"), id="from Windows"),
        pytest.param(_TEXT.removesuffix(b"\n"), id="without the last line feed"),
        pytest.param(b"\n\n" + _TEXT.replace(b"\n", b"\n\n"), id="with blank lines"),
    ],
)
def test_a_file_and_a_pipe_tell_the_same_in_every_packing(content: bytes, castline: Castline, tmp_path: Path) -> None:
    source = tmp_path / "requests"
    source.write_bytes(content)
    of_file = castline("measure", "count", "--input", str(source), "--json")
    of_pipe = castline("measure", "count", "--json", given=content)
    assert (of_file.code, of_file.err, _ends(of_file.out)) == (0, "", _ENDS)
    assert (of_pipe.code, of_pipe.err, _ends(of_pipe.out)) == (0, "", _ENDS)


def test_nothing_in_is_nothing_out(castline: Castline) -> None:
    ended = castline("measure", "count", "--json", given=b"")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_a_packed_file_that_breaks_gives_what_came_before_and_ends_with_code_1(castline: Castline) -> None:
    whole = gzip.compress(_TEXT)
    ended = castline("measure", "count", "--json", given=whole[:-12])
    assert ended.code == 1
    assert "the gzip data break at byte" in ended.err
    assert _ends(ended.out)[3:] in ([], [(None, "dropped", "malformed_line")], _ENDS[3:])


def test_lines_that_cannot_be_read_are_told_with_their_number_and_stand_in_their_place(castline: Castline) -> None:
    text = b'no json\n\n{"id": 7, "time": "yesterday"}\n' + _TEXT
    ended = castline("measure", "count", "--json", given=text)
    assert ended.code == 0
    assert [line.split(":")[0:2] for line in ended.err.splitlines()] == [
        ["line 1", " malformed_line"],
        ["line 3", " bad_time"],
        ["2 lines cannot be judged"],
    ]
    assert _ends(ended.out) == [(None, "dropped", "malformed_line"), (7, "dropped", "bad_time"), *_ENDS]


def test_a_file_that_is_not_there_is_refused_with_code_1(castline: Castline, tmp_path: Path) -> None:
    ended = castline("measure", "count", "--input", str(tmp_path / "none"), "--json")
    assert (ended.code, ended.out) == (1, "")
    assert "cannot be read" in ended.err


def test_a_line_with_what_is_no_character_is_judged_under_its_id(castline: Castline) -> None:
    lines = [
        json.dumps(BASE | {"id": "7", "user_agent": "\ud800Overcast"}).encode(),
        json.dumps(BASE | {"id": "\udfff8", "episode": "\ud83d\ude00"}).encode(),
        json.dumps(BASE | {"id": 9, "episode": "raw", "user_agent": "Castro"})
        .encode()
        .replace(b"Castro", b"\xffCastro"),
    ]
    ended = castline("measure", "count", "--json", given=b"\n".join(lines))
    assert (ended.code, ended.err) == (0, "")
    assert _ends(ended.out) == [
        ("7", "counted", "one_minute"),
        ("\N{REPLACEMENT CHARACTER}8", "counted", "one_minute"),
        (9, "counted", "one_minute"),
    ]


def test_a_line_that_is_refused_keeps_its_id_where_it_is_json(castline: Castline) -> None:
    lines = [
        rb'{"id": 7, "user_agent": 5, "url": "\ud800"}',
        rb'{"status": [], "id": "eight"}',
        rb'{"id": {"of": "what"}, "ip": "\udc00"}',
        rb'{"id": true}',
        rb'{"id": 11, "status": NaN}',
        rb'{"id": 12, "ip"',
        b'{"id": 13, "more": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        rb'{"id": 1e999, "ip": "\ud800"}',
    ]
    ended = castline("measure", "count", "--json", given=b"\n".join(lines))
    assert ended.code == 0
    ids = [7, "eight", None, None, None, None, None, None]
    assert _ends(ended.out) == [(request_id, "dropped", "malformed_line") for request_id in ids]


def _start(castline: Castline, *, before: str = "") -> subprocess.Popen[bytes]:
    words = f"import os, signal, sys; {before}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    return subprocess.Popen(
        [sys.executable, "-c", words, "-m", "castline", "measure", "count", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"CASTLINE_DATA_DIR": str(castline.data_dir), "PYTHONPATH": ":".join(sys.path)},
    )


def test_an_interrupt_ends_the_wait_for_a_pipe_that_stays_open(castline: Castline) -> None:
    with _start(castline, before="signal.signal(signal.SIGINT, signal.SIG_DFL)") as process:
        assert process.stdin is not None
        # A pipe holds 64 KiB: when more than that went in, the lines are being read.
        process.stdin.write(b" \n" * 1_000_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_a_closed_output_is_an_error_and_no_silence(castline: Castline) -> None:
    with _start(castline, before="os.close(1)") as process:
        out, err = process.communicate(_TEXT, timeout=60)
        assert (process.returncode, out, json.loads(err)["error"]) == (1, b"", "system_refused")
