"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/): items with an audio or video attachment are episodes.

Only the members that are needed are decoded, each item by itself, so that a strange one costs only itself.
"""

from typing import Any, Final

import msgspec

from castline.model.feed import Feed, FeedEnclosure, FeedEpisode, FeedProblem, FeedShow, ProblemCode
from castline.sources.feeds.budget import Budget
from castline.sources.feeds.dates import try_parse_date
from castline.sources.feeds.errors import FeedTooHeavy, NotAFeed
from castline.sources.feeds.item import make_guid
from castline.sources.feeds.media import is_media
from castline.sources.feeds.text import LONGEST_SECONDS, clean_line

MAX_ITEMS: Final = 100_000
MAX_VALUES: Final = 1_500_000  # about 100 MB while they are sorted out
MAX_ITEM_BYTES: Final = 2 * 1024 * 1024  # also what keeps a flood of tiny values below the memory limit

Members = dict[str, Any]


class _Document(msgspec.Struct):
    """The top level; whatever is not named here is skipped undecoded."""

    version: msgspec.Raw = msgspec.Raw()
    items: list[msgspec.Raw] | None = None
    title: msgspec.Raw = msgspec.Raw()
    description: msgspec.Raw = msgspec.Raw()
    home_page_url: msgspec.Raw = msgspec.Raw()
    feed_url: msgspec.Raw = msgspec.Raw()
    next_url: msgspec.Raw = msgspec.Raw()
    icon: msgspec.Raw = msgspec.Raw()
    language: msgspec.Raw = msgspec.Raw()
    author: msgspec.Raw = msgspec.Raw()
    authors: msgspec.Raw = msgspec.Raw()
    hubs: msgspec.Raw = msgspec.Raw()
    expired: msgspec.Raw = msgspec.Raw()


def parse_json_feed(data: bytes, *, budget: Budget, problems: tuple[FeedProblem, ...] = ()) -> Feed:
    """The feed in a JSON document. Raises NotAFeed if it is broken or something else, FeedTooHeavy over MAX_ITEMS."""
    source = budget.source
    if data.count(b",") > MAX_VALUES:
        raise FeedTooHeavy(source=source, detail=f"it has more than {MAX_VALUES:,} values")
    document = _document(data, source)
    if len(document.items or ()) > MAX_ITEMS:
        raise FeedTooHeavy(source=source, detail=f"it has more than {MAX_ITEMS:,} items")
    found: list[FeedProblem] = []
    episodes: dict[str, FeedEpisode] = {}
    for raw in document.items or ():
        budget.check()
        episode = _episode(raw, found)
        if episode is not None and episodes.setdefault(episode.guid, episode) is not episode:
            message = f"an earlier item has the guid {episode.guid[:200]}; {episode.title[:80]!r} is left out"
            found.append(FeedProblem("duplicate_guid", message, None, episode.guid))
    show = _show(document)
    if not show.title:
        found.append(FeedProblem("no_show_title", "the feed does not name the show"))
    return Feed(source, show, tuple(episodes.values()), (*problems, *found), len(document.items or ()))


def _document(data: bytes, source: str) -> _Document:
    try:
        document = msgspec.json.decode(data, type=_Document)
    except msgspec.ValidationError:
        raise NotAFeed(source=source, detail="it is JSON, but no JSON Feed") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotAFeed(source=source, detail=f"it is broken JSON: {error}") from None
    version = _value(document.version)
    if document.items is None or "jsonfeed" not in str(version or "").lower():
        raise NotAFeed(source=source, detail="it is JSON, but no JSON Feed: `version` and `items` are missing")
    return document


def _value(raw: msgspec.Raw) -> Any:
    if not bytes(raw) or len(bytes(raw)) > MAX_ITEM_BYTES:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _show(document: _Document) -> FeedShow:
    hubs = _value(document.hubs)
    hub = (
        next((_text(one.get("url")) for one in hubs if isinstance(one, dict)), None) if isinstance(hubs, list) else None
    )
    return FeedShow(
        title=clean_line(_text(_value(document.title)) or ""),
        description=_text(_value(document.description)),
        author=_author({"authors": _value(document.authors), "author": _value(document.author)}),
        image_url=_text(_value(document.icon)),
        feed_url=_text(_value(document.feed_url)),
        website_url=_text(_value(document.home_page_url)),
        language=_text(_value(document.language)),
        next_page_url=_text(_value(document.next_url)),
        hub_url=hub,
        complete=_value(document.expired) is True,
    )


def _episode(raw: msgspec.Raw, problems: list[FeedProblem]) -> FeedEpisode | None:
    members = _value(raw)
    if not isinstance(members, dict):
        problems.append(FeedProblem("unreadable_item", "the item is no object, or is larger than two megabytes"))
        return None
    title = clean_line(_text(members.get("title")) or "")
    name = _text(members.get("id")) or title or None

    def complain(code: ProblemCode, message: str) -> None:
        problems.append(FeedProblem(code, message, None, name))

    attachment = _attachment(members.get("attachments"))
    if attachment is None:
        complain("no_enclosure", "the item has no audio or video attachment, so it is no episode")
        return None
    media, seconds = attachment
    if not media.urls[0].lower().startswith(("http://", "https://")):
        complain("bad_enclosure_url", f"the attachment {media.urls[0][:200]!r} is neither http nor https")
        return None
    text = _text(members.get("date_published")) or _text(members.get("date_modified"))
    date = try_parse_date(text) if text else None
    if date is None:
        complain("bad_date" if text else "no_date", f"{text[:80]!r} is no date" if text else "the item has no date")
    if not title:
        complain("no_title", "the item has no title")
    guid, guid_source = (_text(members.get("id")), "guid")
    if not guid:
        guid, guid_source = make_guid(media.urls[0], title, date, seconds)
        complain("no_guid", f"the item has no id; {guid[:200]} stands for it")
    content = _text(members.get("content_html")) or _text(members.get("content_text"))
    tags = members.get("tags")
    return FeedEpisode(
        guid=guid,
        guid_source="guid" if guid_source == "guid" else "enclosure",
        title=title,
        audio_url=media.urls[0],
        audio_type=media.type,
        audio_bytes=media.bytes,
        publish_date=date,
        duration_seconds=seconds,
        description=_text(members.get("summary")) or content,
        content=content,
        link=_text(members.get("url")) or _text(members.get("external_url")),
        author=_author(members),
        categories=tuple(filter(None, map(_text, tags))) if isinstance(tags, list) else (),
        image_url=_text(members.get("image")) or _text(members.get("banner_image")),
    )


def _attachment(attachments: Any) -> tuple[FeedEnclosure, int | None] | None:
    """The first audio, else video attachment, with its length in seconds."""
    found = []
    for one in attachments if isinstance(attachments, list) else ():
        url = _text(one.get("url")) if isinstance(one, dict) else None
        if url:
            kind = (_text(one.get("mime_type")) or "").lower() or None
            found.append((FeedEnclosure((url,), kind, _whole(one.get("size_in_bytes"))), _seconds(one)))
    fitting = [pair for pair in found if is_media(pair[0].type, pair[0].urls[0])]
    return min(fitting, key=lambda pair: (pair[0].type or "").startswith("video/"), default=None)


def _seconds(attachment: Members) -> int | None:
    seconds = _whole(attachment.get("duration_in_seconds"))
    return seconds if seconds and seconds <= LONGEST_SECONDS else None


def _whole(value: Any) -> int | None:
    """A number above zero, cut to whole; None for anything else."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < 2**63 else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _author(members: Members) -> str | None:
    authors = members.get("authors")
    candidates = [*(authors if isinstance(authors, list) else ()), members.get("author")]
    named = (_text(one.get("name")) for one in candidates if isinstance(one, dict))
    return next((name for name in named if name), None)
