"""How a command that runs until it is stopped hears of it."""

import signal
import socket
import threading


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
