"""Redirects that come in masses, answered where their bytes arrive: on the port of the pages as on the intake's own.

A framework takes ten times as long as such an answer does. So a connection between two requests looks at what comes
whole in one piece; castline.intake.short knows that one form, and everything else goes the way of every request.
"""

import re
import time
from typing import TYPE_CHECKING, Any, Final

import h11

from castline.ingest.segment_log import REQUEST, encode_record
from castline.intake.connection import find_address
from castline.intake.short import END, try_short
from castline.web.context import Context
from castline.web.hits.connection import Connection

if TYPE_CHECKING:
    from castline.intake.server import IntakeServer

_BEGIN: Final = b"GET /e"
_LONGEST_HELD: Final = 64 * 1024
_REDIRECT: Final = re.compile(rb"(?:GET|HEAD) /e[,/]")
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")


class ShortWay(Connection):
    """A connection of the web server; at most one short answer is under way, and what comes meanwhile waits for it."""

    def __init__(self, config: Any, *given: Any, **named: Any) -> None:
        super().__init__(config, *given, **named)
        # The application is castline.web.app's; its lifespan has opened the desk.
        self._desk: IntakeServer | None = getattr(config.app.state, "desk", None)
        self._context: Context = config.app.state.context
        self._held = bytearray()
        self._is_asked = self._is_leaving = False

    def data_received(self, data: bytes) -> None:
        if self._is_asked:
            self._held += data
            if len(self._held) > _LONGEST_HELD:
                self.flow.pause_reading()
            return
        if not data.isascii() and self._is_between():
            data = _escape_address(data)
        if not self._take(data):
            super().data_received(data)

    def is_awaiting(self) -> bool:
        return not self._is_asked and super().is_awaiting()

    def send(self, answer: bytes) -> None:
        """The answer is on its way, and what waited for it goes on."""
        self._is_asked = False
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if self._is_leaving:
            self.transport.close()
            return
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        if self._held:
            held = bytes(self._held)
            self._held.clear()
            self.flow.resume_reading()
            self.data_received(held)

    def shutdown(self) -> None:
        if self._is_asked:
            self._is_leaving = True
        else:
            super().shutdown()

    def _take(self, data: bytes) -> bool:
        """Whether the data are one redirect that is answered the short way."""
        desk = self._desk
        if desk is None or not data.startswith(_BEGIN) or not data.endswith(END) or not self._is_between():
            return False
        found = try_short(data)
        if found is None or not self._context.origins.knows(found[1].decode("ascii")):
            return False
        self._unset_keepalive_if_required()
        self._is_asked = True
        address = find_address(desk, self.client[0] if self.client else "", data)
        answer = desk.redirect_start + found[0] + END
        desk.submit(self, answer, (encode_record(REQUEST, time.time_ns() // 1000, address, data),), answer)
        return True

    def _is_between(self) -> bool:
        """Whether no request is under way, not even its first bytes, and the client reads what it is sent."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and self.conn.our_state is self.conn.their_state is h11.IDLE
            and self.conn.trailing_data == (b"", False)
            and not self.flow.write_paused
        )


def _escape_address(data: bytes) -> bytes:
    """The request, escaped where apps leave a redirect's address unescaped: the framework takes ASCII only."""
    if not _REDIRECT.match(data):
        return data
    line, end, rest = data.partition(b"\r\n")
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + end + rest
