"""What each request is answered, and what of it goes into the log: the one place that both servers ask.

Nothing here waits: no database, no disk. A record that goes with an answer is in the log before the answer leaves.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from castline.ingest.segment_log import EVENTS, REQUEST
from castline.intake.beacon import describe_fault, encode_query, parse_deliveries
from castline.intake.target import is_redirect, try_parse_target

EVENTS_PATH: Final = b"/v1/events"
HEALTH_PATH: Final = b"/healthz"
Headers = tuple[tuple[bytes, bytes], ...]
# Each request has to come here to be counted, so no cache may keep the way; and a search engine has nothing to list.
REDIRECT_HEADERS: Final[Headers] = (
    (b"Cache-Control", b"no-store"),
    (b"Access-Control-Allow-Origin", b"*"),
    (b"X-Robots-Tag", b"noindex"),
)
_OPEN: Final[Headers] = ((b"Access-Control-Allow-Origin", b"*"), (b"Cache-Control", b"no-store"))
_JSON: Final = (b"Content-Type", b"application/json")
_TEXT: Final = (b"Content-Type", b"text/plain; charset=utf-8")
_PREFLIGHT: Final[Headers] = (
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Access-Control-Allow-Methods", b"GET, POST"),
    (b"Access-Control-Allow-Headers", b"content-type"),
    (b"Access-Control-Max-Age", b"86400"),
)
# What of a request's head is kept: all that judging needs, and nothing that could sign anybody in.
KEPT_HEADERS: Final = frozenset(
    {b"host", b"user-agent", b"range", b"referer", b"x-playback-session-id", b"sec-gpc", b"dnt"}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: header names in lower case."""

    method: str
    path: bytes
    headers: dict[bytes, bytes]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves, and the kind and the pieces of the text of the record that has to be in the log before it does."""

    status: int
    headers: Headers
    body: bytes = b""
    record: tuple[int, *tuple[bytes, ...]] | None = None
    must_be_kept: bool = False  # whether it may only leave if the record could be written


def compute_answer(asked: Asked) -> Answer:
    """The answer to any request."""
    if is_redirect(asked.path):
        return _redirect(asked)
    place, _, query = asked.path.partition(b"?")
    if place == EVENTS_PATH:
        return _take_events(asked, query)
    if place == HEALTH_PATH and asked.method in {"GET", "HEAD"}:
        return Answer(200, (_TEXT, (b"Cache-Control", b"no-store")), b"ok\n")
    return Answer(404, (_TEXT,), b"Nothing is here.\n")


def compute_failed(answer: Answer) -> Answer:
    """What is answered where the log could not take the record: a listener still gets the episode."""
    if not answer.must_be_kept:
        return answer
    return Answer(503, (*_OPEN, (b"Retry-After", b"10"), _TEXT), b"The log cannot be written at the moment.\n")


def encode_head(asked: Asked) -> bytes:
    """The request's head as the log keeps it."""
    kept = [name + b": " + value + b"\r\n" for name, value in asked.headers.items() if name in KEPT_HEADERS]
    return asked.method.encode("ascii") + b" " + asked.path + b" HTTP/1.1\r\n" + b"".join(kept) + b"\r\n"


def _redirect(asked: Asked) -> Answer:
    if asked.method not in {"GET", "HEAD"}:
        return Answer(405, ((b"Allow", b"GET, HEAD"), _TEXT), b"Only GET and HEAD lead on.\n")
    target = try_parse_target(asked.path)
    if target is None:
        return Answer(404, (_TEXT,), b"Behind the prefix stands no address of a file.\n")
    if asked.headers.get(b"sec-fetch-dest") == b"document" and not target.looks_like_media:
        # A link that somebody follows in a browser, to something that is no media file: what open redirects are
        # abused for. Players and podcast apps never ask so.
        return Answer(403, (_TEXT,), b"This prefix leads to audio and video files only.\n")
    return Answer(302, (*REDIRECT_HEADERS, (b"Location", target.url)), record=(REQUEST, encode_head(asked)))


def _take_events(asked: Asked, query: bytes) -> Answer:
    if asked.method == "OPTIONS":
        return Answer(204, _PREFLIGHT)
    if asked.method not in {"GET", "POST"}:
        return Answer(405, ((b"Allow", b"GET, OPTIONS, POST"), _TEXT), b"Events come by POST or GET.\n")
    if asked.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        return Answer(415, (*_OPEN, _TEXT), b"Bodies are taken as they are, not packed.\n")
    try:
        body = encode_query(query) if asked.method == "GET" else asked.body
        count = sum(len(delivery.events) for delivery in parse_deliveries(body))
    except msgspec.MsgspecError as error:
        return Answer(400, (*_OPEN, _JSON), msgspec.json.encode(describe_fault(error)))
    record = (EVENTS, encode_head(asked), body)
    if asked.method == "GET":
        return Answer(204, _OPEN, record=record, must_be_kept=True)
    return Answer(202, (*_OPEN, _JSON), b'{"received":%d}' % count, record, must_be_kept=True)
