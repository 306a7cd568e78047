"""Delimited text files as people export them: whatever the encoding and the delimiter, every line accounted for."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from castline.base.errors import SourceUnreadable

_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_ROW: Final = 200  # lines that one quoted row may span; beyond it a quote was forgotten
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SAMPLE_BYTES: Final = 65_536


class NoRows(SourceUnreadable):
    """{source} is empty: there is no header line to read columns from."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its first line as an editor counts (from 1), its cells, its text; `fault` says why it has none."""

    line_number: int
    cells: tuple[str, ...]
    text: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A file's header and its rows; rows without any content are left out."""

    header_line: int
    header: tuple[str, ...]
    header_text: str
    rows: tuple[TableRow, ...]
    encoding: str
    delimiter: str


def parse_table(data: bytes, *, source: str, known: Callable[[str], bool]) -> Table:
    """The table in `data`; of the delimiters the one wins under which the header has the most `known` columns.

    Raises NoRows.
    """
    encoding = detect_encoding(data)
    lines = list(io.StringIO(data.decode(encoding, "replace"), newline=""))
    first = next((place for place, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise NoRows(source=source)
    announced, first = _announced_delimiter(lines, first)
    candidates = (announced,) if announced else _DELIMITERS
    headers = {delimiter: _read_row(lines, first, delimiter) for delimiter in candidates}
    delimiter = max(headers, key=lambda item: _fitness(headers[item][0], known))
    header, end = headers[delimiter]
    return Table(
        header_line=first + 1,
        header=tuple(cell.strip() for cell in header.cells),
        header_text=header.text,
        rows=tuple(iter_rows(lines, end, delimiter)),
        encoding=encoding,
        delimiter=delimiter,
    )


def iter_rows(lines: Sequence[str], first: int, delimiter: str) -> Iterator[TableRow]:
    """The rows from line index `first` on."""
    place = first
    while place < len(lines):
        row, place = _read_row(lines, place, delimiter)
        if row.fault or any(cell.strip() for cell in row.cells):
            yield row


def detect_encoding(data: bytes) -> str:
    """The text's encoding: by its mark, else UTF-8 if it is that, else UTF-16 by its zeros, Japanese or Western."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    sample = data[:_SAMPLE_BYTES]
    if b"\0" in sample:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if max(even, odd) > len(sample) // 8:
            return "utf-16-le" if odd > even else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp932" if _is_japanese(data) else "cp1252"
    return "utf-8"


def _is_japanese(data: bytes) -> bool:
    # Kana and the commoner kanji begin with 0x81-0x9F, which Western text hardly uses; its letters are 0xC0-0xFF.
    try:
        data.decode("cp932")
    except UnicodeDecodeError:
        return False
    high = [byte for byte in data[:_SAMPLE_BYTES] if byte >= 0x80]  # noqa: PLR2004  # beyond ASCII
    leads = sum(0x81 <= byte <= 0x9F for byte in high)  # noqa: PLR2004
    return leads * 4 >= len(high)


def _announced_delimiter(lines: Sequence[str], first: int) -> tuple[str | None, int]:
    """The delimiter of Excel's `sep=;` line, and where the header is."""
    line = lines[first].strip("\r\n")
    if line.lower().startswith("sep=") and len(line) == len("sep=;") and first + 1 < len(lines):
        return line[-1], first + 1
    return None, first


def _fitness(row: TableRow, known: Callable[[str], bool]) -> tuple[int, int]:
    return sum(known(cell) for cell in row.cells), len(row.cells)


def _read_row(lines: Sequence[str], place: int, delimiter: str) -> tuple[TableRow, int]:
    """The row that begins at `place`, and where the next one begins.

    A row that cannot be read is its first line alone, so that a forgotten quote spoils one row and not the rest.
    """
    reach = _LONGEST_ROW if '"' in lines[place] else 1
    reader = csv.reader(lines[place : place + reach], delimiter=delimiter, strict=True)
    try:
        cells = next(reader, [])
    except csv.Error as error:
        return TableRow(place + 1, (), lines[place].rstrip("\r\n"), f"cannot be read: {error}"), place + 1
    end = place + max(reader.line_num, 1)
    text = "".join(lines[place:end]).rstrip("\r\n")
    if "\0" in text:
        return TableRow(place + 1, (), text, "holds a NUL character"), end
    return TableRow(place + 1, tuple(cells), text), end
