"""Clients of the pages' port that are slow, go away, send too much or what two servers could read differently."""

import json
import logging
import re
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from castline.base.config import Settings
from castline.store.pool import Store
from castline.web.hits import connection
from intake_process import read_all, read_records
from web.conftest import make_closed_pool, run_server

pytestmark = pytest.mark.store
_AT = "2026-09-07T00:00:00Z"
_SESSION = {"id": "s", "started_at": _AT, "episode": {"guid": "one"}}


@pytest.fixture
def port(store: Store, web_settings: Settings, tmp_path: Path) -> Iterator[int]:
    """Of a server without a database, with a log of its own."""
    settings = replace(web_settings, data_dir=tmp_path)
    with run_server(replace(store, settings=settings, _pool=make_closed_pool()), settings) as found:
        yield found


def ask(port: int, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        for part in parts:
            client.sendall(part)
        client.settimeout(5)
        return read_all(client)


def post(body: bytes, *fields: bytes) -> bytes:
    told = b"".join(field + b"\r\n" for field in (b"Host: localhost", b"Connection: close", *fields))
    return b"POST /v1/events HTTP/1.1\r\n" + told + b"\r\n" + body


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([], b""),
        ([b"GET / HTTP/1.1\r\nHo"], b""),
        ([b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"], connection._TOO_SLOW),
    ],
    ids=["silent", "half a head", "half a body"],
)
def test_whoever_does_not_come_to_an_end_is_sent_away(
    port: int, monkeypatch: pytest.MonkeyPatch, parts: list[bytes], answer: bytes
) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "_LOOK_SECONDS"):
        monkeypatch.setattr(connection, name, 0.2)
    began = time.monotonic()
    assert ask(port, *parts) == answer
    assert time.monotonic() - began < 4  # uvicorn alone waits for ever, the client here for five seconds


def test_a_body_that_goes_on_is_waited_for_and_one_that_drips_is_told_that_it_is_too_slow(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.6)
    monkeypatch.setattr(connection, "_LOOK_SECONDS", 0.1)
    size = connection._PART_BYTES
    body = json.dumps({"session": _SESSION, "events": [], "x": "x" * 5 * size}).encode()
    slow = ask_slowly(port, post(body, b"Content-Length: %d" % len(body)), size)
    assert slow.startswith(b"HTTP/1.1 ")
    assert not slow.startswith(b"HTTP/1.1 408 ")
    drip = ask_slowly(port, post(b"{" * 30, b"Content-Length: 30"), 10)
    assert drip.startswith(b"HTTP/1.1 408 ")


def ask_slowly(port: int, sent: bytes, size: int) -> bytes:
    """What is answered to bytes that come in parts of this size, with a third of a second between them."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        for start in range(0, len(sent), size):
            try:
                client.sendall(sent[start : start + size])
            except OSError:
                break
            if select.select([client], [], [], 0.3)[0]:
                break
        return read_all(client)


def test_a_delivery_of_a_thousand_events_is_taken_as_at_the_intake(port: int, tmp_path: Path) -> None:
    events = [{"id": str(number), "type": "progress", "at": _AT, "ad_id": "x" * 100} for number in range(1000)]
    body = json.dumps({"session": _SESSION, "events": events}).encode()
    assert len(body) > 150_000
    answer = ask(port, post(body, b"Content-Length: %d" % len(body)))
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.endswith(b'{"received":1000}')
    assert [record.text.endswith(body) for record in read_records(tmp_path)] == [True]


def test_a_body_whose_length_is_told_in_two_ways_is_refused(port: int) -> None:
    smuggled = b"0\r\n\r\nGET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = ask(port, post(smuggled, b"Content-Length: 5", b"Transfer-Encoding: chunked"))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400 ")


_LINE = b"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\n"
_TWO_WAYS = {
    "bare line feeds": _LINE.replace(b"\r", b"") + b"Host: localhost\n\n",
    "one bare line feed": _LINE + b"Host: localhost\nX: y\r\n\r\n",
    "a bare line feed at the end": _LINE + b"Host: localhost\r\n\n",
    "a folded header": _LINE + b"Host: localhost\r\nX: y\r\n z\r\n\r\n",
    "a blank before the colon": _LINE + b"Host: localhost\r\nX : y\r\n\r\n",
    "one length twice": _LINE.replace(b"GET", b"POST")
    + b"Host: localhost"
    + 2 * b"\r\nContent-Length: 0"
    + b"\r\n\r\n",
    "two hosts": _LINE + b"Host: localhost\r\nHost: localhost\r\n\r\n",
    "NUL": _LINE + b"Host: localhost\r\nX: \0\r\n\r\n",
}


@pytest.mark.parametrize("head", _TWO_WAYS.values(), ids=_TWO_WAYS)
def test_a_head_that_two_servers_read_differently_is_refused_whole_in_pieces_and_behind_another(
    port: int, tmp_path: Path, head: bytes
) -> None:
    before = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for parts, statuses in (
        ([head], [b"400"]),
        ([head[:40], head[40:-1], head[-1:]], [b"400"]),
        ([before + head], [b"404", b"400"]),
    ):
        assert re.findall(rb"HTTP/1\.1 (\d+) ", ask(port, *parts)) == statuses
    assert read_records(tmp_path) == []


def test_a_head_that_comes_byte_by_byte_is_taken(port: int, tmp_path: Path) -> None:
    head = _LINE + b"Host: localhost\r\nConnection: close\r\n\r\n"
    assert ask(port, *(head[at : at + 1] for at in range(len(head)))).startswith(b"HTTP/1.1 302 ")
    assert len(read_records(tmp_path)) == 1


def test_a_client_that_goes_in_the_middle_of_its_body_leaves_no_error_behind(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(post(b"{", b"Content-Length: 9"))
            time.sleep(0.2)
        time.sleep(0.5)
    assert caplog.messages == []


def test_an_address_that_an_app_left_unescaped_leads_to_its_episode(port: int, tmp_path: Path) -> None:
    path = "/e/cdn.example.org/épisode.mp3".encode()
    answer = ask(port, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 302 ")
    assert b"\r\nlocation: https://cdn.example.org/%c3%a9pisode.mp3\r\n" in answer.lower()
    assert len(read_records(tmp_path)) == 1
