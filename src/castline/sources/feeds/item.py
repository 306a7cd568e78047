"""One RSS item or Atom entry as an episode, or the problem that says why it is none."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from castline.model.feed import FeedEnclosure, FeedEpisode, FeedProblem, GuidSource, ProblemCode
from castline.sources.enclosure import strip_prefixes
from castline.sources.feeds.dates import try_parse_date
from castline.sources.feeds.media import Media, find_media, find_media_seconds, find_web_url
from castline.sources.feeds.names import ABOUT, short_name
from castline.sources.feeds.podcast import (
    Parts,
    read_alternates,
    read_chapters,
    read_extras,
    read_social,
    read_soundbites,
    read_transcripts,
)
from castline.sources.feeds.text import (
    clean_line,
    try_parse_duration,
    try_parse_flag,
    try_parse_whole,
)
from castline.sources.feeds.tree import (
    Element,
    attribute,
    child_text,
    inner_markup,
    line_of,
    text_of,
)

# What is plain text in an item; everything else that is known has attributes or children.
_TEXTS: Final = frozenset(
    "title guid id pubdate published updated issued created modified date dc:date dcterms:issued dcterms:created"
    " description summary subtitle content:encoded itunes:title itunes:summary itunes:subtitle itunes:author"
    " itunes:duration itunes:explicit itunes:episode itunes:season itunes:episodetype itunes:block itunes:keywords"
    " googleplay:description googleplay:explicit googleplay:author googleplay:block dc:creator dc:title"
    " dc:identifier podcast:episode podcast:season feedburner:origlink media:title media:description"
    " media:keywords content:content".split()
)
_MARKUP: Final = frozenset({"description", "summary", "content:encoded", "itunes:summary"})
_DATES: Final = (
    "pubdate",
    "published",
    "dc:date",
    "dcterms:issued",
    "issued",
    "created",
    "dcterms:created",
    "date",
    "updated",
    "modified",
)


@dataclass(slots=True)
class Names:
    """What each tag of one document stands for, learnt once per tag."""

    texts: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)

    def learn(self, element: Element) -> str:
        """The short name of a new tag, now known as text or as part."""
        name = short_name(element)
        tag = str(element.tag)
        if name in _TEXTS:
            self.texts[tag] = name
        else:
            self.parts[tag] = name
        return name


@dataclass(slots=True)
class ItemContext:
    """What an item needs to know of its document, and where its problems go."""

    base: str
    names: Names = field(default_factory=Names)
    problems: list[FeedProblem] = field(default_factory=list)


@dataclass(slots=True)
class RawItem:
    """An item sorted into texts (the first that is not empty counts) and parts."""

    element: Element
    context: ItemContext
    texts: dict[str, str] = field(default_factory=dict)
    parts: Parts = field(default_factory=Parts)

    def first(self, *names: str) -> str | None:
        """The text of the first of these tags that has one."""
        texts = self.texts
        for name in names:
            if name in texts:
                return texts[name]
        return None

    def line(self, *names: str) -> str | None:
        """The same as one clean line."""
        text = self.first(*names)
        return clean_line(text) if text else None

    def complain(self, code: ProblemCode, message: str) -> None:
        """A problem of this item is noted, with its line and whatever names it."""
        item = self.first("guid", "id") or self.line("title", "itunes:title")
        self.context.problems.append(FeedProblem(code, message, line_of(self.element), item))


def sort_item(element: Element, context: ItemContext) -> RawItem:
    """The item's children by name; unknown ones are kept as parts."""
    raw = RawItem(element, context)
    texts, texts_by_tag, parts_by_tag = raw.texts, context.names.texts, context.names.parts
    for child in element:
        tag = child.tag
        name = texts_by_tag.get(tag)
        if name is None:
            part = parts_by_tag.get(tag)
            if part is None:
                context.names.learn(child)
                name = context.names.texts.get(str(tag))
                part = context.names.parts.get(str(tag), "?")
            if name is None:
                raw.parts.add(part, child)
                continue
        if name not in texts:
            text = child.text
            if len(child):
                text = inner_markup(child) if name in _MARKUP else text_of(child)
            if text and (text := text.strip()):
                texts[name] = text
    return raw


def read_item(element: Element, context: ItemContext) -> FeedEpisode | None:
    """The episode, or None with a problem that says why the item is none."""
    raw = sort_item(element, context)
    alternates = read_alternates(raw.parts)
    media = _find_media(raw, alternates)
    if media is None:
        return None
    date, duration = _date(raw), _duration(raw)
    title = raw.line("title", "itunes:title", "media:title", "dc:title")
    if not title:
        raw.complain("no_title", "the item has no title")
    guid, guid_source = _guid(raw, media.urls[0], (title, date, duration))
    return _episode(raw, (guid, guid_source, title or ""), media, (date, duration, alternates))


def _episode(
    raw: RawItem,
    identity: tuple[str, GuidSource, str],
    media: Media,
    known: tuple[datetime | None, int | None, tuple[FeedEnclosure, ...]],
) -> FeedEpisode:
    parts = raw.parts
    guid, guid_source, title = identity
    date, duration, alternates = known
    chapters = parts.find("podcast:chapters")
    content = raw.first("content:encoded") or _atom_content(parts)
    return FeedEpisode(
        guid=guid,
        guid_source=guid_source,
        title=title,
        audio_url=media.urls[0],
        audio_type=media.type,
        audio_bytes=media.bytes,
        publish_date=date,
        duration_seconds=duration,
        description=raw.first("description", "summary", "itunes:summary", "googleplay:description", "media:description")
        or content
        or raw.first("itunes:subtitle", "subtitle"),
        content=content,
        subtitle=raw.line("itunes:subtitle", "subtitle"),
        link=find_link(raw),
        author=_author(raw),
        categories=_categories(raw),
        explicit=try_parse_flag(raw.first("itunes:explicit", "googleplay:explicit")),
        episode_number=_number(raw, "itunes:episode", "podcast:episode"),
        season_number=_number(raw, "itunes:season", "podcast:season"),
        episode_type=(raw.line("itunes:episodetype") or "").lower() or None,
        image_url=find_image(raw.parts),
        blocked=bool(try_parse_flag(raw.first("itunes:block", "googleplay:block"))),
        transcripts=read_transcripts(parts),
        chapters_url=None if chapters is None else attribute(chapters, "url"),
        chapters_type=None if chapters is None else attribute(chapters, "type"),
        chapters=read_chapters(parts),
        soundbites=read_soundbites(parts),
        alternate_enclosures=alternates,
        social=read_social(parts),
        extras=read_extras(parts),
    )


def _find_media(raw: RawItem, alternates: tuple[FeedEnclosure, ...]) -> Media | None:
    """The item's file with one absolute address; without any the item gets the problem that accounts for it."""
    media, instead = find_media(raw.parts, alternates)
    if media is None:
        found = (
            f"the item's enclosure is {instead}, neither audio nor video" if instead else "the item has no enclosure"
        )
        raw.complain("no_enclosure", f"{found}, so it is no episode")
        return None
    url = find_web_url(media.urls, raw.context.base)
    if url is None:
        raw.complain("bad_enclosure_url", f"the enclosure {media.urls[0][:200]!r} is neither http nor https")
        return None
    return Media((url,), media.type, media.bytes)


def _date(raw: RawItem) -> datetime | None:
    usual = raw.texts.get("pubdate")
    if usual and (moment := try_parse_date(usual)):
        return moment
    texts = [raw.texts[name] for name in _DATES if name in raw.texts]
    if not texts:
        raw.complain("no_date", "the item has no date")
        return None
    moment = next((date for text in texts if (date := try_parse_date(text))), None)
    if moment is None:
        raw.complain("bad_date", f"{texts[0][:80]!r} is no date that can be read without guessing")
    return moment


def _duration(raw: RawItem) -> int | None:
    text = raw.first("itunes:duration")
    if text is None:
        return find_media_seconds(raw.parts)
    seconds = try_parse_duration(text)
    if seconds is None:
        raw.complain("bad_duration", f"{text[:80]!r} is no length of time, such as 1:02:03 or 3723")
    return seconds


def _number(raw: RawItem, *names: str) -> int | None:
    text = raw.first(*names)
    if text is None:
        return None
    number = try_parse_whole(text)
    if number is None or number > 2**31 - 1:
        raw.complain("bad_number", f"{names[0]} {text[:40]!r} is no whole number")
        return None
    return number


def _guid(raw: RawItem, url: str, facts: tuple[str | None, datetime | None, int | None]) -> tuple[str, GuidSource]:
    guid = raw.first("guid", "id", "dc:identifier") or (raw.element.get(ABOUT) or "").strip()
    if guid:
        return guid, "guid"
    guid, source = make_guid(url, *facts)
    raw.complain("no_guid", f"the item has no guid; {guid[:200]} stands for it")
    return guid, source


def make_guid(
    url: str, title: str | None, date: datetime | None, duration: int | None
) -> tuple[str, Literal["enclosure", "derived"]]:
    """An identity for an item without guid: its enclosure without tracking prefixes, else its facts, hashed."""
    if url:
        return strip_prefixes(url), "enclosure"
    facts = f"{(title or '').casefold()}\n{date.isoformat() if date else ''}\n{duration or ''}"
    return f"sha256:{hashlib.sha256(facts.encode()).hexdigest()}", "derived"


def find_link(raw: RawItem) -> str | None:
    """The web page: RSS's link text, or Atom's alternate link."""
    for tag in raw.parts.get("link", ()):
        href = attribute(tag, "href")
        if href and attribute(tag, "rel") in {None, "alternate"}:
            return href
        if not href and (text := text_of(tag)):
            return text
    return raw.first("feedburner:origlink")


def _author(raw: RawItem) -> str | None:
    if text := raw.line("itunes:author", "googleplay:author"):
        return text
    for tag in raw.parts.get("author", ()):
        if text := child_text(tag, "name") or child_text(tag, "email") or text_of(tag):
            return clean_line(text)
    return raw.line("dc:creator")


def _categories(raw: RawItem) -> tuple[str, ...]:
    """Each category once: RSS text, Atom term, iTunes text."""
    found = [attribute(tag, "term") or attribute(tag, "text") or text_of(tag) for tag in raw.parts.get("category", ())]
    found += [attribute(tag, "text") or "" for tag in raw.parts.get("itunes:category", ())]
    found += [text_of(tag) for tag in raw.parts.get("dc:subject", ())]
    return tuple(dict.fromkeys(clean_line(text) for text in found if text.strip()))


def find_image(parts: Parts) -> str | None:
    """The picture: iTunes, podcast or googleplay image, else RSS image, else media:thumbnail."""
    for name in ("itunes:image", "podcast:image", "googleplay:image", "image", "media:thumbnail", "logo", "icon"):
        for tag in parts.get(name, ()):
            if url := attribute(tag, "href") or attribute(tag, "url") or child_text(tag, "url") or text_of(tag):
                return url
    return None


def _atom_content(parts: Parts) -> str | None:
    tag = parts.find("content")
    return inner_markup(tag) or None if tag is not None else None
