"""What must be acknowledged at once is appended here, and becomes rows later: the answer needs no database.

One open file per process, named for it and locked by it. `take` closes it and hands every finished file to the drain;
a file whose process was killed is recognised by its free lock. A line that `append` has returned for is on the disk.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final
from uuid import uuid4

_NEW: Final = ".new"
_OPEN: Final = ".open"
_READY: Final = ".ready"


class Spool:
    """A folder of lines that wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._path = folder / f"{uuid4().hex}{_OPEN}"
        self._writing = Lock()
        self._syncing = Lock()
        self._written = 0
        self._synced = 0

    def append(self, line: bytes) -> None:
        """The line, which has no line break, is on the disk; lines that come together share one sync.

        Raises OSError, with nothing of the line kept, when the disk takes no more.
        """
        with self._writing:
            if self._file is None:
                self._file = self._open()
            _write_whole(self._file, line + b"\n")
            self._written += 1
            mine = self._written
        with self._syncing:
            if self._synced >= mine:
                return
            with self._writing:
                target, file = self._written, self._file
            if file is not None:  # else somebody took the file, and synced it before
                os.fdatasync(file)
            self._synced = target

    @contextmanager
    def take(self) -> Iterator[list[Path]]:
        """Finished files of this spool, oldest first, held against every other drain; delete what became rows."""
        self._finish_own()
        with _locked(self._folder) as is_mine:
            if is_mine:
                self._finish_orphans()
            yield sorted(self._folder.glob(f"*{_READY}"), key=lambda path: path.stat().st_mtime_ns) if is_mine else []

    def close(self) -> None:
        """This process writes no more; what it wrote waits for the next drain."""
        self._finish_own()

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = self._folder / f"{uuid4().hex}{_OPEN}"
        # Locked before it bears the name that a drain looks for; until then it could be taken for an orphan.
        unnamed = self._path.with_suffix(_NEW)
        file = os.open(unnamed, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        unnamed.rename(self._path)
        return file

    def _finish_own(self) -> None:
        with self._syncing, self._writing:
            if self._file is None:
                return
            os.fdatasync(self._file)
            self._path.rename(self._path.with_suffix(_READY))
            os.close(self._file)
            self._file = None
            self._synced = self._written

    def _finish_orphans(self) -> None:
        for path in self._folder.glob(f"*{_OPEN}"):
            try:
                file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.rename(path.with_suffix(_READY))
            except (BlockingIOError, FileNotFoundError):
                continue
            finally:
                os.close(file)


def _write_whole(file: int, data: bytes) -> None:
    """All of the data or none: half a line would join the next one."""
    before = os.fstat(file).st_size
    try:
        if os.write(file, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301  # both ways out cut the same
    except OSError:
        os.ftruncate(file, before)
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether this drain is the only one for as long as the block runs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(folder / "drain.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
