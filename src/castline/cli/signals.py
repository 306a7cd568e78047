"""How a command hears that it is to stop."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT ends the process at once within, as it ends `cat`, unless it is ignored.

    For what keeps nothing and may wait for ever, as for a pipe. An exception would wait for the thread that reads
    ahead, and would not even come: polars, once imported, takes SIGINT so that the system goes on waiting after it. So
    import what needs polars before.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def set_on_signal(stop: threading.Event) -> None:
    """SIGTERM and SIGINT set `stop` from now on.

    Not from a handler: it may interrupt the very thread that waits for `stop` while that holds its lock, and it does
    not run at all where the system gave the signal to another thread while the main one sleeps. Python writes a byte
    when a signal comes, whichever thread it comes to.
    """
    told, teller = socket.socketpair()
    teller.setblocking(False)  # noqa: FBT003  # its only parameter
    signal.set_wakeup_fd(teller.detach(), warn_on_full_buffer=False)  # for as long as the process lives

    def pass_on() -> None:
        while told.recv(64):
            stop.set()

    threading.Thread(target=pass_on, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
