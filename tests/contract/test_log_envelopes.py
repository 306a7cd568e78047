"""What containers, journald, clouds and shippers put lines into is taken off, whatever the format of the lines."""

import gzip
import io
import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from castline.base.errors import SourceUnreadable
from castline.sources.logs.envelope import unwrap
from castline.sources.logs.file import LogFile
from castline.sources.logs.reading import NotAnAccessLog, ReadAs
from castline.sources.logs.table import find_format
from read_log import MIDNIGHT, Read

COMBINED = find_format("combined").example
COMBINED_FORMAT = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
INNER = [find_format(name).example for name in ("combined", "caddy", "cloudfront-json", "s3")]
STAMP = "2026-09-07T00:00:00.123456789Z"


def _docker(text: str, stream: str = "stdout") -> str:
    return json.dumps({"log": text, "stream": stream, "time": STAMP})


def _cloudwatch(*messages: str) -> str:
    events = [{"id": str(number), "timestamp": 1788739200000, "message": one} for number, one in enumerate(messages)]
    told = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": events}
    return json.dumps(told)


ENVELOPES: dict[str, Callable[[str], str]] = {
    "docker": lambda line: _docker(f"{line}\n"),
    "timestamps": lambda line: f"{STAMP} {line}",
    "cri": lambda line: f"{STAMP} stdout F {line}",
    "journald": lambda line: json.dumps({"__REALTIME_TIMESTAMP": "1", "_HOSTNAME": "h", "MESSAGE": line}),
    "journald bytes": lambda line: json.dumps({"_HOSTNAME": "h", "MESSAGE": list(line.encode())}),
    "cloudwatch": _cloudwatch,
    "filebeat": lambda line: json.dumps({"@timestamp": STAMP, "log": {"offset": 5}, "message": line}),
    "elasticsearch": lambda line: json.dumps({"_index": "i", "_source": {"message": line}}),
    "splunk": lambda line: json.dumps({"preview": False, "result": {"_raw": line}}),
    "loki": lambda line: json.dumps({"labels": {}, "line": line, "timestamp": "1"}),
    "google": lambda line: json.dumps({"insertId": "i", "textPayload": line, "timestamp": STAMP}),
}


@pytest.mark.parametrize("line", INNER, ids=range(len(INNER)))
@pytest.mark.parametrize("kind", ENVELOPES)
def test_lines_of_every_format_come_out_of_every_envelope(kind: str, line: str, tmp_path: Path) -> None:
    bare = Read(tmp_path / "bare.log", f"{line}\n{line}\n")
    wrap = ENVELOPES[kind]
    read = Read(tmp_path / "x.log", f"{wrap('starting')}\n{wrap(line)}\n{wrap(line)}\n")
    assert read.requests.drop("line_number").equals(bare.requests.drop("line_number"))
    assert (read.file.format_name, read.numbers) == (bare.file.format_name, [2, 3])
    assert read.refused == [(1, "malformed_line")]


def test_a_written_format_is_read_out_of_an_envelope_too(tmp_path: Path) -> None:
    written = ReadAs(find_format("nginx:$remote_addr|$msec|$request|$status|$body_bytes_sent|$http_user_agent"))
    line = "203.0.113.9|1788739200.000|GET /one.mp3 HTTP/1.1|200|7|Overcast/3.0"
    read = Read(tmp_path / "x.log", f"{_docker(line)}\n{_docker('ready')}\n", written)
    assert ([row["path"] for row in read.rows], read.refused) == (["/one.mp3"], [(2, "malformed_line")])


def test_a_line_that_docker_cut_is_one_line(tmp_path: Path) -> None:
    long = COMBINED.replace("Overcast", "Overcast" + "x" * 20_000)
    parts = [long[:16_384], f"{long[16_384:]}\n", f"{COMBINED}\n"]
    read = Read(tmp_path / "x.log", "\n".join(_docker(part) for part in parts))
    assert (read.numbers, read.refused) == ([1, 2], [])


def test_objects_with_nothing_between_them_are_rows_of_their_own(tmp_path: Path) -> None:
    one, tricky = INNER[2], INNER[2].replace("Overcast/3.0", 'a}{\\"b')
    read = Read(tmp_path / "x.json", one + tricky + one)
    assert (len(read.rows), read.refused) == (3, [])
    assert str(read.rows[1]["user_agent"]).startswith('a}{"b')
    both = _cloudwatch(one, one) + _cloudwatch(one)
    packed = Read(tmp_path / "y.gz", gzip.compress(both.encode()))
    assert (packed.file.format_name, packed.numbers, packed.refused) == ("cloudfront-json", [1, 2, 3], [])


@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_of_events_gives_a_line_for_each(indent: int | None, tmp_path: Path) -> None:
    events = [{"logStreamName": "s", "message": COMBINED, "eventId": "1"}, {"logStreamName": "s", "message": COMBINED}]
    read = Read(tmp_path / "x.json", json.dumps({"events": events, "searchedLogStreams": []}, indent=indent))
    assert (read.file.format_name, read.numbers, read.refused) == ("combined", [1, 2], [])
    row = json.loads(find_format("cloudflare").example)
    nested = Read(tmp_path / "y.json", json.dumps({"events": [{"info": row}, {"info": row}]}, indent=indent))
    assert (nested.file.format_name, nested.numbers, nested.refused) == ("cloudflare", [1, 2], [])


def test_a_document_of_many_megabytes_on_one_line_is_read(tmp_path: Path) -> None:
    record = json.loads(find_format("azure").example)
    read = Read(tmp_path / "x.json", json.dumps({"records": [record] * 20_000}))
    assert (read.requests.height, read.refused) == (20_000, [])


def test_an_access_log_with_a_message_of_its_own_is_no_envelope(tmp_path: Path) -> None:
    told = json.loads(find_format("json").example) | {"message": "served", "log": "x"}
    read = Read(tmp_path / "x.log", f"{json.dumps(told)}\n")
    assert (read.file.format_name, len(read.rows)) == ("json", 1)


START = {"level": "info", "message": "server started", "time": "2026-09-07T00:00:00Z"}
SERVED = START | {
    "message": "request completed", "remote_addr": "203.0.113.9", "method": "GET", "uri": "/one.mp3", "status": 200,
    "user_agent": "Overcast/3.0",
}  # fmt: skip


@pytest.mark.parametrize("asked", [None, "json"])
@pytest.mark.parametrize("wrap", [json.dumps, lambda row: json.dumps({"_index": "i", "_source": row})])
def test_a_server_that_logs_messages_beside_its_requests_is_read_whatever_comes_first(
    wrap: Callable[[object], str], asked: str | None, tmp_path: Path
) -> None:
    content = "".join(f"{wrap(row)}\n" for row in (START, START, SERVED, START, SERVED))
    read = Read(tmp_path / "x.log", content, ReadAs(find_format(asked)) if asked else None)
    assert (read.file.format_name, read.numbers) == ("json", [3, 5])
    assert [row["path"] for row in read.rows] == ["/one.mp3"] * 2
    assert read.refused == [(number, "malformed_line") for number in (1, 2, 4)]


def test_requests_stand_beside_texts_and_other_objects_of_the_same_cloud(tmp_path: Path) -> None:
    entry = json.loads(find_format("google").example) | {"jsonPayload": {"@type": "LoadBalancerLogEntry"}}
    text = {"insertId": "x", "textPayload": "Listening on port 8080", "timestamp": STAMP}
    read = Read(tmp_path / "x.json", "".join(f"{json.dumps(row)}\n" for row in (text, entry, text, entry)))
    assert (read.file.format_name, read.numbers) == ("google", [2, 4])
    assert read.refused == [(1, "malformed_line"), (3, "malformed_line")]


def test_requests_that_come_behind_more_messages_than_are_looked_at_are_read(tmp_path: Path) -> None:
    content = f"{json.dumps(START)}\n" * 1_500 + f"{json.dumps(SERVED)}\n{json.dumps(START)}\n"
    assert len(content) > 64 * 1024
    read = Read(tmp_path / "x.log", content, ReadAs(find_format("json")))
    assert (read.numbers, len(read.refused)) == ([1_501], 1_501)


def test_other_messages_first_do_not_keep_an_envelope_shut(tmp_path: Path) -> None:
    other = json.dumps({"level": "info", "msg": "agent started"})
    read = Read(tmp_path / "x.log", f"{other}\n{_docker(COMBINED)}\n{_docker(COMBINED)}\n")
    assert (read.file.format_name, read.numbers, read.refused) == ("combined", [2, 3], [(1, "malformed_line")])


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (
            'nginx:{"t":"$msec","ip":"$remote_addr","message":"$request","s":"$status","ua":"$http_user_agent"}',
            '{"t":"1788739200.000","ip":"203.0.113.9","message":"GET /one.mp3 HTTP/1.1","s":"206","ua":"Overcast/3.0"}',
        ),
        (f"apache:%{{%Y-%m-%dT%H:%M:%SZ}}t {COMBINED_FORMAT}", f"2026-09-07T00:00:00Z {COMBINED}"),
        ("combined", f"2026-09-07T00:00:00Z {COMBINED}"),
        (f"apache:{COMBINED_FORMAT}", f"2026-09-07T00:00:00Z {COMBINED}"),
    ],
)
def test_what_a_written_format_has_of_an_envelope_is_no_envelope(written: str, line: str, tmp_path: Path) -> None:
    read = Read(tmp_path / "x.log", f"{line}\n{line}\n", ReadAs(find_format(written)))
    told = [(row["time"], row["address"], row["path"], row["host"]) for row in read.rows]
    assert (told, read.refused) == ([(MIDNIGHT, "203.0.113.9", "/one.mp3", None)] * 2, [])


def test_broken_envelopes_are_refused_and_the_others_stay(tmp_path: Path) -> None:
    good = _docker(f"{COMBINED}\n")
    broken = [good[:-20], '{"log": 5}', '{"log": null, "stream": "stdout"}', "\x00\x01", '{"log": "\\ud83d"}', "[]"]
    read = Read(tmp_path / "x.log", "\n".join([good, *broken, good]) + "\n")
    assert read.numbers == [1, 8]
    assert [number for number, _ in read.refused] == [2, 3, 4, 5, 6, 7]


def test_an_unknown_object_is_named_as_it_stands(tmp_path: Path) -> None:
    with pytest.raises(NotAnAccessLog, match=r"line 1: '\{\"log\": 5\}'"):
        Read(tmp_path / "x.log", '{"log": 5}\n')


def test_an_envelope_that_was_cut_keeps_its_line_open(tmp_path: Path) -> None:
    whole = f"{_docker(COMBINED)}\n"
    for cut in (1, 20):
        (tmp_path / "x.log").write_text((whole * 3)[:-cut])
        file = LogFile(tmp_path / "x.log")
        text = b"".join(block.text for block in file.iter_lines())
        # A whole object is a whole line, with a line feed or without; half of one is none.
        assert (text.count(b"\n"), file.open_bytes > 0) == ((3, False) if cut == 1 else (2, True))


@pytest.mark.parametrize("step", [1_000, 70_000, 10_000_000])
def test_however_the_content_comes_the_same_lines_come_out(step: int, tmp_path: Path) -> None:
    content = "".join(f"{_docker(COMBINED.replace('28800000', str(number)))}\n" for number in range(3_000)).encode()
    packed = b"".join(gzip.compress(content[at : at + step]) for at in range(0, len(content), step))
    wanted, read = Read(tmp_path / "a", content), Read(tmp_path / "b", packed)
    assert (read.rows, read.file.content_hash) == (wanted.rows, wanted.file.content_hash)
    assert wanted.requests["bytes_sent"].to_list() == list(range(3_000))


def test_a_line_without_an_end_is_no_trap() -> None:
    # As a decompressor gives it, in small pieces; each of them added to all before it would be a terabyte of copies.
    pieces = [f"{_docker(COMBINED)}\n".encode(), b'{"log":"', *[b"x" * 16_384] * 9_000]
    started = time.process_time()
    content = b"".join(unwrap(iter(pieces)))
    assert content == f"{COMBINED}\n".encode() + b"".join(pieces[1:])
    assert time.process_time() - started < 5


CLOUDFRONT = {
    "date": ["2026-09-07"], "time": ["00:00:00"], "c_ip": ["203.0.113.9"], "cs_method": ["GET"],
    "cs_uri_stem": ["/one.mp3"], "sc_status": ["206"], "sc_bytes": ["960000"], "cs_user_agent": ["Overcast/3.0%20(x)"],
    "sc_range_start": ["0"], "sc_range_end": ["959999"], "x_edge_request_id": ["SAME=="], "x_host_header": ["a.org"],
}  # fmt: skip


def _parquet(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_parquet(target)
    return target.getvalue()


def test_parquet_of_cloudfront_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    text = pl.DataFrame(CLOUDFRONT)
    typed = text.with_columns(
        date=pl.lit(date(2026, 9, 7)), sc_status=pl.lit(206), sc_bytes=pl.lit(960_000, pl.Int64),
        c_ip=pl.col("c_ip").cast(pl.Binary), cs_cookie=pl.lit(None, pl.String),
    )  # fmt: skip
    for frame in (text, typed):
        read = Read(tmp_path / "x.parquet", _parquet(frame))
        (row,) = read.rows
        told = (row["time"], row["address"], row["path"], row["status"], row["bytes_sent"], row["range"])
        assert told == (MIDNIGHT, "203.0.113.9", "/one.mp3", 206, 960_000, "bytes=0-959999")
        assert (read.file.format_name, row["user_agent"]) == ("cloudfront-json", "Overcast/3.0 (x)")


def test_parquet_of_other_formats_is_read_with_times_and_nested_columns(tmp_path: Path) -> None:
    at = datetime(2026, 9, 7, 2, tzinfo=UTC)
    rows = {"EdgeStartTimestamp": [at], "ClientIP": ["203.0.113.9"], "ClientRequestURI": ["/one.mp3"],
            "EdgeResponseStatus": [206], "RequestHeaders": [{"range": "bytes=0-1"}]}  # fmt: skip
    frame = pl.DataFrame(rows).with_columns(pl.col("EdgeStartTimestamp").dt.convert_time_zone("Europe/Berlin"))
    (row,) = Read(tmp_path / "x.parquet", _parquet(frame)).rows
    assert (row["time"], row["range"], row["status"]) == (at, "bytes=0-1", 206)


def test_damaged_parquet_says_so(tmp_path: Path) -> None:
    content = _parquet(pl.DataFrame(CLOUDFRONT))
    with pytest.raises(SourceUnreadable, match="the Parquet data are damaged"):
        Read(tmp_path / "x.parquet", content[:-20])
    with pytest.raises(SourceUnreadable, match="a Parquet file, where an access log, plain, gzip or zstd, is expected"):
        list(LogFile(tmp_path / "x.parquet", unwraps=False).iter_lines())
