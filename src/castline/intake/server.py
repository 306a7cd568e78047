"""The intake server: answers machines, and needs nothing but its log.

A record is in the log before its answer leaves: what came within one turn of the event loop is one frame, one write.
In the strict mode the frame is also on the disk before; in the relaxed mode within 10 ms.
"""

import asyncio
import errno
import logging
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from castline.base.config import Network
from castline.ingest.segment_log import LOG_FOLDER, LogWriter
from castline.intake.connection import Client, Connection
from castline.intake.room import compute_room
from castline.intake.wire import encode_redirect_start
from castline.sources.proxies import find_client, is_trusted

_log = logging.getLogger(__name__)
Durability = Literal["strict", "relaxed"]
_DRAIN_SECONDS: Final = 10.0
_FAREWELL_SECONDS: Final = 0.5  # a client at work is told with its next answer that it is the last
_IDLE_SECONDS: Final = 1.0  # a connection that was used just now may bring its next request any moment


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take. Seconds, and connections at once; the rest stands in castline.intake.request."""

    request_seconds: float = 15.0
    idle_seconds: float = 65.0
    goodbye_seconds: float = 5.0
    connections: int = 16_384
    sweep_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """How an intake server runs."""

    durability: Durability = "relaxed"
    trusted_proxies: tuple[Network, ...] = ()
    limits: Limits = Limits()


# Connection, answer, and what is sent instead where the record could not be kept. A tuple: it is made for each request.
_Reply = tuple[Client, bytes, bytes | None]


class IntakeServer:
    """Serves one socket in one event loop, or answers for whoever has one there; every method runs in that loop."""

    def __init__(self, data_dir: Path, options: IntakeOptions = IntakeOptions()) -> None:
        self._options, self._loop = options, asyncio.get_running_loop()
        self._is_strict = options.durability == "strict"
        self._log = LogWriter(data_dir / LOG_FOLDER, is_strict=self._is_strict, on_synced=self._hear_synced)
        self._batch: list[_Reply] = []
        self._pieces: list[bytes] = []
        self._record_count = 0
        self._unsynced: list[tuple[int, list[_Reply]]] = []
        self._is_flush_due = self._is_losing = self.is_draining = False
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._complained_at = 0.0
        self._room = min(options.limits.connections, compute_room())
        self.connections: dict[Connection, None] = {}
        # Who asked for nothing at the last look, the longest idle first: a request costs nothing to keep them in order.
        self._resting: deque[Connection] = deque()
        self.redirect_start = encode_redirect_start(time.time())
        self.lost_count = 0

    async def start(self, sock: socket.socket) -> None:
        """The socket is served."""
        self._server = await self._loop.create_server(lambda: Connection(self), sock=sock, backlog=2048)
        self.begin()

    def begin(self) -> None:
        """The clock goes: answers bear the time, and who is too slow is ended."""
        self._sweeper = self._loop.create_task(self._sweep())

    async def drain(self) -> None:
        """Nothing new is taken, what had begun is answered, and all of it is on the disk."""
        self.is_draining = True
        if self._server is not None:
            self._server.close()
        began = time.monotonic()
        while time.monotonic() < began + _DRAIN_SECONDS:
            for connection in [one for one in self.connections if one.is_idle]:
                if not self._batch and not self._unsynced and time.monotonic() > began + _FAREWELL_SECONDS:
                    connection.refuse_slow(408, "")
            if not self.connections and not self._batch and not self._unsynced:
                break
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._loop.run_in_executor(None, self._log.close)

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more; where there is none, one that asks for nothing makes it."""
        if len(self.connections) >= self._room and not self._end_idle():
            return False
        self.connections[connection] = None
        return True

    def _end_idle(self) -> bool:
        """Whether one of those that were idle at the last look still is, and is ended."""
        while self._resting:
            one = self._resting.popleft()
            # A request since the look, answered or not, has set `since` to zero.
            if one in self.connections and one.is_idle and not one.is_done and one.since:
                del self.connections[one]
                one.refuse_slow(408, "")
                return True
        return False

    def is_proxy(self, peer: str) -> bool:
        """Whether what the peer says of addresses is believed."""
        return bool(self._options.trusted_proxies) and is_trusted(peer, self._options.trusted_proxies)

    def find_address(self, peer: str, forwarded: list[str]) -> str:
        """The address that a request came from."""
        return find_client(peer, forwarded, self._options.trusted_proxies) or peer

    def submit(
        self, connection: Client, answer: bytes, pieces: Sequence[bytes] = (), failed: bytes | None = None
    ) -> None:
        """The answer leaves once the record of these pieces, and everything before it, is in the log."""
        self._batch.append((connection, answer, failed))
        if pieces:
            self._pieces += pieces
            self._record_count += 1
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        batch, pieces, count = self._batch, self._pieces, self._record_count
        self._batch, self._pieces, self._record_count = [], [], 0
        number = 0
        if pieces:
            try:
                number = self._log.append(pieces)
            except OSError as error:
                self._lose(count, error)
                _send(batch, is_kept=False)
                return
            if self._is_losing:
                self._is_losing = False
                _log.warning("the intake's log is written again; %d records were lost or refused", self.lost_count)
        if self._is_strict and (number or self._unsynced):
            self._unsynced.append((number, batch))
        else:
            _send(batch)

    def _hear_synced(self, number: int, error: OSError | None) -> None:
        """Called in the log's thread."""
        if self._is_strict or error is not None:
            try:
                self._loop.call_soon_threadsafe(self._release, number, error)
            except RuntimeError:  # the loop has ended; what was not answered was not promised
                return

    def _release(self, number: int, error: OSError | None) -> None:
        if error is not None:
            self._lose(0, error)
        while self._unsynced and self._unsynced[0][0] <= number:
            _, batch = self._unsynced.pop(0)
            _send(batch, is_kept=error is None)

    def _lose(self, count: int, error: OSError) -> None:
        self._is_losing = True
        self.lost_count += count
        if time.monotonic() - self._complained_at > 10:  # noqa: PLR2004  # seconds; a full disk would fill the log too
            self._complained_at = time.monotonic()
            name = errno.errorcode.get(error.errno or 0, "")
            _log.error(
                "the intake's log cannot be written (%s %s); %d records lost or refused", name, error, self.lost_count
            )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._options.limits.sweep_seconds)
            self.redirect_start = encode_redirect_start(time.time())
            self._look(time.monotonic())

    def _look(self, at: float) -> None:
        """Who is too slow is ended, and who asks for nothing is known."""
        owed = {client for _, batch in [(0, self._batch), *self._unsynced] for client, _, _ in batch}
        for connection in list(self.connections):
            # Whoever waits for us is not slow, and not idle, however long the disk takes.
            if connection in owed and not connection.is_paused:
                continue
            try:
                _judge_pace(connection, at, self._options.limits)
            except Exception:  # noqa: BLE001  # one connection's trouble never ends the watch over the others
                _log.exception("a connection could not be ended")
        idle = (one for one in self.connections if one.is_idle and one not in owed and at - one.since > _IDLE_SECONDS)
        self._resting = deque(sorted(idle, key=lambda one: one.since))


def _judge_pace(connection: Connection, at: float, limits: Limits) -> None:
    if connection.since == 0.0:  # a request came since the last look
        connection.since = at
    waited = at - connection.since
    if (connection.is_paused and waited > limits.request_seconds) or (
        connection.is_done and waited > limits.goodbye_seconds
    ):
        connection.abort()
    elif not connection.is_idle and waited > limits.request_seconds:
        connection.refuse_slow(408, "the request did not come to its end in time")
    elif connection.is_idle and waited > limits.idle_seconds:
        connection.refuse_slow(408, "")


def _send(batch: list[_Reply], *, is_kept: bool = True) -> None:
    for connection, answer, failed in batch:
        try:
            connection.send(answer if is_kept or failed is None else failed)
        except Exception:  # noqa: BLE001  # a client that is gone must not cost the others their answers
            _log.debug("an answer could not be sent", exc_info=True)
