"""Lines out of what collectors put them into: containers' runtimes, journald, CloudWatch, Firehose, shippers.

Docker's json-file, `journalctl -o json`, CloudWatch Logs (exports, subscriptions, `filter-log-events`), Azure's
`records`, exports of Elasticsearch and Splunk, Fluent Bit, Filebeat, Loki: JSON with the line as a text of one key, or
with a list of such objects. Envelopes are opened only where the file's first lines are no access log as they stand,
and no object is that is a request itself: a server may write a `message` of its own beside it. Lines are numbered as
they come out.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, TypeAlias

import msgspec
import polars as pl

from castline.sources.logs.format import LogFormat
from castline.sources.logs.json_text import DECODE_ERRORS, is_object
from castline.sources.logs.rows import compute_requests
from castline.sources.logs.table import try_recognise

# A line, with its line feed if it has one, as the lines that it holds; as itself where it holds none.
Open: TypeAlias = Callable[[bytes], list[bytes]]
_LOOKED_AT: Final = 64 * 1024
_LINE_BYTES: Final = 64 * 1024 * 1024  # what is longer is no line of a log
_DOCUMENT_BYTES: Final = 256 * 1024 * 1024  # an object that is printed over several lines is read as a whole
_LISTS: Final = ("logEvents", "records", "events", "Logs")
# The first text counts; without one the first object, which is the request or one more envelope.
_TEXTS: Final = ("log", "MESSAGE", "message", "line", "textPayload", "_raw")
_OBJECTS: Final = ("_source", "log", "message", "jsonPayload", "result", "info")
_DEPTH: Final = 4
_KEY_SETS: Final = 128  # a log has few; a hostile one shall not fill the memory
_DOCKER: Final = frozenset({"log", "stream", "time", "attrs"})
_DOCKER_CUT: Final = 16_000  # Docker cuts lines at 16 KiB; only the last part of one has its line feed
_BETWEEN: Final = b'}{"'  # Firehose may write objects with nothing between them
# `docker logs --timestamps`, `kubectl logs --timestamps`, CloudWatch's exports to S3.
_STAMP: Final = re.compile(rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z ")
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str | list[int])
_BOM: Final = b"\xef\xbb\xbf"


def unwrap(pieces: Iterator[bytes], asked: LogFormat | None = None) -> Iterator[bytes]:
    """The content without its envelopes; as it comes where it has none, or where `asked` reads lines that have them."""
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _LOOKED_AT:
            break
    first = b"".join(held)
    lines = [text for line in first[:_LOOKED_AT].removeprefix(_BOM).split(b"\n") if (text := line.strip())]
    opened = _find_envelope(lines)
    if opened is None or (asked is not None and _reads_some(asked, lines)):
        yield first
        yield from pieces
    else:
        content = chain([first.removeprefix(_BOM)], pieces)
        yield from _iter_document(content) if opened is _open_document else _iter_opened(content, opened)


def _find_envelope(lines: Sequence[bytes]) -> Open | None:
    """How the lines come out; None where they stand there as they are.

    The first line that is a request or holds one decides: a server's other messages may look like envelopes, and those
    in envelopes like none. Where no line does, the first object decides.
    """
    found: list[Open | None] = []
    for text in lines:
        # First, as the combined format takes what stands in front of the address for a host.
        if (stamp := _STAMP.match(text)) and (_fits(rest := text[stamp.end() :]) or _try_open(rest)):
            return _open_stamped
        if _fits(text):
            return None
        if not text.startswith(b"{"):
            continue
        if (opened := _try_open(text)) and any(map(_fits, opened)):
            return _open_line
        if opened is None and not is_object(_text_of(text)):
            if _are_several(text):
                return _open_line
            if not found:
                return _open_document
        found.append(_open_line if opened else None)
    return found[0] if found else None


def _reads_some(asked: LogFormat, lines: Sequence[bytes]) -> bool:
    """Whether the format reads some line as it stands that it would not read without the time in front."""
    read = _find_read(asked, lines)
    return any(not _STAMP.match(lines[place]) for place in read) or not read <= _find_read(
        asked, [_STAMP.sub(b"", line) for line in lines]
    )


def _find_read(asked: LogFormat, lines: Sequence[bytes]) -> set[int]:
    """The places of the lines that are requests in that format."""
    texts = pl.Series("line", map(_text_of, lines), dtype=pl.String)
    numbered = pl.DataFrame({"line_number": pl.Series(range(len(lines)), dtype=pl.UInt32), "line": texts})
    requests = compute_requests(asked.open().read(numbered), asked.id_space)
    return set(requests.drop_nulls(["time", "path"])["line_number"])


def _fits(line: bytes) -> bool:
    return try_recognise([_text_of(line)]) is not None


@lru_cache(_KEY_SETS)
def _are_request(keys: frozenset[str]) -> bool:
    """Whether an object with these keys is a request in some format as it stands."""
    return _fits(msgspec.json.encode(dict.fromkeys(keys)))


def _text_of(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _are_several(line: bytes) -> bool:
    """Whether the line is an object and the beginning of another."""
    end = line.find(_BETWEEN) + 1
    return end > 0 and is_object(_text_of(line[:end]))


def _open_line(line: bytes) -> list[bytes]:
    if _BETWEEN in line:
        parts = line.replace(_BETWEEN, b'}\n{"').splitlines(keepends=True)
        if all(is_object(_text_of(part)) for part in parts):
            return [one for part in parts for one in _try_open(part) or [_ended(part)]]
    opened = _try_open(line)
    if opened is None:
        return [_ended(line) if line.endswith(b"}") and is_object(_text_of(line)) else line]
    return opened


def _open_stamped(line: bytes) -> list[bytes]:
    stamp = _STAMP.match(line)
    return _open_line(line[stamp.end() :]) if stamp else [line]


def _open_document(text: bytes) -> list[bytes]:
    """The rows of a content that is one object; else its lines as they are opened one by one."""
    return _try_open(text) or [one for line in text.splitlines(keepends=True) for one in _open_line(line)]


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"


def _try_open(text: bytes, depth: int = 0) -> list[bytes] | None:
    """The lines that the object holds; None for what is no envelope."""
    try:
        fields = _FIELDS.decode(text)
    except DECODE_ERRORS:
        return None
    for key in _LISTS:
        if key in fields and (items := _try_items(fields[key])) is not None:
            return [line for item in items for line in _inner(item, depth)]
    if len(text) <= _LOOKED_AT and _are_request(frozenset(fields)):
        return None
    for key in _TEXTS:
        if key in fields and (line := _try_text(fields, key)) is not None:
            return [line]
    objects = (bytes(fields[key]) for key in _OBJECTS if key in fields)
    return next((_inner(value, depth) for value in objects if value.startswith(b"{")), None)


def _try_items(value: msgspec.Raw) -> list[bytes] | None:
    try:
        items = [bytes(item) for item in _ITEMS.decode(value)]
    except DECODE_ERRORS:
        return None
    return items if all(item.startswith(b"{") for item in items) else None


def _inner(item: bytes, depth: int) -> list[bytes]:
    opened = _try_open(item, depth + 1) if depth < _DEPTH else None
    return opened or [_ended(msgspec.json.format(item, indent=-1) if b"\n" in item else item)]


def _try_text(fields: Mapping[str, msgspec.Raw], key: str) -> bytes | None:
    try:
        text = _TEXT.decode(fields[key])
        # journald gives what is no UTF-8 as numbers.
        line = text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)
    except (*DECODE_ERRORS, ValueError):
        return None
    is_cut = len(line) >= _DOCKER_CUT and not line.endswith(b"\n") and fields.keys() <= _DOCKER
    whole = line.rstrip(b"\r\n").replace(b"\n", b" ")
    if not whole.strip() and not fields.keys() <= _DOCKER:
        return None  # a message of nothing: what the object tells stands beside it
    return whole if is_cut else whole + b"\n"


def _iter_opened(pieces: Iterator[bytes], opened: Open) -> Iterator[bytes]:
    held, size = [], 0  # joined once: to add each piece of a long line to those before takes for ever
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if b"\n" not in piece and _BETWEEN not in b"".join((*held[-2:-1], piece)) and size < _LINE_BYTES:
            continue
        text = b"".join(held)
        end = text.rfind(b"\n") + 1 or text.rfind(_BETWEEN) + 1 or len(text)
        yield _opened_lines(text[:end], opened)
        held, size = [text[end:]], len(text) - end
    yield _opened_lines(b"".join(held), opened)


def _opened_lines(text: bytes, opened: Open) -> bytes:
    return b"".join([one for line in text.splitlines(keepends=True) for one in opened(line)])


def _iter_document(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > _DOCUMENT_BYTES:
            yield from _iter_opened(chain([b"".join(held)], pieces), _open_line)
            return
    yield b"".join(_open_document(b"".join(held)))
