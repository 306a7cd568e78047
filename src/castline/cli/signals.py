"""How a command that runs until it is stopped hears of it."""

import signal
import threading
from queue import SimpleQueue


def set_on_signal(stop: threading.Event) -> None:
    """SIGTERM and SIGINT set `stop` from now on.

    Not from the handler itself: it may interrupt the very thread that waits for `stop` while that holds its lock.
    """
    asked: SimpleQueue[None] = SimpleQueue()

    def pass_on() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=pass_on, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.put(None))
