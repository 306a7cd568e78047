"""JSON that is not quite: what servers, shippers and exports write, as objects that every reader takes."""

import re
from typing import Any, Final

import msgspec

DECODE_ERRORS: Final = (msgspec.DecodeError, RecursionError)
# nginx without `escape=json` writes \x22, which no JSON knows; several of them are one character in UTF-8.
_HEX_ESCAPES: Final = re.compile(r"(?<!\\)((?:\\\\)*)((?:\\x[0-9A-Fa-f]{2})+)")
# Half of a character beyond the first plane: JavaScript's strings can be cut there.
_SURROGATES: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_IS_OBJECT: Final = msgspec.json.Decoder(msgspec.defstruct("_Object", []))


def is_object(line: str) -> bool:
    """Whether the line is one JSON object."""
    try:
        _IS_OBJECT.decode(line)
    except DECODE_ERRORS:
        return False
    return True


def mend_json(line: str) -> str | None:
    """The object that the line nearly is: with nginx's escapes, with half characters, or as one of an array's lines."""
    text = line.strip()
    if text[:1] == "[" or text[-1:] in {",", "]"}:
        text = text.removeprefix("[").rstrip(",] \t")
    text = _HEX_ESCAPES.sub(lambda found: found[1] + _escaped(found[2]), text)
    text = _SURROGATES.sub(lambda found: found[0] if found[1] else r"\ufffd", text)
    return text if text != line and is_object(text) else None


def _escaped(escapes: str) -> str:
    raw = bytes.fromhex(escapes.replace("\\x", ""))
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return msgspec.json.encode(text).decode()[1:-1]


def unfold_document(text: str) -> list[str] | None:
    """One text per row of a file that is one JSON document: an array, or an object with `rows`. None for others.

    Rows that are arrays are objects with the names of the first one.
    """
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start not in {"[", "{"}:
        return None
    try:
        if start == "[":
            rows = msgspec.json.decode(text, type=list[msgspec.Raw])
        else:
            rows = msgspec.json.decode(text, type=_Document).rows
        if rows and bytes(rows[0]).lstrip()[:1] == b"[":
            return _named_rows([msgspec.json.decode(row, type=list[Any]) for row in rows])
    except DECODE_ERRORS:
        return None
    # A row that was printed over several lines becomes one.
    return [msgspec.json.format(bytes(row), indent=-1).decode() for row in rows]


def _named_rows(rows: list[list[Any]]) -> list[str]:
    names = [str(name) for name in rows[0]]
    return [msgspec.json.encode(dict(zip(names, row, strict=False))).decode() for row in rows[1:]]


class _Document(msgspec.Struct):
    rows: list[msgspec.Raw]
