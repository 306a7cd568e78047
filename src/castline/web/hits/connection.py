"""A connection of the web server that waits for nobody without end, is none too many, and reads heads strictly.

uvicorn ends a connection on which nothing comes after an answer. One on which nothing ever comes, or never the end of
a request, it keeps: with a thousand of those no file can be opened any more, and the intake's log is one.
"""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from castline.intake.request import HEAD_BYTES
from castline.intake.room import compute_room
from castline.web.hits.strict_head import StrictHead

HEAD_SECONDS: Final = 15.0  # as at the intake's own port
BODY_SECONDS: Final = 60.0  # for each _PART_BYTES of a body: the API takes 8 MiB
_PART_BYTES: Final = 64 * 1024  # a phone on a poor line sends as much in a minute; 8 MiB end within two hours
_LOOK_SECONDS: Final = 5.0
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """Ends whoever does not come to the end of a request in time."""

    def __init__(self, config: Any, *given: Any, **named: Any) -> None:
        super().__init__(config, *given, **named)
        self.conn = StrictHead(h11.SERVER, config.h11_max_incomplete_event_size or HEAD_BYTES)
        self._look: asyncio.TimerHandle | None = None
        # What is awaited, the rest of a head or of a body, behind which request, and since when.
        self._awaited: tuple[RequestResponseCycle | None, object] | None = None
        self._since = 0.0
        self._byte_count = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > compute_room():
            transport.abort()
            return
        self._note_awaited()
        self._look = self.loop.call_later(_LOOK_SECONDS, self._judge_pace)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._look is not None:
            self._look.cancel()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._byte_count += len(data)
        self._note_awaited()

    def is_awaiting(self) -> bool:
        """Whether the client owes us the rest of a request, or the first one."""
        is_begun = self.conn.their_state in {h11.IDLE, h11.SEND_BODY}
        return is_begun and self.timeout_keep_alive_task is None and not self.flow.read_paused

    def _note_awaited(self) -> None:
        awaited = (self.cycle, self.conn.their_state) if self.is_awaiting() else None
        is_going_on = self.conn.their_state is h11.SEND_BODY and self._byte_count >= _PART_BYTES
        if awaited != self._awaited or is_going_on:
            self._awaited, self._since, self._byte_count = awaited, self.loop.time(), 0

    def _judge_pace(self) -> None:
        self._note_awaited()
        most = HEAD_SECONDS if self.conn.their_state is h11.IDLE else BODY_SECONDS
        if self._awaited is not None and self.loop.time() - self._since > most:
            self._refuse_slow()
        else:
            self._look = self.loop.call_later(_LOOK_SECONDS, self._judge_pace)

    def _refuse_slow(self) -> None:
        """The connection ends, with a 408 where a body does not come and nothing was answered yet."""
        if self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.SEND_RESPONSE:
            self.transport.write(_TOO_SLOW)
        self.transport.close()
