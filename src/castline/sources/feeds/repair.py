"""Mending the text of a feed that is not well-formed, so that libxml2's recovery loses as little as possible.

Control characters go, HTML's named entities become characters, every other bare `&` is escaped (so no entity of the
document's own is ever expanded), and what an early end has cut off is removed. Lines keep their numbers.
"""

import html
import re
from dataclasses import dataclass
from html.entities import html5
from typing import Final

from castline.sources.feeds.budget import Budget

_FORBIDDEN: Final = bytes(set(range(32)) - {9, 10, 13})  # XML 1.0, production 2
_NONCHARACTERS: Final = re.compile(rb"\xef\xbf[\xbe\xbf]|\xed[\xa0-\xbf][\x80-\xbf]")
_OPAQUE_OR_AND: Final = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&(?:(#[0-9]{1,9}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{0,31});)?",
    re.DOTALL,
)
_XML_NAMES: Final = frozenset({b"amp", b"lt", b"gt", b"quot", b"apos"})
_EVERY: Final = 0xFFFF
_ITEM_START: Final = re.compile(rb"<(?:\w+:)?(item|entry)[\s>]", re.IGNORECASE)
_ITEM_END: Final = re.compile(rb"</(?:\w+:)?(?:item|entry)\s*>", re.IGNORECASE)
_ROOT_END: Final = re.compile(rb"</(?:rss|feed|rdf|(?:\w+:)rdf)\s*>", re.IGNORECASE)
_AFTER_ROOT: Final = 64 * 1024  # what caches and trackers write behind the document
_GUID: Final = re.compile(rb"</(?:\w+:)?(?:guid|id)\s*>", re.IGNORECASE)
_MEDIA: Final = re.compile(rb"<(?:\w+:)?enclosure\b[^<]*>|<(?:\w+:)?link\b[^<]*rel=.enclosure[^<]*>", re.IGNORECASE)
_TITLE: Final = re.compile(rb"<title[^>]*>(?:<!\[CDATA\[)?(.{0,200}?)(?:\]\]>)?</title>", re.IGNORECASE | re.DOTALL)
_END_TAG: Final = re.compile(rb"</[^<>]*>|/>")
_TAIL: Final = 4 * 1024 * 1024

# What windows-1252 has where Unicode has control characters (HTML Standard, numeric character reference end state).
_CONTROL_REFERENCE: Final = re.compile(rb"&#(?:1[2-5]\d|[xX][89][0-9a-fA-F]);")
_CONTROL: Final = re.compile(rb"\xc2[\x80-\x9f]")
_CONTROLS: Final = {code: html.unescape(f"&#{code};") for code in range(0x80, 0xA0)}


# Elements that hold text or escaped HTML; where a feed is broken, mostly by raw HTML inside one of these.
_LEAF_TAG: Final = re.compile(
    rb"<(?:!\[CDATA\[.*?(?:\]\]>|\Z)|!--.*?(?:-->|\Z)"
    rb"|(/?)((?:[a-zA-Z][a-zA-Z0-9]*:)?(?:title|subtitle|description|summary|encoded|keywords|copyright|item|entry))"
    rb"(?:\s[^<>]*)?(?<!/)>)",
    re.DOTALL,
)
_FOLLOWING: Final = re.compile(
    rb"</?(?:guid|id|link|pubDate|published|updated|enclosure|category|comments|source|author"
    rb"|(?:itunes|podcast|media|content|dc|googleplay|atom|psc):\w+|title|description|summary)\b",
    re.IGNORECASE,
)
_ITEMS: Final = frozenset({b"item", b"entry"})


@dataclass(frozen=True, slots=True)
class Repaired:
    """The mended document; `cut_item_line` is where the last item begins if it is too incomplete to be kept."""

    data: bytes
    truncated: bool
    item_count: int
    cut_item_line: int | None = None
    cut_title: str | None = None


def fix_controls(data: bytes) -> bytes:
    """The document with C1 control characters as the windows-1252 characters that were meant: `&#146;` is a quote."""
    found: set[bytes] = set()
    if b"&#" in data:
        found |= {match[0] for match in _CONTROL_REFERENCE.finditer(data)}
    if b"\xc2" in data:
        found |= {match[0] for match in _CONTROL.finditer(data)}
    for wrong in found:
        text = html.unescape(wrong.decode())
        data = data.replace(wrong, _CONTROLS.get(ord(text), text).encode())
    return data


def repair(data: bytes, budget: Budget) -> Repaired:
    """A document that libxml2 can recover. Raises FeedTooHeavy when the budget is used up."""
    data = data.translate(None, _FORBIDDEN)
    if b"\xef\xbf" in data or b"\xed" in data:
        data = _NONCHARACTERS.sub(b"\xef\xbf\xbd", data)
    budget.check()
    data = _escape_markup(_escape(data, budget), budget)
    budget.check()
    return _trim(data)


def _escape(data: bytes, budget: Budget) -> bytes:
    """Every `&` outside CDATA and comments is a predefined entity or a legal character reference, or is escaped."""
    parts: list[bytes] = []
    position = 0
    for number, found in enumerate(_OPAQUE_OR_AND.finditer(data)):
        if number & _EVERY == _EVERY:
            budget.check()
        if not found[0].startswith(b"&") or found[1] in _XML_NAMES:
            continue
        parts += (data[position : found.start()], _reference(found[1]))
        position = found.end()
    parts.append(data[position:])
    return b"".join(parts)


def _escape_markup(data: bytes, budget: Budget) -> bytes:
    """Raw markup inside an element that should hold text has become text, and forgotten end tags are there."""
    mender = _Mender(data)
    for number, found in enumerate(_LEAF_TAG.finditer(data)):
        if number & _EVERY == _EVERY:
            budget.check()
        if found[2] is None:
            mender.holds_cdata = mender.holds_cdata or found[0].startswith(b"<![CDATA[")
        elif found[2].lower() in _ITEMS:
            mender.meet_item(found)
        else:
            mender.meet_leaf(found)
    return mender.finish()


class _Mender:
    """What is open while the tags of a document pass by, and the mended pieces so far."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.parts: list[bytes] = []
        self.position = 0
        self.opened = 0
        self.leaf = b""
        self.holds_cdata = False
        self.item = b""

    def meet_item(self, tag: re.Match[bytes]) -> None:
        """An item begins or ends: whatever was left open before it ends too."""
        if self.leaf:
            self._end_leaf(tag.start())
        if self.item and not tag[1]:
            self._put(tag.start(), b"</" + self.item + b">")
        self.item = b"" if tag[1] else tag[2]

    def meet_leaf(self, tag: re.Match[bytes]) -> None:
        """An element of text begins or ends; one that begins inside itself was never closed."""
        name = tag[2]
        if not tag[1]:
            if self.leaf == name or self.leaf.endswith(b"title"):  # a title holds no other element, notes may
                self._end_leaf(tag.start())
            if not self.leaf:
                self.leaf, self.opened, self.holds_cdata = name, tag.end(), False
        elif name == self.leaf:
            self._escape_to(tag.start())
            self.leaf = b""

    def finish(self) -> bytes:
        """The mended document."""
        self.parts.append(self.data[self.position :])
        return b"".join(self.parts)

    def _end_leaf(self, limit: int) -> None:
        """The open element ends where the next known one begins, at `limit` at the latest."""
        following = _FOLLOWING.search(self.data, self.opened, limit)
        end = following.start() if following and not self.holds_cdata else limit
        self._escape_to(end)
        self._put(end, b"</" + self.leaf + b">")
        self.leaf = b""

    def _escape_to(self, end: int) -> None:
        if not self.holds_cdata and self.data.find(b"<", self.opened, end) >= 0:
            self._put(self.opened, b"")
            self.parts.append(self.data[self.opened : end].replace(b"<", b"&lt;"))
            self.position = end

    def _put(self, upto: int, addition: bytes) -> None:
        self.parts += (self.data[self.position : upto], addition)
        self.position = upto


def _reference(name: bytes | None) -> bytes:
    if name is None:
        return b"&amp;"
    text = f"{name.decode('ascii')};"
    if text.startswith("#"):
        character = html.unescape(f"&{text}")
        is_text = character.isprintable() and character != "\ufffd"
        return html.escape(character).encode("utf-8", "replace") if is_text else b" "
    character = html5.get(text, "")
    return html.escape(character).encode() if character else b"&amp;" + text.encode()


def _trim(data: bytes) -> Repaired:
    """Cut behind the last complete tag if the document ends early; an item without identity goes as a whole."""
    starts = data.count(b"<item") + data.count(b"<entry")
    ended = [found.end() for found in _ROOT_END.finditer(data, max(0, len(data) - _AFTER_ROOT))]
    if ended:
        return Repaired(data[: ended[-1]], truncated=False, item_count=starts)
    floor = max(0, len(data) - _TAIL)
    ends = [found.end() for found in _ITEM_END.finditer(data, floor)]
    floor = ends[-1] if ends else floor
    opened = _ITEM_START.search(data, floor)
    if opened is None:
        return Repaired(data[:floor] + _complete(data[floor:]), truncated=True, item_count=starts)
    tail = _complete(data[opened.start() :])
    if _GUID.search(tail) and _MEDIA.search(tail):
        return Repaired(data[: opened.start()] + tail, truncated=True, item_count=starts)
    title = _TITLE.search(tail)
    return Repaired(
        data[: opened.start()],
        truncated=True,
        item_count=starts - 1,
        cut_item_line=data.count(b"\n", 0, opened.start()) + 1,
        cut_title=title[1].decode("utf-8", "replace").strip() if title else None,
    )


def _complete(tail: bytes) -> bytes:
    """The tail up to its last complete element: a text that was cut off is worth nothing."""
    opened = tail.rfind(b"<![CDATA[")
    if opened > tail.rfind(b"]]>"):
        tail = tail[:opened]
    ends = [found.end() for found in _END_TAG.finditer(tail)]
    return tail[: ends[-1]] if ends else b""
