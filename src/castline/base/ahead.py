"""Work one item ahead: while one is used, the next is made in a thread."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


def read_ahead(source: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items; the next one is made in a thread meanwhile (zlib, SHA-256 and polars let other threads run).

    Closed before the end, it closes the source and leaves no thread: whoever may stop taking uses `closing`.
    """
    ready: Queue[_Entry[Item]] = Queue(maxsize=1)
    stopped = Event()
    thread = Thread(target=_fill, args=(source, ready, stopped), name="read-ahead", daemon=True)
    thread.start()
    try:
        while (entry := ready.get()).item is not None:
            yield entry.item
        if entry.error is not None:
            raise entry.error
    finally:
        stopped.set()
        thread.join()


def _fill(source: Iterator[Item], ready: "Queue[_Entry[Item]]", stopped: Event) -> None:
    try:
        for item in source:
            _put(ready, _Entry(item), stopped)
            if stopped.is_set():
                return
        _put(ready, _Entry(None), stopped)
    except BaseException as error:  # noqa: BLE001  # it is raised again where the items are taken
        _put(ready, _Entry(None, error), stopped)
    finally:
        if isinstance(source, Generator):
            source.close()


def _put(ready: "Queue[_Entry[Item]]", entry: "_Entry[Item]", stopped: Event) -> None:
    while not stopped.is_set():
        try:
            ready.put(entry, timeout=0.2)
        except Full:
            continue
        return


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Item]):
    item: Item | None
    error: BaseException | None = None
