"""What must be acknowledged at once is appended here, and becomes rows later: the answer needs no database.

The log of the intake and of the pixel: frames appended to segment files, each frame with its length and its checksum.
A record that `append` has returned for is in the file: it survives the process, however that ends. A frame whose tail
a power cut tore off is recognised, and what stands behind damage is found again. One open segment per writer, locked
by it; a segment whose writer was killed is known by its free lock.
"""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from zlib_ng.zlib_ng import crc32

from castline.ingest.log_frame import HEADER, MAGIC, Frame, write_frame

LOG_FOLDER: Final = Path("intake") / "log"  # below the data folder
NEW: Final = ".new"
OPEN: Final = ".open"
READY: Final = ".ready"
SYNC_WITHIN: Final = 0.005  # s; with the sync itself it stays within the 10 ms that the relaxed mode promises
_SEGMENT_SECONDS: Final = 5.0
_SEGMENT_BYTES: Final = 64 * 1024 * 1024
_RETRY_SECONDS: Final = 0.1
_RECORD: Final = struct.Struct("<BQBI")  # kind, microseconds since 1970, length of the address, length of the text
_LONGEST_FRAME: Final = 256 * 1024 * 1024

OnSynced = Callable[[int, OSError | None], object]
REQUEST: Final = 1
EVENTS: Final = 2
PIXEL: Final = 3
REFUSED: Final = 4


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that came: a request's head; for EVENTS with a blank line and the body; PIXEL and REFUSED are JSON."""

    kind: int
    at_us: int
    address: str
    text: bytes


@dataclass(frozen=True, slots=True)
class RefusedHits:
    """The text of a REFUSED record: how many hits of a pixel were not taken, because they were too many."""

    campaign_id: UUID
    at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Segment:
    """What a segment holds; `damaged_bytes` could not be read, and were never synced or were harmed since."""

    records: list[Record]
    damaged_bytes: int


def encode_record(kind: int, at_us: int, address: bytes, text: bytes) -> bytes:
    """The record as it stands in a frame."""
    return _RECORD.pack(kind, at_us, len(address), len(text)) + address + text


def encode_parted_record(kind: int, at_us: int, address: bytes, *texts: bytes) -> list[bytes]:
    """The pieces of a record whose text is in several: none of them is copied."""
    return [_RECORD.pack(kind, at_us, len(address), sum(map(len, texts))) + address, *texts]


def encode_segment(records: Iterable[Record]) -> bytes:
    """A segment that holds the records."""
    pieces = (encode_record(one.kind, one.at_us, one.address.encode("ascii", "replace"), one.text) for one in records)
    return b"".join(Frame(pieces).encode())


def parse_segment(content: bytes) -> Segment:
    """Every record of every whole frame, in order."""
    records: list[Record] = []
    place = damaged = 0
    while place < len(content):
        end = _end_of_frame(content, place)
        if end is None:
            found = content.find(MAGIC, place + 1)
            found = len(content) if found < 0 else found
            damaged += found - place
            place = found
            continue
        records += _iter_records(content, place + HEADER.size, end)
        place = end
    return Segment(records, damaged)


def _end_of_frame(content: bytes, place: int) -> int | None:
    if len(content) - place < HEADER.size:
        return None
    magic, length, checksum = HEADER.unpack_from(content, place)
    end = place + HEADER.size + length
    if magic != MAGIC or length > _LONGEST_FRAME or end > len(content):
        return None
    return end if crc32(memoryview(content)[place + HEADER.size : end]) == checksum else None


def _iter_records(content: bytes, place: int, end: int) -> Iterator[Record]:
    while place < end:
        kind, at_us, address_length, length = _RECORD.unpack_from(content, place)
        start = place + _RECORD.size
        text = start + address_length
        place = text + length
        yield Record(kind, at_us, content[start:text].decode("ascii", "replace"), content[text:place])


class LogWriter:
    """Appends records to the folder's open segment; a thread syncs and closes segments.

    `on_synced` is told, in that thread, up to which number the records are on the disk, or could not be put there.
    In the strict mode what comes while a sync is under way is written by that thread too, as one frame after it and in
    one call with its sync: its answer waits for that anyhow, and who appends loses no time to the disk.
    """

    def __init__(self, folder: Path, *, is_strict: bool = False, on_synced: OnSynced | None = None) -> None:
        self.is_strict = is_strict
        self._folder, self._on_synced = folder, on_synced
        self._lock = threading.Lock()
        self._turned = threading.Condition(self._lock)
        self._wake = threading.Event()
        self._file: int | None = None
        self._path = folder
        self._opened_at = 0.0
        self._size = self._taken = self._written = self._synced = 0
        self._pending = Frame()
        self._pending_bytes = 0
        self._is_syncing = self._is_closing = False
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    def append(self, pieces: Sequence[bytes]) -> int:
        """The records, in pieces, are in the file; returns the number that `on_synced` and `wait_synced` know them by.

        In the strict mode they may still be on their way there: whoever promises anything waits for the sync.
        Raises OSError where the disk refuses them; then nothing of them counts.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="intake-sync", daemon=True)
                self._thread.start()
            if self.is_strict and (self._is_syncing or self._pending.byte_count):
                self._queue(pieces)
            else:
                self._write(Frame(pieces))
                self._written += 1
            self._taken += 1
            number = self._taken
        if not self._wake.is_set():
            self._wake.set()
        return number

    def wait_synced(self, number: int, timeout: float = 30.0) -> None:
        """The records of that number are on the disk. Raises OSError where they are not."""
        with self._turned:
            if not self._turned.wait_for(lambda: self._synced >= number or self._error is not None, timeout):
                raise TimeoutError
            if self._synced < number and self._error is not None:
                raise self._error

    def close(self) -> None:
        """Everything is on the disk and the segment is closed; nothing may be appended any more."""
        self._is_closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _queue(self, pieces: Sequence[bytes]) -> None:
        """The records wait for the sync that is under way; as many as a segment holds, then whoever appends does."""
        self._turned.wait_for(lambda: self._pending_bytes < _SEGMENT_BYTES or self._error is not None)
        if self._error is not None:
            raise self._error
        before = self._pending.byte_count
        self._pending.add(pieces)
        self._pending_bytes += self._pending.byte_count - before

    def _write(self, frame: Frame, *, is_synced: bool = False) -> None:
        """The frame is in the file, with `is_synced` on the disk; the caller alone may write."""
        if self._file is None:
            self._file = self._open()
        self._size += write_frame(self._file, frame, self._size, is_synced=is_synced)

    def _work(self) -> None:
        while True:
            woken = self._wake.wait(1.0)
            if woken and not self.is_strict and not self._is_closing:
                time.sleep(SYNC_WITHIN)
            self._wake.clear()
            is_last = self._is_closing
            try:
                self._sync(is_last=is_last)
                self._error = None
            except OSError as error:
                self._fail(error)
                if not is_last:
                    time.sleep(_RETRY_SECONDS)
                    self._wake.set()
            if is_last:
                return

    def _sync(self, *, is_last: bool) -> None:
        with self._lock:
            self._is_syncing = self._pending.byte_count > 0 or self._written > self._synced
        try:
            self._write_pending()
            with self._lock:
                file, target = self._file, self._written
                age = time.monotonic() - self._opened_at
                is_full = is_last or self._size >= _SEGMENT_BYTES or age >= _SEGMENT_SECONDS
            if file is None:
                return
            if target > self._synced:
                os.fdatasync(file)
                self._tell(target)
            if is_full:
                self._close_segment(file)
        finally:
            with self._lock:
                self._is_syncing = False

    def _write_pending(self) -> None:
        """What came while the last sync was under way is a frame of its own, and synced.

        What the disk refuses goes on waiting. Raises OSError.
        """
        with self._lock:
            pending, self._pending, target = self._pending, Frame(), self._taken
        if not pending.byte_count:
            return
        try:
            self._write(pending, is_synced=True)
        except OSError:
            with self._lock:
                self._pending = pending.followed_by(self._pending)
            raise
        with self._lock:
            self._written = target
            self._pending_bytes = self._pending.byte_count
        self._tell(target)

    def _close_segment(self, file: int) -> None:
        with self._lock:
            path, target, self._file = self._path, self._written, None
        try:
            if target > self._synced:
                os.fdatasync(file)
                self._tell(target)
        finally:
            path.rename(path.with_suffix(READY))
            os.close(file)
        _sync_folder(self._folder)

    def _tell(self, target: int) -> None:
        with self._turned:
            self._synced = target
            self._turned.notify_all()
        if self._on_synced is not None:
            self._on_synced(target, None)

    def _fail(self, error: OSError) -> None:
        with self._turned:
            self._error = error
            taken = self._taken
            self._turned.notify_all()
        if self._on_synced is not None:
            self._on_synced(taken, error)

    def _open(self) -> int:
        make_folder(self._folder)
        self._path = self._folder / f"{time.time_ns():020d}-{uuid4().hex[:12]}{OPEN}"
        # Locked before it bears the name that a drain looks for; until then it could be taken for an orphan.
        unnamed = self._path.with_suffix(NEW)
        file = os.open(unnamed, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        unnamed.rename(self._path)
        self._opened_at, self._size = time.monotonic(), 0
        return file


@contextmanager
def take_segments(folder: Path) -> Iterator[list[Path] | None]:
    """The closed segments, oldest first, held against every other drain; None where another drain is at work."""
    make_folder(folder)
    file = os.open(folder / "drain.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            _close_orphans(folder)
            yield sorted(folder.glob(f"*{READY}"))
    finally:
        os.close(file)


def make_folder(folder: Path) -> None:
    """The folder is there, for this user alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _close_orphans(folder: Path) -> None:
    """Segments whose writer is gone are closed."""
    for path in folder.glob(f"*{OPEN}"):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.rename(path.with_suffix(READY))
        except (BlockingIOError, FileNotFoundError):
            continue
        finally:
            os.close(file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
