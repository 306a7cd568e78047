"""The short way of a redirect says and records what the long way does, or leaves the request to it."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from castline.intake.answer import Asked, compute_answer
from castline.intake.connection import Client, Connection
from castline.intake.request import parse_head
from castline.intake.short import try_short
from castline.intake.target import try_parse_target
from castline.intake.wire import encode_redirect_start

_PIECES = st.sampled_from(
    b"/e/ /e, ,pg=a1 a=1, / // https:/ https:// HTTP:// http/ cdn.example.org x.y -a.b localhost :80 /one.mp3"
    b" ?q=%20 %2F %0d #x @ | . \xc3\xa4 \r \n".split(b" ")
)
_FIELDS = st.sampled_from(
    b"Host: a;host: b;User-Agent: Overcast;Range: bytes=0-1;Connection: close;Content-Length: 0;Content-Length : 3;"
    b"Transfer-Encoding: chunked;X;: y;X: \0;X: \xff; folded;Cookie: a=b;Sec-Fetch-Dest: document;"
    b"SEC-FETCH-DEST:document;Expect: 100-continue;Host: a b;HOST:\t[::1]:80 ;host: a@b;Host:;Accept-Encoding: gzip;"
    b"Accept-Charset : x;accept: */*;User-Agent : x;Hosts: a;Cookie2: a;cOOkie: a=b;uPgrade: h2c;Upgrade-X: 1".split(
        b";"
    )
)


class _Desk:
    """Keeps what a connection hands in."""

    def __init__(self) -> None:
        self.redirect_start = encode_redirect_start(0.0)
        self.is_draining = False
        self.connections: dict[Connection, None] = {}
        self.taken: list[tuple[bytes, bytes | None]] = []

    def submit(self, _: Client, answer: bytes, pieces: Sequence[bytes] = (), failed: bytes | None = None) -> None:
        assert failed is None or failed
        self.taken.append((answer, b"".join(pieces) or None))

    def admit(self, _: Connection) -> bool:
        return True

    def find_address(self, peer: str, forwarded: list[str]) -> str:
        return forwarded[-1] if forwarded else peer

    def is_proxy(self, peer: str) -> bool:
        return not peer.isascii()


def _location(answer: bytes) -> bytes | None:
    found = re.search(rb"\r\nLocation: ([^\r]*)", answer)
    return found[1] if found else None


@given(st.lists(_PIECES, max_size=8).map(b"".join), st.lists(_FIELDS, max_size=5))
@example(b"/e/cdn.example.org/one.mp3", [b"Host: a"])
@example(b"/e/cdn.example.org/one.mp3", [b"Host: a", b"Sec-Fetch-Dest: document"])
def test_the_short_way_never_says_what_the_long_way_would_not(path: bytes, fields: list[bytes]) -> None:
    head = b"GET " + path + b" HTTP/1.1\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"
    desk = _Desk()
    if not Connection(desk)._try_short(head):
        return
    parsed = parse_head(head)
    answer = compute_answer(Asked(parsed.method, parsed.path, parsed.headers))
    ((sent, record),) = desk.taken
    assert (answer.status, dict(answer.headers)[b"Location"]) == (302, _location(sent))
    assert parsed.is_lasting
    assert record is not None
    assert record.endswith(head)


_USUAL = (
    b"Host: pod.example.org\r\nUser-Agent: Overcast/3\r\nAccept: */*\r\nRange: bytes=0-1\r\nAccept-Encoding: gzip",
    b"user-agent: Podcasts/1\r\naccept-language: de\r\nx-playback-session-id: 7\r\nhost: pod.example.org\r\npragma: x",
    b"HOST:\t[::1]:8322 \r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Mode: no-cors\r\nTE: x\r\nCookie2: none",
    b"Host: a\r\n" + b"\r\n".join([b"a:"] * 31),
)


@pytest.mark.parametrize("fields", _USUAL)
def test_what_apps_and_proxies_send_takes_the_short_way(fields: bytes) -> None:
    found = try_short(b"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\n" + fields + b"\r\n\r\n")
    assert found is not None
    assert found[0] == b"https://cdn.example.org/one.mp3"


@pytest.mark.parametrize("name", ["Connection", "cOOKIE", "Authorization", "EXPECT", "host", "Content-length"])
@pytest.mark.parametrize("is_first", [True, False])
def test_what_needs_more_thought_goes_the_long_way(name: str, *, is_first: bool) -> None:
    fields = [b"Host: a", name.encode() + b": x"]
    fields = fields[::-1] if is_first else fields
    assert try_short(b"GET /e/x.org/one.mp3 HTTP/1.1\r\n" + b"\r\n".join(fields) + b"\r\n\r\n") is None


@given(st.binary(max_size=60))
def test_whatever_stands_behind_the_prefix_the_answer_has_one_safe_address_or_none(rest: bytes) -> None:
    target = try_parse_target(b"/e/" + rest)
    if target is not None:
        assert re.fullmatch(rb"https?://[A-Za-z0-9._-]+(:\d+)?/[!-~]+", target.url)
        assert not re.search(rb'[<>"\\^`{|}]', target.url)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What bytes became: the status and the target of each answer, what was recorded, and what still waits for more."""

    answers: list[tuple[int, bytes | None]]
    records: list[tuple[bytes, bytes]]
    waiting: bytes
    is_idle: bool
    has_ended: bool


def _feed(*parts: bytes) -> _Outcome:
    """One connection is sent the parts, one after the other."""
    desk = _Desk()
    connection = Connection(desk)
    connection._transport = cast(asyncio.Transport, object())
    for part in parts:
        connection.data_received(part)
    answers = [answer for answer, _ in desk.taken]
    if connection.is_done:
        assert answers.pop() == b""
        assert b"\r\nConnection: close\r\n" in answers[-1]
    assert all(re.match(rb"HTTP/1\.1 [1-5]\d\d [A-Z]", answer) for answer in answers)
    return _Outcome(
        [(int(answer[9:12]), _location(answer)) for answer in answers],
        [_told(record) for _, record in desk.taken if record],
        bytes(connection._buffer),
        connection.is_idle,
        connection.is_done,
    )


def _told(record: bytes) -> tuple[bytes, bytes]:
    """The request line and the body of a record: the short way keeps more headers than the long one."""
    length = int.from_bytes(record[10:14], "little")
    head, _, body = record[-length:].partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], body


_HEADED = st.builds(
    lambda path, fields: b"GET " + path + b" HTTP/1.1\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n",
    st.lists(_PIECES, max_size=4).map(b"".join),
    st.lists(_FIELDS, max_size=3),
)
_NOISE = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"])
_BYTES = st.lists(_HEADED | _NOISE, max_size=5).map(b"".join)


@given(_BYTES, st.lists(st.integers(0, 400), max_size=6))
@example(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nmore", [20])
@example(b"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: a\r\n\r\n", [1])
@example(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nmore", [20])
@example(b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n\0\r\n\r\n", [1, 2, 3])
def test_any_bytes_are_requests_or_end_in_one_refusal_however_they_are_cut(content: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    whole = _feed(content)
    assert _feed(*(content[start:end] for start, end in pairwise(places))) == whole
    if whole.has_ended:
        assert (whole.waiting, whole.is_idle) == (b"", True)
        assert _feed(content, _ASKED[0][0]) == whole
        return
    # What was taken are whole requests, with perhaps the head of one whose body is still to come.
    assert content.endswith(whole.waiting)
    taken = _feed(content[: len(content) - len(whole.waiting)])
    assert (taken.answers, taken.records, taken.waiting) == (whole.answers, whole.records, b"")
    if taken.is_idle:
        after = _feed(content[: len(content) - len(whole.waiting)] + _ASKED[0][0])
        assert after.answers == [*whole.answers, (302, b"https://cdn.example.org/one.mp3")]


def _post(body: bytes, *, chunks: int = 0) -> bytes:
    head = b"POST /v1/events HTTP/1.1\r\nHost: a\r\n"
    if not chunks:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    parts = [body[start : start + chunks] for start in range(0, len(body), chunks)]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"


_EVENTS = (
    b'{"session": {"id": "s", "started_at": "2026-09-07T00:00:00Z", "episode": {"guid": "GET /e/x HTTP/1.1\\r\\n"}},'
    b' "events": [{"id": "1", "type": "start", "at": "2026-09-07T00:00:00Z"}]}'
)
# A body that reads like a request of its own: whoever loses count of bytes answers it.
_SMUGGLED = b"GET /e/evil.example.org/x.mp3 HTTP/1.1\r\nHost: a\r\n\r\n"
_ASKED: list[tuple[bytes, int]] = [
    (b"GET /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: a\r\n\r\n", 302),
    (b"GET /e/cdn.example.org/two.mp3 HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n", 302),
    (b"HEAD /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: a\r\n\r\n", 302),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    (b"DELETE /e/cdn.example.org/one.mp3 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (_post(_EVENTS), 202),
    (_post(_EVENTS, chunks=7), 202),
    (_post(_SMUGGLED), 400),
    (_post(_SMUGGLED, chunks=200), 400),
]


@given(st.lists(st.sampled_from(_ASKED), max_size=8), st.lists(st.integers(0, 2000), max_size=8), st.booleans())
def test_each_of_many_requests_in_one_stream_gets_its_own_answer(
    asked: list[tuple[bytes, int]], cuts: list[int], is_broken: bool
) -> None:
    content = b"".join(request for request, _ in asked) + (b"\0\r\n\r\n" if is_broken else b"")
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    outcome = _feed(*(content[start:end] for start, end in pairwise(places)))
    statuses = [status for _, status in asked] + ([400] if is_broken else [])
    assert [status for status, _ in outcome.answers] == statuses
    recorded = [request.partition(b"\r\n")[0] for request, status in asked if status in {202, 302}]
    assert [line for line, _ in outcome.records] == recorded
    assert [body for _, body in outcome.records if body] == [_EVENTS] * sum(status == 202 for _, status in asked)
    assert (outcome.waiting, outcome.is_idle, outcome.has_ended) == (b"", True, is_broken)
