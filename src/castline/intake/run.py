"""The intake as a process or a thread: the loop, the signals, and the drain beside it."""

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from castline.base.errors import CastlineError
from castline.intake.drain import drain_intake
from castline.intake.room import raise_limit
from castline.intake.server import IntakeOptions, IntakeServer
from castline.store.pool import Store

_log = logging.getLogger(__name__)
DRAIN_SECONDS: Final = 5.0
_LOCK_SECONDS: Final = 1.0  # while one account's days are measured, the others' are landed
_LAST_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 20.0
OpenStore = Callable[[], AbstractContextManager[Store]]


def run_intake(data_dir: Path, sock: socket.socket, stop: threading.Event, options: IntakeOptions) -> None:
    """Serves until `stop` is set, or until SIGTERM or SIGINT where this is the main thread; then drains."""
    raise_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(data_dir, sock, stop, options))


def intake_beside(data_dir: Path, sock: socket.socket, options: IntakeOptions) -> AbstractContextManager[None]:
    """An intake server answers in a thread while the block runs."""
    return _beside("intake", lambda stop: run_intake(data_dir, sock, stop, options))


@dataclass(slots=True)
class _Leave:
    """Says when a process that was asked to stop has to go."""

    stop: threading.Event
    until: float | None = None

    def is_over(self) -> bool:
        if self.until is None and self.stop.is_set():
            self.until = time.monotonic() + _LAST_SECONDS
        return self.until is not None and time.monotonic() > self.until


def run_drain(open_store: OpenStore, stop: threading.Event) -> None:
    """What the intake took becomes rows, every few seconds, until `stop` is set; once more then, for some seconds.

    What is left by then is landed by whoever drains next. A store that cannot be opened or reached is tried again;
    meanwhile everything waits on the disk.
    """
    store: Store | None = None
    wait_seconds, is_away = 0.0, False
    leave = _Leave(stop)
    with ExitStack() as stack:
        while True:
            is_last = stop.wait(wait_seconds)
            wait_seconds = DRAIN_SECONDS
            try:
                if store is None:
                    opened = stack.enter_context(open_store())
                    store = stack.enter_context(opened.beside("drain", lock_seconds=_LOCK_SECONDS))
                drain_intake(store, is_over=leave.is_over)
                is_away = False
            except CastlineError as error:
                if not is_away:  # once, not every five seconds
                    _log.warning("what the intake took waits on the disk: %s", error.message)
                is_away = True
            except Exception:  # noqa: BLE001  # nothing that a client sent may end the drain
                _log.exception("what the intake took waits on the disk")
            if is_last:
                return


def drain_beside(open_store: OpenStore) -> AbstractContextManager[None]:
    """The drain works in a thread while the block runs."""
    return _beside("intake-drain", lambda stop: run_drain(open_store, stop))


@contextmanager
def _beside(name: str, work: Callable[[threading.Event], None]) -> Iterator[None]:
    """The work goes on in a thread while the block runs; it has some seconds to end once it is told to stop."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_GOODBYE_SECONDS)


async def _serve(data_dir: Path, sock: socket.socket, stop: threading.Event, options: IntakeOptions) -> None:
    server = IntakeServer(data_dir, options)
    await server.start(sock)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
    while not stopped.is_set() and not stop.is_set():
        try:
            await asyncio.wait_for(stopped.wait(), 0.2)
        except TimeoutError:
            continue
    await server.drain()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """The loop of uvloop where there is one: it answers twice as many."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415  # Windows has none

    return uvloop.new_event_loop
