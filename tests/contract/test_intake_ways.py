"""The short way of a redirect says and records what the long way does, or leaves the request to it."""

import asyncio
import re
from contextlib import suppress
from typing import cast

from hypothesis import example, given
from hypothesis import strategies as st

from castline.intake.answer import Asked, compute_answer
from castline.intake.connection import Connection
from castline.intake.request import BadRequest, parse_head
from castline.intake.target import try_parse_target
from castline.intake.wire import encode_redirect_start

_PIECES = st.sampled_from(
    b"/e/ /e, ,pg=a1 a=1, / // https:/ https:// HTTP:// http/ cdn.example.org x.y -a.b localhost :80 /one.mp3"
    b" ?q=%20 %2F %0d #x @ | . \xc3\xa4 \r \n".split(b" ")
)
_FIELDS = st.sampled_from(
    b"Host: a;host: b;User-Agent: Overcast;Range: bytes=0-1;Connection: close;Content-Length: 0;Content-Length : 3;"
    b"Transfer-Encoding: chunked;X;: y;X: \0;X: \xff; folded;Cookie: a=b;Sec-Fetch-Dest: document;"
    b"SEC-FETCH-DEST:document;Expect: 100-continue".split(b";")
)


class _Desk:
    """Keeps what a connection hands in."""

    def __init__(self) -> None:
        self.redirect_start = encode_redirect_start(0.0)
        self.connections: dict[Connection, None] = {}
        self.taken: list[tuple[bytes, bytes | None]] = []

    def submit(self, _: Connection, answer: bytes, record: bytes | None = None, failed: bytes | None = None) -> None:
        assert failed is None or failed
        self.taken.append((answer, record))

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


@given(st.binary(max_size=60))
def test_whatever_stands_behind_the_prefix_the_answer_has_one_safe_address_or_none(rest: bytes) -> None:
    target = try_parse_target(b"/e/" + rest)
    if target is not None:
        assert re.fullmatch(rb"https?://[A-Za-z0-9._-]+(:\d+)?/[!-~]+", target.url)
        assert not re.search(rb'[<>"\\^`{|}]', target.url)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_are_refused(content: bytes) -> None:
    desk = _Desk()
    connection = Connection(desk)
    connection._transport = cast(asyncio.Transport, object())
    connection.data_received(content)
    with suppress(BadRequest):
        parse_head(content)
