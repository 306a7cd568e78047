"""The podcast namespace's and Podlove's tags as typed values (https://podcasting2.org/docs/podcast-namespace)."""

from typing import Final

from castline.model.feed import (
    FeedChapter,
    FeedEnclosure,
    FeedExtras,
    FeedFunding,
    FeedLicense,
    FeedLocation,
    FeedPerson,
    FeedRecipient,
    FeedRemoteItem,
    FeedSocial,
    FeedSoundbite,
    FeedTimeSplit,
    FeedTrailer,
    FeedTranscript,
    FeedTxt,
    FeedUpdateFrequency,
    FeedValue,
)
from castline.sources.feeds.dates import try_parse_date
from castline.sources.feeds.text import clean_line, try_parse_flag, try_parse_float
from castline.sources.feeds.tree import Element, attribute, children, text_of, whole_attribute


class Parts(dict[str, list[Element]]):
    """The elements of one show or item by short name, in document order."""

    __slots__ = ()

    def add(self, name: str, element: Element) -> None:
        """`element` is kept under `name`."""
        if name in self:
            self[name].append(element)
        else:
            self[name] = [element]

    def find(self, name: str) -> Element | None:
        """The first element of that name."""
        found = self.get(name)
        return found[0] if found else None


_SHARED: Final = frozenset(f"podcast:{name}" for name in ("person", "value", "txt", "location", "license", "funding"))
_NOTHING = FeedExtras()


def read_extras(parts: Parts) -> FeedExtras:
    """The tags that shows and episodes share."""
    if _SHARED.isdisjoint(parts):
        return _NOTHING
    value, rights = parts.find("podcast:value"), parts.find("podcast:license")
    return FeedExtras(
        persons=tuple(_person(tag) for tag in parts.get("podcast:person", ()) if text_of(tag)),
        value=None if value is None else _value(value),
        txts=tuple(FeedTxt(text_of(tag), attribute(tag, "purpose")) for tag in parts.get("podcast:txt", ())),
        locations=tuple(_location(tag) for tag in parts.get("podcast:location", ())),
        license=None if rights is None else FeedLicense(clean_line(text_of(rights)), attribute(rights, "url")),
        funding=tuple(
            FeedFunding(url, clean_line(text_of(tag)) or None)
            for tag in parts.get("podcast:funding", ())
            if (url := attribute(tag, "url"))
        ),
    )


def read_transcripts(parts: Parts) -> tuple[FeedTranscript, ...]:
    """Every transcript that has an address."""
    return tuple(
        FeedTranscript(url, attribute(tag, "type"), attribute(tag, "language"), attribute(tag, "rel"))
        for tag in parts.get("podcast:transcript", ())
        if (url := attribute(tag, "url"))
    )


def read_soundbites(parts: Parts) -> tuple[FeedSoundbite, ...]:
    """Every soundbite with a readable start and length."""
    found = (
        (try_parse_float(tag.get("startTime")), try_parse_float(tag.get("duration")), clean_line(text_of(tag)) or None)
        for tag in parts.get("podcast:soundbite", ())
    )
    return tuple(FeedSoundbite(start, length, title) for start, length, title in found if None not in {start, length})  # type: ignore[arg-type]


def read_alternates(parts: Parts) -> tuple[FeedEnclosure, ...]:
    """Every alternate enclosure that has a source."""
    return tuple(found for tag in parts.get("podcast:alternateenclosure", ()) if (found := _alternate(tag)).urls)


def _alternate(tag: Element) -> FeedEnclosure:
    sources = (attribute(source, "uri") for source in children(tag, "podcast:source"))
    integrity = next(children(tag, "podcast:integrity"), None)
    return FeedEnclosure(
        urls=tuple(uri for uri in sources if uri),
        type=attribute(tag, "type"),
        bytes=whole_attribute(tag, "length") or None,
        bitrate=try_parse_float(tag.get("bitrate")),
        height=whole_attribute(tag, "height"),
        language=attribute(tag, "lang"),
        title=attribute(tag, "title"),
        rel=attribute(tag, "rel"),
        codecs=attribute(tag, "codecs"),
        is_default=bool(try_parse_flag(tag.get("default"))),
        integrity=None if integrity is None else attribute(integrity, "value"),
    )


def read_social(parts: Parts) -> tuple[FeedSocial, ...]:
    """Where the episode is discussed."""
    return tuple(
        FeedSocial(
            attribute(tag, "protocol") or attribute(tag, "platform") or "",
            attribute(tag, "uri") or text_of(tag) or None,
            attribute(tag, "accountId"),
            whole_attribute(tag, "priority"),
        )
        for tag in parts.get("podcast:socialinteract", ())
    )


def read_chapters(parts: Parts) -> tuple[FeedChapter, ...]:
    """Podlove simple chapters with a readable start."""
    found = (
        (_play_time(attribute(chapter, "start")), chapter)
        for tag in parts.get("psc:chapters", ())
        for chapter in children(tag, "psc:chapter")
    )
    return tuple(
        FeedChapter(start, clean_line(attribute(tag, "title") or ""), attribute(tag, "href"), attribute(tag, "image"))
        for start, tag in found
        if start is not None
    )


def _play_time(text: str | None) -> float | None:
    """Normal play time (RFC 2326 section 3.6): `[[HH:]MM:]SS[.fff]`."""
    numbers = [try_parse_float(part) for part in (text or "").split(":")]
    if len(numbers) > len(("HH", "MM", "SS")) or None in numbers:
        return None
    seconds = 0.0
    for number in numbers:
        seconds = seconds * 60 + (number or 0.0)
    return round(seconds, 3)


def _person(tag: Element) -> FeedPerson:
    return FeedPerson(
        clean_line(text_of(tag)),
        attribute(tag, "role"),
        attribute(tag, "group"),
        attribute(tag, "href"),
        attribute(tag, "img"),
    )


def _location(tag: Element) -> FeedLocation:
    names = ("geo", "osm", "rel", "country")
    return FeedLocation(clean_line(text_of(tag)), *(attribute(tag, name) for name in names))


def _value(tag: Element) -> FeedValue:
    return FeedValue(
        type=attribute(tag, "type"),
        method=attribute(tag, "method"),
        suggested=attribute(tag, "suggested"),
        recipients=_recipients(tag),
        time_splits=tuple(_time_split(split) for split in children(tag, "podcast:valuetimesplit")),
    )


def _recipients(tag: Element) -> tuple[FeedRecipient, ...]:
    return tuple(
        FeedRecipient(
            name=attribute(one, "name"),
            type=attribute(one, "type"),
            address=attribute(one, "address") or "",
            split=whole_attribute(one, "split"),
            fee=bool(try_parse_flag(one.get("fee"))),
            custom_key=attribute(one, "customKey"),
            custom_value=attribute(one, "customValue"),
        )
        for one in children(tag, "podcast:valuerecipient")
    )


def _time_split(tag: Element) -> FeedTimeSplit:
    remote = next(children(tag, "podcast:remoteitem"), None)
    return FeedTimeSplit(
        start_seconds=try_parse_float(tag.get("startTime")) or 0.0,
        duration_seconds=try_parse_float(tag.get("duration")) or 0.0,
        remote_percentage=whole_attribute(tag, "remotePercentage"),
        remote_start_seconds=try_parse_float(tag.get("remoteStartTime")),
        remote_item=None if remote is None else read_remote_item(remote),
        recipients=_recipients(tag),
    )


def read_remote_item(tag: Element) -> FeedRemoteItem:
    """A pointer into another feed."""
    names = ("feedGuid", "feedUrl", "itemGuid", "medium", "title")
    return FeedRemoteItem(*(attribute(tag, name) for name in names))


def read_trailers(parts: Parts) -> tuple[FeedTrailer, ...]:
    """Every trailer that has an address."""
    return tuple(
        FeedTrailer(
            title=clean_line(text_of(tag)),
            url=url,
            published_at=try_parse_date(attribute(tag, "pubdate") or ""),
            type=attribute(tag, "type"),
            bytes=whole_attribute(tag, "length") or None,
            season=whole_attribute(tag, "season"),
        )
        for tag in parts.get("podcast:trailer", ())
        if (url := attribute(tag, "url"))
    )


def read_update_frequency(parts: Parts) -> FeedUpdateFrequency | None:
    """How often the show says it publishes."""
    tag = parts.find("podcast:updatefrequency")
    if tag is None:
        return None
    return FeedUpdateFrequency(
        text=clean_line(text_of(tag)) or None,
        rrule=attribute(tag, "rrule"),
        start_at=try_parse_date(attribute(tag, "dtstart") or ""),
        is_complete=bool(try_parse_flag(tag.get("complete"))),
    )
