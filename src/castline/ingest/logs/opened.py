"""A log file that is opened once: hashed, looked into and read it stays the same file, whoever renames it meanwhile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Final

from castline.base.errors import SourceUnreadable
from castline.sources.logs.file import LogFile
from castline.sources.logs.format import LogFormat

_CHUNK: Final = 1024 * 1024
_BEGINNING: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A log file, open under the name `path`, and what it was when it was opened. One reading of it at a time.

    Every reading of it has the same lines: those that the format `asked` for has, or that no envelope is left around.
    """

    path: Path
    descriptor: int
    begun: os.stat_result
    asked: LogFormat | None = None
    beginning: bytes = field(default=b"", repr=False)  # its first bytes, as they were then

    def read_anew(self) -> LogFile:
        """The log from its first byte; an earlier reading of it is at its end."""
        return LogFile(self.path, stream=self._rewind(), asked=self.asked)

    def compute_hash(self) -> str:
        """SHA-256 of the file as it lies there, so that a second import need not even unpack it."""
        digest, file = sha256(), self._rewind()
        try:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return digest.hexdigest()

    def was_emptied_under(self, reading: LogFile) -> bool:
        """Whether the file was cut, as logrotate's copytruncate does, before the reading came to its former end.

        One that has grown past its former size since begins with other lines; how far the old ones were read, nobody
        can tell.
        """
        size, read_bytes = self.begun.st_size, reading.whole_lines.byte_count + reading.open_bytes
        if os.fstat(self.descriptor).st_size < size:
            return read_bytes < size
        return os.pread(self.descriptor, len(self.beginning), 0) != self.beginning

    def is_unchanged(self) -> bool:
        """Whether nothing was written to the file since it was opened."""
        now = os.fstat(self.descriptor)
        return (now.st_size, now.st_mtime_ns) == (self.begun.st_size, self.begun.st_mtime_ns)

    def _rewind(self) -> FileIO:
        try:
            file = FileIO(self.descriptor, closefd=False)
            file.seek(0)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return file


@contextmanager
def open_log(path: Path, asked: LogFormat | None = None) -> Iterator[OpenedLog]:
    """The log is open until the block ends. Raises SourceUnreadable."""
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        descriptor = file.fileno()
        begun = os.fstat(descriptor)
        try:
            beginning = os.pread(descriptor, min(_BEGINNING, begun.st_size), 0)
        except OSError as error:  # a folder, for one
            raise _unreadable(path, error) from error
        yield OpenedLog(path, descriptor, begun, asked, beginning)


def _unreadable(path: Path, error: OSError) -> SourceUnreadable:
    return SourceUnreadable(source=path, detail=error.strerror or str(error))
