"""The intake server over real sockets: what it answers, what it refuses, and whom it does not wait for."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake_process import REDIRECT, Intake, read_all, run_server

EVENTS = {
    "session": {
        "id": "s1",
        "started_at": "2026-09-07T00:00:00Z",
        "episode": {"url": "https://cdn.example.org/one.mp3"},
    },
    "events": [{"id": "1", "type": "start", "at": "2026-09-07T00:00:00Z"}],
}
BODY = json.dumps(EVENTS).encode()
HOST = b"Host: pod.example\r\n"
POST = b"POST /v1/events HTTP/1.1\r\n" + HOST


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    with run_server(tmp_path_factory.mktemp("intake")) as server:
        yield server
        assert server.process.poll() is None, "a client ended the server"


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def get(path: bytes, headers: bytes = b"", method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


def post(body: bytes, headers: bytes = b"") -> bytes:
    return POST + b"Content-Length: %d\r\n" % len(body) + headers + b"\r\n" + body


@pytest.mark.parametrize(
    ("path", "location"),
    [
        (b"/e/cdn.example.org/one.mp3", b"https://cdn.example.org/one.mp3"),
        (b"/e/https://cdn.example.org/one.mp3?a=1&b=%20", b"https://cdn.example.org/one.mp3?a=1&b=%20"),
        (b"/e/http://cdn.example.org:8080/one", b"http://cdn.example.org:8080/one"),
        (b"/e/http/cdn.example.org/one.mp3", b"http://cdn.example.org/one.mp3"),
        (b"/e,pg=0f5c/dts.podtrac.com/redirect.mp3/cdn.example.org/x", b"https://dts.podtrac.com/redirect.mp3/cdn.example.org/x"),
        (b"/e/,hls,s=7/cdn.example.org/one.m3u8", b"https://cdn.example.org/one.m3u8"),
        (b"/e/https%3A%2F%2Fcdn.example.org%2Fa%20b.mp3", b"https://cdn.example.org/a%20b.mp3"),
        ("/e/cdn.example.org/ä.mp3".encode(), b"https://cdn.example.org/%C3%A4.mp3"),
    ],
)  # fmt: skip
def test_a_redirect_leads_to_the_address_behind_the_prefix(intake: Intake, path: bytes, location: bytes) -> None:
    answer = intake.ask(get(path))
    assert statuses(answer) == [302]
    assert re.findall(rb"Location: (.*)\r\n", answer) == [location]
    assert b"Cache-Control: no-store\r\n" in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(b"/e/javascript:alert(1)"), 404),
        (get(b"/e/user:password@example.org/x"), 404),
        (get(b"/e/localhost/x"), 404),
        (get(b"/e/example.org%0d%0aSet-Cookie:%20a=b/x"), 404),
        (get(b"/e/"), 404),
        (get(b"/"), 404),
        (get(b"/e/cdn.example.org/one.mp3", method=b"DELETE"), 405),
        (get(b"/v1/events", method=b"PUT"), 405),
        (get(b"/v1/events", method=b"OPTIONS"), 204),
        (get(b"/healthz"), 200),
        (get(b"/e/bank.example.org/sign-in", b"Sec-Fetch-Dest: document\r\n"), 403),
        (get(b"/e/cdn.example.org/one.mp3", b"Sec-Fetch-Dest: document\r\n"), 302),
        (get(b"/e/cdn.example.org/one.mp3?a=b", b"Sec-Fetch-Dest: document\r\n"), 302),
        (get(b"/e/bank.example.org/sign-in?a=/x.mp3", b"Sec-Fetch-Dest: document\r\n"), 403),
        (get(b"/e/bank.example.org/sign-in#x.mp3", b"Sec-Fetch-Dest: document\r\n"), 403),
        (get(b"/e/cdn.example.org@bank.example.org/x.mp3"), 404),
        (get(b"/e/169.254.169.254/x.mp3"), 404),
        (get(b"/e/data:text/html,x"), 404),
        (get(b"/e/https:\\\\bank.example.org\\x.mp3"), 404),
        (get(b"/e,pg=%00,a=%00/cdn.example.org/one.mp3"), 302),
        (get(b"*", method=b"OPTIONS"), 404),
        (get(b"bank.example.org:443", method=b"CONNECT"), 404),
        (get(b"/e/cdn.example.org/one.mp3", method=b"TRACE"), 405),
        (get(b"http://pod.example/e/cdn.example.org/one.mp3"), 302),
        (get(b"/e/cdn.example.org/play/1", b"Sec-Fetch-Dest: audio\r\n"), 302),
        (post(BODY), 202),
        (post(json.dumps([EVENTS, EVENTS]).encode()), 202),
        (post(b"{"), 400),
        (post(b"[" * 5000), 400),
        (post(b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"), 400),
        (post(BODY.replace(b"s1", b"\xff\xfe")), 400),
        (post(BODY.replace(b"s1", b"a\\u0000b")), 400),
        (post(BODY.replace(b"s1", b"a\\\\u0000b")), 202),  # the six characters, and no NUL
        (post(BODY.replace(b'"type"', b'"position_seconds": NaN, "type"')), 400),
        (post(BODY.replace(b'"type"', b'"position_seconds": ' + b"9" * 400 + b', "type"')), 400),
        (post(b"\x1f\x8b\x08\x00", b"Content-Encoding: gzip\r\n"), 415),
        (post(BODY, b"Content-Encoding: identity\r\n"), 202),
        (post(json.dumps(EVENTS | {"events": []}).encode()), 400),
        (get(b"/v1/events?session=s&started_at=2026-09-07T00:00:00Z&guid=one&id=1&type=ad_progress&percent=25"
             b"&at=2026-09-07T00:00:01Z"), 204),
        (get(b"/v1/events?session=s"), 400),
        (get(b"/v1/events?session=%ff"), 400),
        (get(b"/v1/events?session=a%00b&started_at=2026-09-07T00:00:00Z&guid=one&id=1&type=start"
             b"&at=2026-09-07T00:00:01Z"), 400),
        (get(b"/v1/events?" + b"&".join([b"a=b"] * 100)), 400),
    ],
)  # fmt: skip
def test_each_request_has_its_answer(intake: Intake, request_: bytes, status: int) -> None:
    assert statuses(intake.ask(request_)) == [status]


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (POST + CHUNKED + b"Content-Length: 3\r\n\r\nabc", 400),  # the two classic ways to smuggle
        (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: +3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
        (POST + b"Content-Length : 3\r\n\r\nabc", 400),
        (POST + b"Transfer-Encoding: chunked\r\n" + CHUNKED + b"\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n", 400),
        (POST + CHUNKED + b"\r\nzz\r\n", 400),
        (POST + CHUNKED + b"\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
        (POST + CHUNKED + b"\r\n0\r\nX: y\r\n\r\n", 400),
        (POST + CHUNKED + b"\r\nfffffff\r\n", 413),
        (POST + b"Content-Length: 99999999\r\n\r\n", 413),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + b": b\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\r\nHost: user@pod.example\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/1.1\nHost: a\n\n", 400),
        (b"GET  /e/cdn.example.org/x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /e/cdn.example.org/x HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"GET /e/cdn.example.org/x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /e/cdn.example.org/" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /" + b"x" * 20_000, 414),
        (get(b"/e/cdn.example.org/x", b"X: y\r\n" * 65), 431),
        (get(b"/e/cdn.example.org/x", b"X: " + b"y" * 20_000 + b"\r\n"), 431),
        (get(b"/healthz", b"Expect: 200-maybe\r\n"), 417),
    ],
)  # fmt: skip
def test_what_two_servers_could_read_differently_is_refused_and_ends_the_connection(
    intake: Intake, request_: bytes, status: int
) -> None:
    assert statuses(intake.ask(request_ + REDIRECT)) == [status]


def test_a_head_request_gets_the_redirect_without_a_body(intake: Intake) -> None:
    answer = intake.ask(get(b"/e/cdn.example.org/one.mp3", method=b"HEAD"))
    assert statuses(answer) == [302]
    assert answer.endswith(b"\r\n\r\n")


def test_pipelined_requests_are_answered_in_their_order(intake: Intake) -> None:
    paths = [b"/e/cdn.example.org/%d.mp3" % number for number in range(40)]
    asked = [get(path) for path in paths]
    asked.insert(20, post(BODY))
    answer = intake.ask(b"".join(asked))
    assert statuses(answer) == [302] * 20 + [202] + [302] * 20
    assert re.findall(rb"Location: https://cdn.example.org/(\d+)\.mp3", answer) == [b"%d" % n for n in range(40)]


def test_a_request_may_come_byte_by_byte(intake: Intake) -> None:
    body = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:])) + b"0\r\n\r\n"
    message = REDIRECT + POST + CHUNKED + b"\r\n" + body + REDIRECT
    with intake.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message:
            client.sendall(bytes([byte]))
        client.shutdown(socket.SHUT_WR)
        assert statuses(read_all(client)) == [302, 202, 302]


def test_whoever_waits_to_be_asked_for_the_body_is_asked(intake: Intake) -> None:
    with intake.connect() as client:
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        client.shutdown(socket.SHUT_WR)
        assert statuses(read_all(client)) == [202]


def test_a_client_of_http_1_0_is_not_asked_for_its_body(intake: Intake) -> None:
    head = b"POST /v1/events HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert intake.ask(head, b"{}", pause=0.1).startswith(b"HTTP/1.1 400 ")


def test_a_connection_lasts_as_its_client_wants(intake: Intake) -> None:
    old = REDIRECT.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(intake.ask(old + old)) == [302]
    lasting = old.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    answer = intake.ask(lasting + lasting)
    assert statuses(answer) == [302, 302]
    assert answer.count(b"\r\nConnection: keep-alive\r\n") == 2
    closing = get(b"/healthz", b"Connection: close\r\n")
    assert statuses(intake.ask(closing + closing)) == [200]


def test_a_connection_ends_after_ten_thousand_requests(intake: Intake) -> None:
    with intake.connect() as client:
        client.sendall(get(b"/healthz") * 12_000)
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    assert statuses(answer) == [200] * 10_000
    assert answer.count(b"Connection: close") == 1


def test_clients_that_are_too_slow_are_sent_away(tmp_path: Path) -> None:
    with run_server(tmp_path, seconds=0.4) as server:
        started = time.monotonic()
        with server.connect() as trickling, server.connect() as stuck, server.connect() as idle:
            stuck.sendall(POST + b"Content-Length: 1000\r\n\r\nabc")
            for byte in REDIRECT[:12]:
                trickling.sendall(bytes([byte]))
                time.sleep(0.05)
            assert statuses(read_all(trickling)) == [408]
            assert statuses(read_all(stuck)) == [408]
            assert read_all(idle) == b""
        assert time.monotonic() - started < 10
        assert statuses(server.ask(REDIRECT)) == [302]


def _ask_for_ever(client: socket.socket) -> None:
    while True:
        client.sendall(get(b"/healthz") * 1000)


def test_more_clients_than_files_cost_no_record_and_those_that_ask_nothing_make_room(tmp_path: Path) -> None:
    with run_server(tmp_path, files=200) as server:
        crowd = [server.connect() for _ in range(300)]
        time.sleep(1.2)
        assert server.ask(REDIRECT).startswith(b"HTTP/1.1 302 ")
        for client in crowd:
            client.close()
        assert [record.text for record in server.records()] == [REDIRECT]


def test_a_client_that_reads_nothing_is_sent_away_and_the_others_are_served(tmp_path: Path) -> None:
    with run_server(tmp_path, seconds=1.0) as server, server.connect() as greedy:
        greedy.settimeout(2)
        with pytest.raises(OSError, match=r"timed out|reset|Broken pipe"):
            _ask_for_ever(greedy)
        assert statuses(server.ask(REDIRECT)) == [302]


def test_clients_that_vanish_in_mid_batch_cost_the_others_nothing(intake: Intake) -> None:
    for _ in range(20):
        clients = [intake.connect() for _ in range(20)]
        for number, client in enumerate(clients):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(REDIRECT * 50 if number % 2 else POST + b"Content-Length: 100\r\n\r\n{")
        for client in clients:
            client.close()  # with a reset, while its answers are being written
        assert statuses(intake.ask(REDIRECT)) == [302]


def test_forwarded_addresses_are_believed_of_configured_proxies_only(tmp_path: Path) -> None:
    forged = REDIRECT.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n\r\n")
    for trusted, address in (
        ("", "127.0.0.1"),
        ("127.0.0.0/8", "198.51.100.7"),
        ("127.0.0.0/8 198.51.100.0/24", "203.0.113.9"),
    ):
        folder = tmp_path / (trusted.replace("/", "_") or "none")
        with run_server(folder, trusted=trusted) as server:
            assert statuses(server.ask(forged)) == [302]
            slow = forged.replace(b"User-Agent", b"Connection: keep-alive\r\nUser-Agent")
            assert statuses(server.ask(slow)) == [302]
            assert server.stop() == 0
            assert [record.address for record in server.records()] == [address, address]


def test_what_could_sign_somebody_in_is_not_kept(intake: Intake) -> None:
    assert statuses(
        intake.ask(get(b"/e/cdn.example.org/one.mp3", b"Cookie: secret-1\r\nAuthorization: secret-2\r\n"))
    ) == [302]
    assert not [record for record in intake.records() if b"secret" in record.text]
