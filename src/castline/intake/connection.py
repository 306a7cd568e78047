"""One connection of the intake: requests to the desk, and an end for whoever is too slow, too long or wrong."""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from typing import Final, Protocol, cast

from castline.ingest.segment_log import REQUEST, encode_parted_record, encode_record
from castline.intake.answer import Answer, Asked, compute_answer
from castline.intake.request import (
    BODY_BYTES,
    HEAD_BYTES,
    BadRequest,
    ChunkedBody,
    Head,
    parse_head,
)
from castline.intake.short import END, try_short
from castline.intake.wire import encode_answer, encode_refusal

_log = logging.getLogger(__name__)
REQUESTS_PER_CONNECTION: Final = 10_000
_FORWARDED: Final = re.compile(rb"\r\nx-forwarded-for:([^\r]*)")


class Client(Protocol):
    """Who gets an answer."""

    def send(self, answer: bytes, /) -> None: ...


class Proxies(Protocol):
    """Who knows whom to believe about addresses."""

    def find_address(self, peer: str, forwarded: list[str]) -> str: ...

    def is_proxy(self, peer: str) -> bool: ...


def find_address(desk: Proxies, peer: str, head: bytes) -> bytes:
    """The address that a request came from, as a record bears it."""
    if desk.is_proxy(peer):
        headers = [line.decode("latin-1") for line in _FORWARDED.findall(head.lower())]
        peer = desk.find_address(peer, headers)
    return peer[:64].encode("ascii", "replace")


class Desk(Proxies, Protocol):
    """Whom connections hand their requests to; answers leave in the order of `submit`."""

    redirect_start: bytes
    is_draining: bool
    connections: "dict[Connection, None]"

    def submit(
        self, connection: Client, /, answer: bytes, pieces: Sequence[bytes] = (), failed: bytes | None = None
    ) -> None: ...

    def admit(self, connection: "Connection", /) -> bool: ...


class Connection(asyncio.Protocol):
    """A client. `since` is when what it owes us (the rest of a request, or the next one) began to be awaited.

    It is zero behind a request, until the server's next look at whoever has its answer.
    """

    __slots__ = (
        "_address",
        "_body",
        "_buffer",
        "_desk",
        "_has_ended",
        "_head",
        "_is_done",
        "_peer",
        "_transport",
        "_via_proxy",
        "is_paused",
        "request_count",
        "since",
    )

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._buffer = bytearray()
        self._head: Head | None = None
        self._body: ChunkedBody | None = None
        self._peer, self._address, self._via_proxy = "", b"", False
        self._has_ended = self._is_done = False
        self._transport: asyncio.Transport | None = None
        self.request_count, self.since, self.is_paused = 0, time.monotonic(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self._address = self._peer.encode("ascii", "replace")
        self._via_proxy = self._desk.is_proxy(self._peer)
        if not self._desk.admit(self):
            self._is_done = True
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        self._desk.connections.pop(self, None)
        self._transport, self._is_done = None, True

    def pause_writing(self) -> None:
        # A client that asks on and on and reads nothing.
        self.is_paused, self.since = True, time.monotonic()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.is_paused, self.since = False, time.monotonic()
        if self._transport is not None and not self._is_done:
            self._transport.resume_reading()
            self._advance()

    def data_received(self, data: bytes) -> None:
        if self._is_done:
            return
        if not self._buffer and self._head is None:
            if self._try_short(data):
                return
            self.since = time.monotonic()
        self._buffer += data
        self._advance()

    def eof_received(self) -> bool:
        """A client that says that it will send no more still gets its answers."""
        self._has_ended = self._is_done = True
        self._desk.submit(self, b"")
        return True

    def send(self, answer: bytes) -> None:
        """The answer is on its way, if anybody is still there; an empty one is the end."""
        transport = self._transport
        # uvloop raises where a transport is written to after it closed.
        if transport is None or transport.is_closing():
            return
        if answer:
            transport.write(answer)
        elif self._has_ended:
            transport.close()
        else:
            # Closed at once, what the client still sends would reset the connection before it has read the answer.
            self.since = time.monotonic()
            transport.write_eof()

    def refuse_slow(self, status: int, detail: str) -> None:
        """The connection ends with this status; an idle one simply ends."""
        if self._buffer or self._head is not None:
            self._end(BadRequest(status, detail))
        elif self._transport is not None:
            self._is_done = True
            self._transport.close()

    def abort(self) -> None:
        """The connection is gone at once."""
        self._is_done = True
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_done(self) -> bool:
        """Whether nothing more is taken from the client."""
        return self._is_done

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._buffer and self._head is None

    def _try_short(self, data: bytes) -> bool:
        desk, found = self._desk, try_short(data)
        count = self.request_count + 1
        if found is None or desk.is_draining or count >= REQUESTS_PER_CONNECTION:
            return False
        address = find_address(desk, self._peer, data) if self._via_proxy else self._address
        self.request_count = count
        answer = desk.redirect_start + found[0] + END
        desk.submit(self, answer, (encode_record(REQUEST, time.time_ns() // 1000, address, data),), answer)
        self.since = 0.0
        return True

    def _advance(self) -> None:
        """Every whole request in the buffer is at the desk."""
        try:
            while not self._is_done and not self.is_paused and self._step():
                pass
        except BadRequest as refusal:
            self._end(refusal)
        except Exception:  # noqa: BLE001  # one request's trouble is answered, told, and ends its own connection only
            _log.exception("a request could not be answered")
            self._end(BadRequest(500, "the intake failed on this request"))
        if self.is_idle:
            self.since = 0.0

    def _step(self) -> bool:
        if self._head is None and not self._read_head():
            return False
        head = self._head
        if head is None:
            return False
        body = self._body.feed(self._buffer) if self._body else self._take_plain(head.length or 0)
        if body is None:
            if len(self._buffer) > 2 * BODY_BYTES:
                raise BadRequest(413, "the body does not end")
            return False
        self._head = self._body = None
        self._finish(head, body)
        return True

    def _read_head(self) -> bool:
        while self._buffer.startswith(b"\r\n"):
            # RFC 9112, section 2.2: some clients end a body with a line end that nobody asked for.
            del self._buffer[:2]
        end = self._buffer.find(END, 0, HEAD_BYTES + 4)
        if end < 0:
            if len(self._buffer) > HEAD_BYTES:
                is_line = b"\r\n" not in self._buffer[:HEAD_BYTES]
                raise BadRequest(414 if is_line else 431, f"the request's head is longer than {HEAD_BYTES} bytes")
            return False
        head = parse_head(bytes(self._buffer[: end + 4]))
        del self._buffer[: end + 4]
        if head.has_body and head.method != "POST":
            raise BadRequest(400, "only POST has a body")
        self._head, self._body = head, ChunkedBody() if head.length is None else None
        self._greet(head)
        return True

    def _greet(self, head: Head) -> None:
        """Whoever waits to be asked for the body is asked."""
        expected = head.headers.get(b"expect")
        if expected is None:
            return
        if expected.lower() != b"100-continue":
            raise BadRequest(417, "only 100-continue can be expected")
        if head.has_body and not head.is_old:  # RFC 9110, section 10.1.1: HTTP/1.0 knows of no such answer
            self._desk.submit(self, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_plain(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _finish(self, head: Head, body: bytes) -> None:
        self.request_count += 1
        lasting = head.is_lasting and self.request_count < REQUESTS_PER_CONNECTION and not self._desk.is_draining
        answer = compute_answer(Asked(head.method, head.path, head.headers, body))
        forwarded = [head.headers[b"x-forwarded-for"]] if b"x-forwarded-for" in head.headers else []
        address = self._client(forwarded) if self._via_proxy else self._address
        self._answer(answer, address, head, lasting=lasting)

    def _answer(self, answer: Answer, address: bytes, head: Head, *, lasting: bool) -> None:
        pieces: Sequence[bytes] = ()
        if answer.record is not None:
            kind, *texts = answer.record
            pieces = encode_parted_record(kind, time.time_ns() // 1000, address, *texts)
        # A client of HTTP/1.0 believes in a lasting connection only where it is told so.
        goes_on = (b"keep-alive" if head.is_old else b"") if lasting else b"close"
        sent, failed = encode_answer(answer, is_head=head.method == "HEAD", connection=goes_on)
        self._desk.submit(self, sent, pieces, failed)
        if not lasting:
            self._is_done = True
            self._buffer.clear()
            self._desk.submit(self, b"")

    def _end(self, refusal: BadRequest) -> None:
        """The refusal is the last that leaves on this connection."""
        self._is_done = True
        self._buffer.clear()
        self._head = self._body = None
        self._desk.submit(self, encode_refusal(refusal.status, refusal.detail))
        self._desk.submit(self, b"")

    def _client(self, forwarded: list[bytes]) -> bytes:
        headers = [line.decode("latin-1") for line in forwarded]
        return self._desk.find_address(self._peer, headers)[:64].encode("ascii", "replace")
