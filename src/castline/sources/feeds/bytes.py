"""From the bytes of a download to one UTF-8 document that lxml can be given without danger.

Compressed bytes are unpacked under a cap, the encoding is settled, the document type (where entities are declared)
is taken out of the prolog. Lines keep their numbers throughout.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from castline.model.feed import FeedProblem
from castline.sources.compressed import inflate
from castline.sources.feeds.budget import Budget
from castline.sources.feeds.errors import FeedTooHeavy

# The largest public feeds we know have about 20 MB; at 35 MB/s and more this stays within two seconds.
MAX_BYTES: Final = 32 * 1024 * 1024
_CHUNK: Final = 256 * 1024

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED: Final = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']\s*([A-Za-z0-9._:-]{1,40})\s*[\"']")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_DECLARATION: Final = re.compile(rb"^\s*<\?xml[^>]{0,300}?\?>")

# The encoding that decodes what carries this label (WHATWG Encoding Standard, section 4.2). Codecs that are slow or
# that run something (idna, punycode, unicode_escape, utf-7) are not among them.
_REAL: Final = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "cp1252": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "shift_jis": "cp932", "cp932": "cp932", "euc_kr": "cp949", "cp949": "cp949",
    "gb2312": "gb18030", "gbk": "gb18030", "gb18030": "gb18030", "big5": "big5hkscs", "big5hkscs": "big5hkscs",
    "euc_jp": "euc_jp", "iso2022_jp": "iso2022_jp", "koi8-r": "koi8-r", "koi8-u": "koi8-u", "cp866": "cp866",
    "utf-8": "utf-8", "utf-16": "utf-16", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be", "utf-32": "utf-32",
    "mac-roman": "mac-roman",
    **{f"iso8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"cp{page}": f"cp{page}" for page in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258, 874, 437, 850, 852)},
}  # fmt: skip
_PROLOG_BYTES: Final = 256 * 1024
_SPACE: Final = re.compile(rb"\s*")
_SKIPPED: Final = ((b"<!--", b"-->"), (b"<?", b"?>"))
_TABLE: Final = "".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256))
_CONTINUATION: Final = 0x80
_MANY: Final = 1000  # misfits in a quarter of a megabyte: it is no UTF-8 with a few slips
_ESCAPING: Final = "iso2022_jp"  # looks like ASCII
_ASCII: Final = bytes(range(128))
_CONVINCING: Final = 24  # bytes beyond ASCII that are valid UTF-8 by chance with odds below one in a million
_ONE_BYTE: Final = re.compile(r"cp1252|cp125\d|iso8859-\d+|cp874|koi8-.|cp\d{3}|mac-roman")


@dataclass(frozen=True, slots=True)
class FeedText:
    """The document in UTF-8 without byte order mark, XML declaration and document type, and what was met there."""

    data: bytes
    problems: tuple[FeedProblem, ...]


def unpack(data: bytes, *, source: str) -> tuple[bytes, tuple[FeedProblem, ...]]:
    """The bytes of the document itself, of a gzip or zlib file too.

    Raises FeedTooHeavy over MAX_BYTES or at an absurd compression.
    """
    problems: tuple[FeedProblem, ...] = ()
    for _ in range(2):  # a compressed file sent compressed
        if not data.startswith((b"\x1f\x8b", b"\x78\x9c", b"\x78\xda")):
            break
        data, broken = inflate(data, limit=MAX_BYTES, refuse=lambda why: FeedTooHeavy(source=source, detail=why))
        if broken:
            problems = (FeedProblem("truncated", f"the compressed data break off: {broken}"),)
    if len(data) > MAX_BYTES:
        raise FeedTooHeavy(source=source, detail=f"it has {len(data):,} bytes; {MAX_BYTES:,} are read")
    return data, problems


def to_text(data: bytes, content_type: str | None, budget: Budget) -> FeedText:
    """The document in UTF-8. The mark decides, then what fits of declaration, HTTP charset, UTF-8 and windows-1252."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, budget)
    for start, encoding in _UNMARKED:
        if data.startswith(start):
            return _decoded(data, encoding, budget)
    label = _DECLARED.search(data[:1024])
    sent = _CHARSET.search(content_type or "")
    return _fitting(data, label[1].decode("ascii") if label else None, sent[1] if sent else None, budget)


def _fitting(data: bytes, declared: str | None, sent: str | None, budget: Budget) -> FeedText:
    """Text in the first encoding that fits. Valid UTF-8 beats a one-byte label: such bytes are no accident."""
    named = [real for real in (_real_encoding(declared), _real_encoding(sent)) if real]
    if data.isascii() and _ESCAPING not in named:
        return _cleaned(data, ())
    if _is_utf8(data, named):
        return _cleaned(data, () if not named or "utf-8" in named else _wrong(declared or sent, "utf-8"))
    for real in named:
        if real != "utf-8" and _first_misfit(data, real) is None:
            known = _real_encoding(declared)
            return _decoded(data, real, budget, _wrong(declared, real) if known not in {None, real} else ())
    return _decoded(data, next((real for real in named if _ONE_BYTE.fullmatch(real) is None), "utf-8"), budget)


def _real_encoding(label: str | None) -> str | None:
    """The codec for a label; None for an unknown or unsafe one."""
    if label is None:
        return None
    try:
        return _REAL.get(codecs.lookup(label).name)
    except (LookupError, ValueError):
        return None


def _is_utf8(data: bytes, named: list[str]) -> bool:
    """True if the bytes are UTF-8; a few characters that fit a named two-byte encoding as well are that one's."""
    if _first_misfit(data, "utf-8") is not None:
        return False
    rival = next((real for real in named if real != "utf-8" and _ONE_BYTE.fullmatch(real) is None), None)
    if rival is None or "utf-8" in named:
        return True
    return len(data.translate(None, _ASCII)) >= _CONVINCING or _first_misfit(data, rival) is not None


def _first_misfit(data: bytes, encoding: str) -> int | None:
    """Where the bytes stop being text in `encoding`; None when all of them are. Decodes in pieces to stay small."""
    if encoding == "cp1252":
        return None
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    for start in range(0, len(data), _CHUNK):
        try:
            decoder.decode(data[start : start + _CHUNK], start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            return min(start + error.start, len(data))
    return None


def _decoded(data: bytes, encoding: str, budget: Budget, problems: tuple[FeedProblem, ...] = ()) -> FeedText:
    misfit = _first_misfit(data, encoding)
    if misfit is not None:
        line = data.count(b"\n", 0, misfit) + 1
        problems += (FeedProblem("bad_encoding", f"bytes that are no {encoding} text, first in line {line}", line),)
    if encoding == "utf-8":
        return _cleaned(data if misfit is None else _mended(data, budget), problems)
    return _cleaned(b"".join(_pieces(data, encoding, budget)), problems)


def _pieces(data: bytes, encoding: str, budget: Budget) -> Iterator[bytes]:
    """The document in UTF-8, piece by piece; what does not fit is replaced."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for start in range(0, len(data), _CHUNK):
        budget.check()
        piece = data[start : start + _CHUNK]
        text = _cp1252(piece) if encoding == "cp1252" else decoder.decode(piece, start + _CHUNK >= len(data))
        yield text.encode("utf-8", "replace")


def _mended(data: bytes, budget: Budget) -> bytes:
    """UTF-8 in which each byte that does not fit is read as windows-1252; a piece full of them is that altogether."""
    parts: list[bytes] = []
    start = 0
    while start < len(data):
        budget.check()
        end = min(start + _CHUNK, len(data))
        while start < end < len(data) and data[end] & 0xC0 == _CONTINUATION and end > start + _CHUNK - 4:
            end -= 1
        piece = data[start:end]
        lost = piece.decode("utf-8", "replace").count("\ufffd")
        text = _cp1252(piece) if lost > _MANY else piece.decode("utf-8", "castline-cp1252")
        parts.append(text.encode("utf-8", "replace"))
        start = end
    return b"".join(parts)


def _cp1252(piece: bytes) -> str:
    return codecs.charmap_decode(piece, "strict", _TABLE)[0]


def _wrong(label: str | None, real: str) -> tuple[FeedProblem, ...]:
    return (FeedProblem("wrong_encoding", f"declared as {label}, but it is {real}", 1),)


def _byte_as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """One undecodable byte as windows-1252 has it."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _TABLE[error.object[error.start]], error.start + 1


codecs.register_error("castline-cp1252", _byte_as_cp1252)


def _cleaned(data: bytes, problems: tuple[FeedProblem, ...]) -> FeedText:
    """Without declaration and document type; each is replaced by the line ends that it held."""
    body, declares = _without_doctype(without_declaration(data.removeprefix(codecs.BOM_UTF8)))
    if declares:
        detail = "the document type declares entities; none is expanded and nothing is fetched"
        problems += (FeedProblem("declarations_ignored", detail, 1 + data.count(b"\n", 0, data.find(b"<!DOCTYPE"))),)
    return FeedText(body, problems)


_DOCTYPE: Final = b"<!doctype"
_SUBSET_PART: Final = re.compile(rb"\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)|<!--.*?(?:-->|\Z)|\[|\]|>", re.DOTALL)


def without_declaration(data: bytes) -> bytes:
    """The document with the line ends of its XML declaration instead of the declaration."""
    found = _DECLARATION.match(data)
    return b"\n" * found[0].count(b"\n") + data[found.end() :] if found else data


def _without_doctype(data: bytes) -> tuple[bytes, bool]:
    """The document without the document type in its prolog, and whether that declared something."""
    position = prolog_end(data)
    if data[position : position + len(_DOCTYPE)].lower() != _DOCTYPE:
        return data, False
    end, declares = _doctype_end(data, position)
    return data[:position] + b"\n" * data.count(b"\n", position, end) + data[end:], declares


def prolog_end(data: bytes) -> int:
    """Where the first thing begins that is neither white space nor comment nor processing instruction."""
    position = 0
    while position < _PROLOG_BYTES:
        position = _SPACE.match(data, position).end()  # type: ignore[union-attr]  # it also matches nothing
        closing = next((end for start, end in _SKIPPED if data.startswith(start, position)), None)
        end = data.find(closing, position) if closing else -1
        if closing is None or end < 0:
            return position
        position = end + len(closing)
    return position


def _doctype_end(data: bytes, start: int) -> tuple[int, bool]:
    """Where the document type that begins at `start` ends, and whether it has an internal subset."""
    depth, declares = 0, False
    for found in _SUBSET_PART.finditer(data, start):
        token = found[0]
        if token == b"[":
            depth, declares = depth + 1, True
        elif token == b"]":
            depth -= 1
        elif token == b">" and depth <= 0:
            return found.end(), declares
    return len(data), declares
