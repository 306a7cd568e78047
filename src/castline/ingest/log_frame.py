"""Frames of the segment log: what was appended together, with its length and its checksum, written whole or not at all.

Large pieces are written from where they are: a body of events is copied by the system alone.
"""

import os
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from errno import EINVAL, ENOSYS, EOPNOTSUPP
from typing import Final

from zlib_ng.zlib_ng import crc32

MAGIC: Final = b"\xcaSt\x01"
HEADER: Final = struct.Struct("<4sII")  # magic, length, CRC-32 of the payload
_LARGE: Final = 4096  # bytes of a piece, from which on it costs less to pass it on than to copy it
_AT_ONCE: Final = 512  # pieces, of the 1,024 that Linux takes in one call
_NOT_HERE: Final = (EOPNOTSUPP, ENOSYS, EINVAL)  # what file systems answer that cannot sync within a write


class Frame:
    """Pieces of records on their way to the file; the checksum goes along, so that writing looks at no byte again.

    `pieces` are only added to.
    """

    __slots__ = ("_checksum", "byte_count", "pieces")

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self.pieces: list[bytes] = []
        self._checksum = self.byte_count = 0
        self.add(pieces)

    def add(self, pieces: Iterable[bytes]) -> None:
        """The pieces stand behind the others."""
        for piece in pieces:
            self._checksum = crc32(piece, self._checksum)
            self.byte_count += len(piece)
            self.pieces.append(piece)

    def followed_by(self, other: "Frame") -> "Frame":
        """One frame of both."""
        return Frame([*self.pieces, *other.pieces])

    def encode(self) -> list[bytes]:
        """The frame as it stands in the file, in pieces: small ones are one."""
        header = HEADER.pack(MAGIC, self.byte_count, self._checksum)
        if self.byte_count >= _LARGE * len(self.pieces):
            return [header, *self.pieces]
        return [header + b"".join(self.pieces)]


def write_frame(file: int, frame: Frame, size: int, *, is_synced: bool = False) -> int:
    """The frame is whole behind the `size` bytes before it, with `is_synced` on the disk; returns its length.

    Raises OSError; then nothing of it is there: half a one must not stand before the next.
    """
    pieces = frame.encode()
    try:
        if not is_synced:
            return _write_all(file, pieces, size, 0)
        try:
            return _write_all(file, pieces, size, os.RWF_DSYNC)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            written = _write_all(file, pieces, size, 0)
            os.fdatasync(file)
            return written
    except OSError:
        # What cannot be cut off either is damage that a reader steps over.
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def _write_all(file: int, pieces: Sequence[bytes], size: int, flags: int) -> int:
    """One call, unless the system takes less: each that leaves Python waits for its turn while a body is decoded."""
    place, rest = size, list(pieces)
    while rest:
        done = os.pwritev(file, rest[:_AT_ONCE], place, flags)
        place += done
        while rest and done >= len(rest[0]):
            done -= len(rest.pop(0))
        if rest and done:
            rest[0] = rest[0][done:]
    return place - size
