"""Reading one XML feed in small pieces: strictly, or with libxml2's recovery after the text has been repaired.

The tree never holds more than the region since the last finished item, so memory is bounded by MAX_REGION and not by
the feed. Processor time is bounded by a Budget that is asked after each piece.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, cast

from lxml import etree

from castline.model.feed import Feed, FeedEpisode, FeedProblem
from castline.sources.feeds.budget import Budget
from castline.sources.feeds.errors import FeedTooHeavy, NotAFeed
from castline.sources.feeds.item import ItemContext, make_guid, read_item
from castline.sources.feeds.names import short_name
from castline.sources.feeds.podcast import Parts
from castline.sources.feeds.show import read_show
from castline.sources.feeds.tree import Element, line_of

MAX_REGION: Final = 4 * 1024 * 1024  # bytes of markup without a finished item; about 160 MB of tree at worst
MAX_ITEMS: Final = 100_000  # the largest public feeds have about 20,000
MAX_SHOW_PARTS: Final = 20_000
MAX_ERRORS: Final = 20_000
_PIECE: Final = 64 * 1024
_ITEM_TAGS: Final = ("{*}item", "{*}entry", "{*}Item", "{*}ITEM", "{*}Entry")
_ITEMS: Final = frozenset({"item", "entry"})
_HOLDERS: Final = frozenset({"channel", "rdf:rdf", "rss", "feed", "rdf", "items"})
ROOTS: Final = frozenset({"rss", "rdf:rdf", "rdf", "feed", "channel"})


@dataclass(slots=True)
class Reading:
    """One pass over a document: the show's elements, the episodes so far and the problems met."""

    source: str
    context: ItemContext
    show_parts: Parts = field(default_factory=Parts)
    episodes: list[FeedEpisode] = field(default_factory=list)
    guids: set[str] = field(default_factory=set)
    item_count: int = 0
    part_count: int = 0

    def take_item(self, item: Element) -> bool:
        """An item becomes an episode or a problem, and it and all before it leave the tree; False for no real item."""
        holder = item.getparent()
        if holder is None or short_name(holder) not in _HOLDERS:
            return False
        self.item_count += 1
        if self.item_count > MAX_ITEMS:
            raise FeedTooHeavy(source=self.source, detail=f"it has more than {MAX_ITEMS:,} items")
        episode = read_item(item, self.context)
        if episode is not None:
            self._keep(episode, line_of(item))
        item.clear()
        self._drop_before(item, holder)
        return True

    def _keep(self, episode: FeedEpisode, line: int | None) -> None:
        if episode.guid in self.guids and episode.guid_source == "enclosure":
            facts = (episode.title, episode.publish_date, episode.duration_seconds)
            guid, source = make_guid("", *facts)  # several items share one file, so the file identifies none
            episode = replace(episode, guid=guid, guid_source=source)
        if episode.guid in self.guids:
            message = f"an earlier item has the guid {episode.guid[:200]}; {episode.title[:80]!r} is left out"
            self.context.problems.append(FeedProblem("duplicate_guid", message, line, episode.guid))
            return
        self.guids.add(episode.guid)
        self.episodes.append(episode)

    def _drop_before(self, item: Element, holder: Element) -> None:
        """What stands before the item is the show's; it is taken there and removed from the tree."""
        while (before := holder[0]) is not item:
            self._take_part(before, holder)
            del holder[0]

    def _take_part(self, element: Element, holder: Element) -> None:
        name = short_name(element)
        if name in _ITEMS:
            return
        if name == "channel" and self.show_parts.find("channel-element") is None:
            self.take_rest(element)
            return
        if self.show_parts.find("channel-element") is None:
            self.show_parts.add("channel-element", holder)
        self.part_count += 1
        if self.part_count > MAX_SHOW_PARTS:
            raise FeedTooHeavy(source=self.source, detail=f"its show has more than {MAX_SHOW_PARTS:,} elements")
        self.show_parts.add(name, element)

    def take_rest(self, holder: Element) -> None:
        """Every child that is no item belongs to the show."""
        for element in holder:
            if short_name(element) == "channel":
                self.take_rest(element)
            else:
                self._take_part(element, holder)

    def finish(self, problems: tuple[FeedProblem, ...]) -> Feed:
        """The feed as far as it was read."""
        show = read_show(self.show_parts, self.context)
        found = (*problems, *self.context.problems)
        return Feed(self.source, show, tuple(self.episodes), found, self.item_count)


class BrokenXml(Exception):
    """Strict reading stopped; `line` is where the document first breaks the rules, None where libxml2 does not say."""

    def __init__(self, line: int | None, message: str) -> None:
        self.line = line
        super().__init__(message)


def scan(data: bytes, reading: Reading, budget: Budget, *, recover: bool = False) -> None:
    """`reading` holds all that `data` says. Raises BrokenXml where it breaks; with `recover` only if nothing is left.

    Raises FeedTooHeavy at any limit and NotAFeed when the root element is of another kind of document.
    """
    parser = _make_parser(recover=recover)
    try:
        root = _feed_all(parser, data, reading, budget)
    except etree.XMLSyntaxError as error:
        # Not the error's own log: it is the thread's, and may tell of another document.
        log = cast("Iterable[etree._LogEntry]", parser.feed_error_log)  # noqa: SLF001  # no public name
        first = next(((entry.line, entry.message) for entry in log if entry.line), (error.lineno or None, error.msg))
        raise BrokenXml(first[0], str(first[1])) from None
    if root is None:  # recovery found nothing at all
        return
    if short_name(root) not in ROOTS:
        raise NotAFeed(source=reading.source, detail=f"it is an XML document <{short_name(root)}>")
    reading.take_rest(root)


def _make_parser(*, recover: bool) -> etree.XMLPullParser:
    """A parser that fetches and expands nothing and keeps libxml2's own limits on depth, names and texts."""
    return etree.XMLPullParser(
        events=("end",),
        tag=_ITEM_TAGS,
        recover=recover,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
        encoding="utf-8",
    )


def _feed_all(parser: etree.XMLPullParser, data: bytes, reading: Reading, budget: Budget) -> Element | None:
    """The root, after every item went to `reading`."""
    region = 0
    for start in range(0, len(data), _PIECE):
        parser.feed(data[start : start + _PIECE])
        taken = _take_items(parser, reading)
        region = 0 if taken else region + _PIECE
        if region > MAX_REGION:
            raise FeedTooHeavy(source=reading.source, detail=f"it has {MAX_REGION:,} bytes without a finished item")
        budget.check()
        if len(parser.feed_error_log) > MAX_ERRORS:
            raise FeedTooHeavy(source=reading.source, detail=f"it breaks the rules of XML over {MAX_ERRORS:,} times")
    root: Element | None = parser.close()
    _take_items(parser, reading)
    return root


def _take_items(parser: etree.XMLPullParser, reading: Reading) -> int:
    """How many of the items that ended since the last call were real ones; `reading` holds them."""
    ended = (item for _, item in parser.read_events() if isinstance(item, etree._Element))  # noqa: SLF001  # no public name
    return sum([reading.take_item(item) for item in ended])
