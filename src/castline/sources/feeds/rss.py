"""Podcast feeds: from the bytes of a download to a `Feed`, whatever dialect and however broken.

Strict lxml first; where the document breaks the rules, its text is repaired and read with recovery; where that finds
nothing, feedparser as last resort in a process of its own under a time limit. Method: docs/method/feed-identity.md
"""

from typing import Final

from castline.model.feed import Feed, FeedProblem
from castline.sources.feeds.budget import Budget
from castline.sources.feeds.bytes import to_text, unpack, without_declaration
from castline.sources.feeds.errors import FeedTooHeavy, NotAFeed
from castline.sources.feeds.fallback import try_last_resort
from castline.sources.feeds.item import ItemContext
from castline.sources.feeds.jsonfeed import parse_json_feed
from castline.sources.feeds.kind import check_kind, feed_start
from castline.sources.feeds.repair import Repaired, fix_controls, repair
from castline.sources.feeds.xml import BrokenXml, Reading, scan

_EARLY: Final = 0.5  # seconds after which the last resort, which may take another one, comes too late
# How libxml2 names its limits, of which only the depth of 256 elements can be reached here
_LIMITS: Final = ("Excessive depth", "XML_PARSE_HUGE")


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
    document, skipped = _from_start(text.data)
    check_kind(document, source, plain)
    return _read(fix_controls(document), budget, (*problems, *skipped))


def _from_start(data: bytes) -> tuple[bytes, tuple[FeedProblem, ...]]:
    """The document without what a broken site wrote before it, and the problem that this is; lines stay."""
    start = feed_start(data)
    if not start:
        return data, ()
    line = data.count(b"\n", 0, start) + 1
    problem = FeedProblem("not_well_formed", "text stands before the document begins", line)
    return b"\n" * (line - 1) + without_declaration(data[start:]), (problem,)


def _read(document: bytes, budget: Budget, problems: tuple[FeedProblem, ...]) -> Feed:
    reading = _reading(budget)
    try:
        scan(document, reading, budget)
    except BrokenXml as error:
        _check_limit(error, budget.source)
        return _recover(document, budget, problems, error)
    return reading.finish(problems)


def _reading(budget: Budget) -> Reading:
    return Reading(budget.source, ItemContext(budget.source))


def _recover(document: bytes, budget: Budget, problems: tuple[FeedProblem, ...], error: BrokenXml) -> Feed:
    """The feed from its repaired text, or by the last resort where recovery finds less than the text holds."""
    fixed = repair(document, budget)
    problems += (_broken(error, fixed),)
    reading = _reading(budget)
    try:
        scan(fixed.data, reading, budget, recover=True)
    except BrokenXml as second:
        _check_limit(second, budget.source)
        reading = _reading(budget)
    other = None
    if len(reading.episodes) < fixed.item_count and budget.used_seconds < _EARLY:
        other = try_last_resort(document, source=budget.source, problems=problems)
    if other is not None and len(other.episodes) > len(reading.episodes):
        return other
    if not reading.part_count and not reading.item_count:
        raise NotAFeed(source=budget.source, detail=f"its XML breaks in line {error.line}: {error}")
    return _accounted(reading, fixed).finish(problems)


def _accounted(reading: Reading, fixed: Repaired) -> Reading:
    """With a problem for the item in which the document ends, if its identity is not complete."""
    if fixed.cut_item_line is not None:
        message = f"the document ends inside the item that begins in line {fixed.cut_item_line}"
        reading.item_count += 1
        reading.context.problems.append(FeedProblem("unreadable_item", message, fixed.cut_item_line, fixed.cut_title))
    return reading


def _broken(error: BrokenXml, fixed: Repaired) -> FeedProblem:
    code: Final = "truncated" if fixed.truncated else "not_well_formed"
    return FeedProblem(code, f"line {error.line}: {error}" if error.line else str(error), error.line)


def _check_limit(error: BrokenXml, source: str) -> None:
    if any(words in str(error) for words in _LIMITS):
        raise FeedTooHeavy(source=source, detail=f"line {error.line}: {error}") from None
