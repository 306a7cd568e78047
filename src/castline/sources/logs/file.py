"""A log file as blocks of whole lines, plain, gzip or zstd, with its hashes; a damaged file gives what can be read."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from zlib_ng import zlib_ng as zlib

from castline.base.ahead import read_ahead
from castline.base.errors import SourceUnreadable
from castline.sources.logs.columnar import PARQUET, ParquetBroken, iter_rows
from castline.sources.logs.envelope import unwrap
from castline.sources.logs.format import LogFormat

BLOCK_BYTES: Final = 24 * 1024 * 1024  # about 150,000 lines: larger blocks were no faster, and memory grows with them
_PORTION_LINES: Final = 750_000  # a block of ordinary lines has half as many
_READ_BYTES: Final = 1024 * 1024
_STEP_BYTES: Final = 4 * 1024 * 1024
_FIRST_LINE_BYTES: Final = 64 * 1024
_SKIPPED_BYTES: Final = 1000
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_ZSTD_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # section 3.1.2; pzstd begins with one
_ZSTD_STEP: Final = 16 * 1024  # what a break in the data can take with it
_GZIP_WBITS: Final = zlib.MAX_WBITS | 16
# What people hand over by mistake, by their first bytes.
_OTHERS: Final = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"SQLite format 3", "an SQLite database"),
)


class _Hash(Protocol):
    """What hashlib's functions return; it names no class of its own."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def copy(self) -> "_Hash": ...

    def digest(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, the last of them without a line feed if the file ends so; `skipped` says why there is no text."""

    first_line: int
    text: bytes
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class LineCount:
    """The lines of a content that are whole: how many, their bytes, and the SHA-256 of those."""

    count: int
    byte_count: int
    digest: bytes


@dataclass(slots=True)
class LogFile:
    """A file under reading; the hashes and the problem are whole when `iter_lines` is through."""

    path: Path
    block_bytes: int = BLOCK_BYTES
    longest_line: int | None = None  # of more bytes a line is skipped; None: than a block has
    stream: BinaryIO | None = None  # read instead of the path, which then is its name alone
    unwraps: bool = True  # whether lines are taken out of collectors' envelopes, and rows out of Parquet
    asked: LogFormat | None = None  # whose lines are left in what looks like an envelope where it reads them there
    problem: str | None = None
    format_name: str | None = None
    read_bytes: int = 0
    _content: "_Hash" = field(default_factory=sha256, repr=False)
    _lines: "_Hash" = field(default_factory=sha256, repr=False)  # of the content up to the last line feed
    _line_count: int = 0
    _line_bytes: int = 0
    _rest_bytes: int = 0

    @property
    def whole_lines(self) -> LineCount:
        """What was read, uncompressed, up to the last line feed: where a log that grows goes on."""
        return LineCount(self._line_count, self._line_bytes, self._lines.digest())

    @property
    def open_bytes(self) -> int:
        """How many bytes stand behind the last line feed."""
        return self._rest_bytes

    @property
    def content_hash(self) -> bytes:
        """SHA-256 of what was read, uncompressed: the same log gzipped anew is the same content."""
        return self._content.digest()

    @property
    def _step_bytes(self) -> int:
        return min(_STEP_BYTES, self.block_bytes)

    def iter_lines(self) -> Iterator[Lines]:
        """Blocks of whole lines in order, read ahead in a thread. Raises SourceUnreadable."""
        return read_ahead(self._iter_blocks())

    def read_first_line(self) -> bytes:
        """The content's first line with its line feed, of a long one its beginning; empty where there is none."""
        start = next(self._iter_pieces(), b"")[:_FIRST_LINE_BYTES]
        return start[: start.find(b"\n") + 1] or start

    def iter_hashes(self, byte_counts: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """The SHA-256 of so many bytes of the content, in ascending order; longer ones than it is are left out."""
        waiting, done, digest = sorted(byte_counts), 0, sha256()
        for piece in self._iter_pieces():
            start = 0
            while waiting and waiting[0] <= done + len(piece):
                end = waiting.pop(0) - done
                digest.update(memoryview(piece)[start:end])
                start = end
                yield done + end, digest.digest()
            if not waiting:
                return
            digest.update(memoryview(piece)[start:])
            done += len(piece)

    def _iter_blocks(self) -> Iterator[Lines]:
        line, size, skipping = 1, 0, False
        held: list[bytes] = []  # joined once: to add each piece to a buffer took as long as unpacking it
        for piece in self._iter_pieces():
            rest = piece
            if skipping:
                # The rest of a line that is longer than a block goes with it.
                start = rest.find(b"\n") + 1
                if not start:
                    continue
                rest, skipping, line = rest[start:], False, line + 1
            held.append(rest)
            size += len(rest)
            if size < self.block_bytes:
                continue
            text, rest = _cut_lines(held)
            if text:
                line = yield from _iter_portions(line, text)
                held, size = [rest], len(rest)
            elif size >= (longest := self.longest_line or self.block_bytes):
                yield Lines(line, rest[:_SKIPPED_BYTES], f"is longer than {longest:,} bytes")
                held, size, skipping = [], 0, True
        if last := b"".join(held):
            yield from _iter_portions(line, last)

    def _iter_pieces(self) -> Iterator[bytes]:
        try:
            with self._open() as file:
                start = file.peek(16)[:16]
                others = _OTHERS if self.unwraps else (*_OTHERS, (PARQUET, "a Parquet file"))
                for magic, name in others:
                    if start.startswith(magic):
                        raise SourceUnreadable(
                            source=self.path,
                            detail=f"line 1: it is {name}, where an access log, plain, gzip or zstd, is expected",
                        )
                content = _in_utf8(self._unpack(file, start))
                for piece in unwrap(content, self.asked) if self.unwraps else content:
                    self._take(piece)
                    yield piece
        except OSError as error:
            raise SourceUnreadable(source=self.path, detail=error.strerror or str(error)) from error

    def _take(self, piece: bytes) -> None:
        view, end = memoryview(piece), piece.rfind(b"\n") + 1
        if end:
            self._content.update(view[:end])
            self._lines = self._content.copy()
            self._line_count += piece.count(b"\n")
            self._line_bytes += self._rest_bytes + end
            self._rest_bytes = 0
        self._content.update(view[end:])
        self._rest_bytes += len(piece) - end

    @contextmanager
    def _open(self) -> Iterator[BufferedReader]:
        if self.stream is None:
            with self.path.open("rb") as file:
                yield file
            return
        reader = cast("BufferedReader", BufferedReader(self.stream))
        try:
            yield reader
        finally:
            reader.detach()

    def _unpack(self, file: BinaryIO, start: bytes) -> Iterator[bytes]:
        if start.startswith(_GZIP):
            return self._iter_gzip(file)
        if start.startswith(PARQUET):
            return self._iter_parquet(file)
        if start.startswith(_ZSTD) or _ZSTD_SKIPPABLE.match(start):
            return self._iter_zstd(file)
        return _iter_plain(file, self._step_bytes)

    def _iter_parquet(self, file: BinaryIO) -> Iterator[bytes]:
        """Every row as a line of JSON; where it breaks, what came before. Raises SourceUnreadable without its end."""
        rows = iter_rows(file)
        try:
            yield from rows
        except ParquetBroken as error:
            if not error.row_count:
                raise SourceUnreadable(source=self.path, detail=f"the Parquet data are damaged: {error}") from error
            self.problem = f"the Parquet data break behind row {error.row_count:,}: {error}; what came before is read"

    def _iter_zstd(self, file: BinaryIO) -> Iterator[bytes]:
        """Every frame's content; where one breaks, what came before, and a problem that names the place."""
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no types, and few need it

        stream = pa.CompressedInputStream(pa.PythonFile(_LeftOpen(file), mode="r"), "zstd")
        try:
            while content := stream.read(_ZSTD_STEP):
                yield content
        except OSError as error:
            # The place is that up to which the file was read ahead; the break lies at most one step before it.
            self.problem = f"the zstd data break before byte {file.tell():,}: {error}; what came before is read"

    def _iter_gzip(self, file: BinaryIO) -> Iterator[bytes]:
        """Every member's content; where one breaks, what came before, and a problem that names the place."""
        inflate = zlib.decompressobj(_GZIP_WBITS)
        while chunk := file.read(_READ_BYTES):
            self.read_bytes += len(chunk)
            while chunk:
                if inflate.eof:
                    chunk = chunk.lstrip(b"\0")  # tapes and some tools pad with zero bytes
                    if not chunk:
                        break
                    inflate = zlib.decompressobj(_GZIP_WBITS)
                saved, given = inflate.copy(), 0  # type: ignore[attr-defined]  # its stub leaves it out
                try:
                    for content in _inflate(inflate, chunk, self._step_bytes):
                        given += len(content)
                        yield content
                except zlib.error as error:  # type: ignore[misc]  # its stub calls it a value
                    # zlib keeps back what it had of the chunk that broke: give it again byte by byte.
                    done, content = _salvage(saved, chunk)
                    if len(content) > given:
                        yield content[given:]
                    self._break_off(self.read_bytes - len(chunk) + done, str(error))
                    return
                chunk = inflate.unused_data
        if not inflate.eof:
            self._break_off(self.read_bytes, "it ends in the middle")

    def _break_off(self, position: int, reason: str) -> None:
        self.problem = f"the gzip data break at byte {position:,}: {reason}; what came before is read"


def _cut_lines(held: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The whole lines of the pieces, and what follows them."""
    for place in reversed(range(len(held))):
        if end := held[place].rfind(b"\n") + 1:
            return b"".join([*held[:place], held[place][:end]]), b"".join([held[place][end:], *held[place + 1 :]])
    return b"", b"".join(held)


def _iter_portions(first_line: int, text: bytes) -> Generator[Lines, None, int]:
    """The block, cut where it has so many lines that reading them would take gigabytes; returns the line behind it."""
    count = text.count(b"\n")
    if count <= _PORTION_LINES:
        yield Lines(first_line, text)
    else:
        end = text.rfind(b"\n", 0, len(text) // 2) + 1 or text.find(b"\n") + 1
        second_line = yield from _iter_portions(first_line, text[:end])
        yield from _iter_portions(second_line, text[end:])
    return first_line + count


def _in_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same, but what begins with a mark of UTF-16, as some Windows tools write it, in UTF-8."""
    first = next(pieces, b"")
    if not first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        yield first
        yield from pieces
        return
    decoder = getincrementaldecoder("utf-16")("replace")
    yield decoder.decode(first).encode("utf-8", "replace")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode()


class _LeftOpen:
    """A file for Arrow, which closes what it reads whenever its own reader is thrown away."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.closed = False

    def close(self) -> None:
        self.closed = True


def _inflate(inflate: "zlib._Decompress", chunk: bytes, step_bytes: int) -> Iterator[bytes]:
    content = inflate.decompress(chunk, step_bytes)
    while content:
        yield content
        content = inflate.decompress(inflate.unconsumed_tail, step_bytes) if not inflate.eof else b""


def _salvage(inflate: "zlib._Decompress", chunk: bytes) -> tuple[int, bytes]:
    """How many bytes of the chunk are sound, and what they hold."""
    found = []
    place = 0
    try:
        while place < len(chunk):
            found.append(inflate.decompress(chunk[place : place + 1]))
            place += 1
    except zlib.error:  # type: ignore[misc]  # its stub calls it a value
        pass
    return place, b"".join(found)


def _iter_plain(file: BinaryIO, step_bytes: int) -> Iterator[bytes]:
    while piece := file.read(step_bytes):
        yield piece
