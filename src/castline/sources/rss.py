"""Podcast feeds: from the bytes of a download to a `Feed`, whatever dialect and however broken.

Strict lxml first; where the document breaks the rules, its text is repaired and read with recovery; where that finds
nothing, feedparser as last resort in a process of its own under a time limit. Method: docs/method/feed-identity.md
"""

import re
from typing import Final

from lxml import etree

from castline.model.feed import Feed, FeedProblem
from castline.sources.feed_budget import Budget
from castline.sources.feed_bytes import to_text, unpack
from castline.sources.feed_errors import FeedTooHeavy, NotAFeed
from castline.sources.feed_fallback import try_last_resort
from castline.sources.feed_item import ItemContext
from castline.sources.feed_kind import check_kind, feed_start
from castline.sources.feed_repair import Repaired, fix_controls, repair
from castline.sources.feed_xml import Reading, scan
from castline.sources.jsonfeed import parse_json_feed

_CONTROL_REFERENCE: Final = re.compile(rb"&#(?:1[2-5]\d|[xX][89][0-9a-fA-F]);")
_CONTROL: Final = re.compile(rb"\xc2[\x80-\x9f]")
_EARLY: Final = 0.5  # seconds after which the last resort, which may take another one, comes too late
# libxml2's refusals that are no syntax errors: nesting, and names or texts of ten million bytes
_LIMITS: Final = ("huge", "depth", "too long", "too deep", "memory", "amplification", "limit")


def parse_feed(data: bytes, *, source: str, content_type: str | None = None) -> Feed:
    """The feed that `data` holds; `problems` name all that was wrong and account for each item left out.

    Raises NotAFeed if it is something else, FeedTooHeavy if it would take more than two seconds or 300 MB.
    """
    budget = Budget(source)
    plain, unpacking = unpack(data, source=source)
    text = to_text(plain, content_type, budget)
    problems = (*unpacking, *text.problems)
    if text.data.lstrip()[:1] in {b"{", b"["}:
        return parse_json_feed(text.data, budget=budget, problems=problems)
    start = feed_start(text.data)
    if start:
        line = text.data.count(b"\n", 0, start) + 1
        problems += (FeedProblem("not_well_formed", "text stands before the document begins", line),)
    document = b"\n" * text.data.count(b"\n", 0, start) + text.data[start:].lstrip(b" \t") if start else text.data
    check_kind(document, source)
    return _read(document, budget, problems)


def _read(document: bytes, budget: Budget, problems: tuple[FeedProblem, ...]) -> Feed:
    reading = _reading(document, budget)
    try:
        scan(document, reading, budget)
    except etree.XMLSyntaxError as error:
        _check_limit(error, budget.source)
        return _recover(document, budget, problems, error)
    return reading.finish(problems)


def _reading(document: bytes, budget: Budget) -> Reading:
    references = b"&#" in document and _CONTROL_REFERENCE.search(document)
    fixing = fix_controls if references or (b"\xc2" in document and _CONTROL.search(document)) else None
    return Reading(budget.source, ItemContext(budget.source, repair=fixing))


def _recover(document: bytes, budget: Budget, problems: tuple[FeedProblem, ...], error: etree.XMLSyntaxError) -> Feed:
    """The feed from its repaired text, or by the last resort where recovery finds less than the text holds."""
    fixed = repair(document, budget)
    problems += (_broken(error, fixed),)
    reading = _reading(fixed.data, budget)
    try:
        scan(fixed.data, reading, budget, recover=True)
    except etree.XMLSyntaxError as second:
        _check_limit(second, budget.source)
        reading = _reading(fixed.data, budget)
    if reading.episodes or (reading.item_count == fixed.item_count and reading.part_count):
        return _accounted(reading, fixed).finish(problems)
    feed = try_last_resort(document, source=budget.source, problems=problems) if budget.used_seconds < _EARLY else None
    if feed is None and not reading.part_count:
        raise NotAFeed(source=budget.source, detail=f"its XML breaks in line {error.lineno}: {error.msg}")
    return feed or _accounted(reading, fixed).finish(problems)


def _accounted(reading: Reading, fixed: Repaired) -> Reading:
    """With a problem for the item in which the document ends, if its identity is not complete."""
    if fixed.cut_item_line is not None:
        message = f"the document ends inside the item that begins in line {fixed.cut_item_line}"
        reading.item_count += 1
        reading.context.problems.append(FeedProblem("unreadable_item", message, fixed.cut_item_line, fixed.cut_title))
    return reading


def _broken(error: etree.XMLSyntaxError, fixed: Repaired) -> FeedProblem:
    code: Final = "truncated" if fixed.truncated else "not_well_formed"
    return FeedProblem(code, f"line {error.lineno}: {error.msg}", error.lineno)


def _check_limit(error: etree.XMLSyntaxError, source: str) -> None:
    message = str(error.msg).lower()
    if any(word in message for word in _LIMITS):
        raise FeedTooHeavy(source=source, detail=f"line {error.lineno}: {error.msg}") from None
