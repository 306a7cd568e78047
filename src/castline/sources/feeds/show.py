"""The channel of an RSS feed or the head of an Atom feed as a show."""

from datetime import datetime

from castline.model.feed import FeedEpisode, FeedLiveItem, FeedProblem, FeedShow
from castline.sources.feeds.dates import try_parse_date
from castline.sources.feeds.item import ItemContext, RawItem, find_image, find_link, read_item
from castline.sources.feeds.podcast import (
    Parts,
    read_extras,
    read_remote_item,
    read_trailers,
    read_update_frequency,
)
from castline.sources.feeds.text import clean_line, try_parse_flag, try_parse_whole
from castline.sources.feeds.tree import Element, attribute, child_text, children, inner_markup, text_of


def read_show(parts: Parts, context: ItemContext) -> FeedShow:
    """The show that the channel's elements describe; a missing title is a problem and an empty title."""
    title = _line(parts, "title", "itunes:title", "dc:title")
    if not title:
        context.problems.append(FeedProblem("no_show_title", "the feed does not name the show"))
    owner, locked = parts.find("itunes:owner"), parts.find("podcast:locked")
    publisher = parts.find("podcast:publisher")
    remote = None if publisher is None else next(children(publisher, "podcast:remoteitem"), None)
    podping = parts.find("podcast:podping")
    return FeedShow(
        title=title or "",
        description=_markup(parts, "description", "itunes:summary", "subtitle", "googleplay:description", "tagline"),
        author=_author(parts),
        image_url=find_image(parts),
        feed_url=_link(parts, "self"),
        new_feed_url=_text(parts, "itunes:new-feed-url"),
        website_url=_website(parts, context),
        language=_text(parts, "language", "dc:language"),
        categories=_categories(parts),
        explicit=try_parse_flag(_text(parts, "itunes:explicit", "googleplay:explicit")),
        owner_name=None if owner is None else child_text(owner, "itunes:name"),
        owner_email=(None if owner is None else child_text(owner, "itunes:email"))
        or _text(parts, "googleplay:owner", "googleplay:email"),
        podcast_guid=_text(parts, "podcast:guid"),
        locked=None if locked is None else try_parse_flag(text_of(locked)),
        locked_owner=None if locked is None else attribute(locked, "owner"),
        medium=_text(parts, "podcast:medium"),
        show_type=_text(parts, "itunes:type"),
        generator=_line(parts, "generator"),
        copyright=_line(parts, "copyright", "rights", "dc:rights"),
        published_at=_moment(parts),
        ttl_minutes=try_parse_whole(_text(parts, "ttl") or ""),
        hub_url=_link(parts, "hub"),
        next_page_url=_link(parts, "next"),
        blocked=bool(try_parse_flag(_text(parts, "itunes:block", "googleplay:block"))),
        complete=bool(try_parse_flag(_text(parts, "itunes:complete"))),
        update_frequency=read_update_frequency(parts),
        trailers=read_trailers(parts),
        podroll=tuple(
            read_remote_item(item)
            for roll in parts.get("podcast:podroll", ())
            for item in children(roll, "podcast:remoteitem")
        ),
        publisher=None if remote is None else read_remote_item(remote),
        live_items=tuple(live for tag in parts.get("podcast:liveitem", ()) if (live := _live_item(tag, context))),
        blocks=tuple(
            (attribute(tag, "id") or "", bool(try_parse_flag(text_of(tag)))) for tag in parts.get("podcast:block", ())
        ),
        uses_podping=None if podping is None else try_parse_flag(podping.get("usesPodping")),
        extras=read_extras(parts),
    )


def _text(parts: Parts, *names: str) -> str | None:
    return next((text for name in names for tag in parts.get(name, ()) if (text := text_of(tag))), None)


def _line(parts: Parts, *names: str) -> str | None:
    text = _text(parts, *names)
    return clean_line(text) or None if text else None


def _markup(parts: Parts, *names: str) -> str | None:
    return next((text for name in names for tag in parts.get(name, ()) if (text := inner_markup(tag))), None)


def _author(parts: Parts) -> str | None:
    if text := _line(parts, "itunes:author", "googleplay:author"):
        return text
    named = (child_text(tag, "name") or text_of(tag) for tag in parts.get("author", ()))
    return next((clean_line(text) for text in named if text), None) or _line(parts, "dc:creator", "managingeditor")


def _link(parts: Parts, rel: str) -> str | None:
    links = (attribute(tag, "href") for tag in parts.get("link", ()) if attribute(tag, "rel") == rel)
    return next((href for href in links if href), None)


def _website(parts: Parts, context: ItemContext) -> str | None:
    owner = parts.find("channel-element")
    return find_link(RawItem(owner, context, parts=parts)) if owner is not None else None


def _categories(parts: Parts) -> tuple[str, ...]:
    """ITunes categories first, each before its subcategories, then the others; each once."""
    found: list[str] = []
    for tag in parts.get("itunes:category", ()):
        found.append(attribute(tag, "text") or (text_of(tag) if not len(tag) else ""))
        found += [attribute(inner, "text") or "" for inner in children(tag, "itunes:category")]
    found += [attribute(tag, "text") or text_of(tag) for tag in parts.get("googleplay:category", ())]
    found += [attribute(tag, "term") or text_of(tag) for tag in parts.get("category", ())]
    return tuple(dict.fromkeys(clean_line(text) for text in found if text.strip()))


def _moment(parts: Parts) -> datetime | None:
    text = _text(parts, "pubdate", "lastbuilddate", "updated", "modified", "dc:date")
    return try_parse_date(text) if text else None


def _live_item(tag: Element, context: ItemContext) -> FeedLiveItem | None:
    """A live item; what is wrong inside it is no problem of the feed's items."""
    episode: FeedEpisode | None = read_item(tag, ItemContext(context.base, context.names))
    if episode is None:
        return None
    start, end = attribute(tag, "start"), attribute(tag, "end")
    return FeedLiveItem(
        attribute(tag, "status"),
        try_parse_date(start) if start else None,
        try_parse_date(end) if end else None,
        episode,
    )
