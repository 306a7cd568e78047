"""What a podcast feed says, as frozen values: the show, its episodes, and every problem met on the way.

Nothing here is stored as it stands; the ingest decides what becomes a row. Field names follow the specification's
tables; the rest follows RSS 2.0, the iTunes tags and the podcast namespace (https://podcasting2.org/docs).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

GuidSource = Literal["guid", "enclosure", "derived"]
ProblemCode = Literal[
    "bad_date",
    "bad_duration",
    "bad_encoding",
    "bad_enclosure_url",
    "bad_number",
    "declarations_ignored",
    "duplicate_guid",
    "last_resort",
    "no_date",
    "no_enclosure",
    "no_guid",
    "no_show_title",
    "no_title",
    "not_well_formed",
    "truncated",
    "unreadable_item",
    "wrong_encoding",
]

PROBLEMS: Final[Mapping[ProblemCode, str]] = MappingProxyType(
    {
        "bad_date": "A date that no rule can read, or that is ambiguous; the episode has no date.",
        "bad_duration": "A duration that is no length of time; the episode has none.",
        "bad_encoding": "Bytes that are no text in the feed's encoding; each was read as windows-1252 or replaced.",
        "bad_enclosure_url": "The enclosure's address is neither http nor https; the item is left out.",
        "bad_number": "A season, episode or length that is no number; the field is empty.",
        "declarations_ignored": "The document declares entities of its own; none was expanded.",
        "duplicate_guid": "An earlier item has the same guid; this one is left out.",
        "last_resort": "Only the tolerant parser of last resort could read the feed; some fields may be missing.",
        "no_date": "The item has no date.",
        "no_enclosure": "The item has no audio or video, so it is no episode; it is left out.",
        "no_guid": "The item has no guid; one was made from its enclosure, or from title, date and duration.",
        "no_show_title": "The feed does not name the show.",
        "no_title": "The item has no title.",
        "not_well_formed": "The document breaks the rules of its format at the given line; it was repaired and read.",
        "truncated": "The document ends too early; what was complete has been read.",
        "unreadable_item": "No rule can read the item, or the document ends inside it; it is left out.",
        "wrong_encoding": "The document is in another encoding than it says; the one that fits was used.",
    }
)
"""The closed vocabulary of problems with what each one means for the result."""

LEFT_OUT: Final[frozenset[ProblemCode]] = frozenset(
    {"bad_enclosure_url", "duplicate_guid", "no_enclosure", "unreadable_item"}
)
"""The codes that account for an item that is not among the episodes: one such problem per item left out."""


@dataclass(frozen=True, slots=True)
class FeedProblem:
    """One thing that was wrong; `line` is 1-based in the decoded document, `item` the guid or title where known."""

    code: ProblemCode
    message: str
    line: int | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class FeedTranscript:
    url: str
    type: str | None = None
    language: str | None = None
    rel: str | None = None


@dataclass(frozen=True, slots=True)
class FeedPerson:
    name: str
    role: str | None = None
    group: str | None = None
    href: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True)
class FeedSoundbite:
    start_seconds: float
    duration_seconds: float
    title: str | None = None


@dataclass(frozen=True, slots=True)
class FeedEnclosure:
    """One way to get the media: an enclosure, media:content or podcast:alternateEnclosure with its sources."""

    urls: tuple[str, ...]
    type: str | None = None
    bytes: int | None = None
    bitrate: float | None = None
    height: int | None = None
    language: str | None = None
    title: str | None = None
    rel: str | None = None
    codecs: str | None = None
    is_default: bool = False
    integrity: str | None = None


@dataclass(frozen=True, slots=True)
class FeedRecipient:
    name: str | None
    type: str | None
    address: str
    split: int | None
    fee: bool = False
    custom_key: str | None = None
    custom_value: str | None = None


@dataclass(frozen=True, slots=True)
class FeedRemoteItem:
    feed_guid: str | None = None
    feed_url: str | None = None
    item_guid: str | None = None
    medium: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class FeedTimeSplit:
    start_seconds: float
    duration_seconds: float
    remote_percentage: int | None = None
    remote_start_seconds: float | None = None
    remote_item: FeedRemoteItem | None = None
    recipients: tuple[FeedRecipient, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedValue:
    type: str | None
    method: str | None
    suggested: str | None = None
    recipients: tuple[FeedRecipient, ...] = ()
    time_splits: tuple[FeedTimeSplit, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedChapter:
    """One Podlove simple chapter; `start_seconds` is normal play time from the start of the media."""

    start_seconds: float
    title: str
    href: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True)
class FeedTxt:
    text: str
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class FeedFunding:
    url: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class FeedLocation:
    name: str
    geo: str | None = None
    osm: str | None = None
    rel: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class FeedLicense:
    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class FeedSocial:
    """Where an episode is discussed (podcast:socialInteract)."""

    protocol: str
    uri: str | None = None
    account: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class FeedTrailer:
    title: str
    url: str
    published_at: datetime | None = None
    type: str | None = None
    bytes: int | None = None
    season: int | None = None


@dataclass(frozen=True, slots=True)
class FeedUpdateFrequency:
    text: str | None
    rrule: str | None = None
    start_at: datetime | None = None
    is_complete: bool = False


@dataclass(frozen=True, slots=True)
class FeedExtras:
    """The podcast namespace's tags that a show and an episode share."""

    persons: tuple[FeedPerson, ...] = ()
    value: FeedValue | None = None
    txts: tuple[FeedTxt, ...] = ()
    locations: tuple[FeedLocation, ...] = ()
    license: FeedLicense | None = None
    funding: tuple[FeedFunding, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedEpisode:
    """One item with media. `guid` is never empty; `guid_source` says where it comes from."""

    guid: str
    guid_source: GuidSource
    title: str
    audio_url: str
    audio_type: str | None = None
    audio_bytes: int | None = None
    publish_date: datetime | None = None
    duration_seconds: int | None = None
    description: str | None = None
    content: str | None = None
    subtitle: str | None = None
    link: str | None = None
    author: str | None = None
    categories: tuple[str, ...] = ()
    explicit: bool | None = None
    episode_number: int | None = None
    season_number: int | None = None
    episode_type: str | None = None
    image_url: str | None = None
    blocked: bool = False
    transcripts: tuple[FeedTranscript, ...] = ()
    chapters_url: str | None = None
    chapters_type: str | None = None
    chapters: tuple[FeedChapter, ...] = ()
    soundbites: tuple[FeedSoundbite, ...] = ()
    alternate_enclosures: tuple[FeedEnclosure, ...] = ()
    social: tuple[FeedSocial, ...] = ()
    extras: FeedExtras = FeedExtras()

    @property
    def persons(self) -> tuple[FeedPerson, ...]:
        """Who takes part, in the feed's order."""
        return self.extras.persons

    @property
    def value(self) -> FeedValue | None:
        """How listeners can send money."""
        return self.extras.value


@dataclass(frozen=True, slots=True)
class FeedLiveItem:
    """A live stream announced by the show; it is no episode until it appears as an item."""

    status: str | None
    start_at: datetime | None
    end_at: datetime | None
    episode: FeedEpisode


@dataclass(frozen=True, slots=True)
class FeedShow:
    """What the feed says of the show; `feed_url` is its own address of itself, `new_feed_url` where it moves to."""

    title: str
    description: str | None = None
    author: str | None = None
    image_url: str | None = None
    feed_url: str | None = None
    new_feed_url: str | None = None
    website_url: str | None = None
    language: str | None = None
    categories: tuple[str, ...] = ()
    explicit: bool | None = None
    owner_name: str | None = None
    owner_email: str | None = None
    podcast_guid: str | None = None
    locked: bool | None = None
    locked_owner: str | None = None
    medium: str | None = None
    show_type: str | None = None
    generator: str | None = None
    copyright: str | None = None
    published_at: datetime | None = None
    ttl_minutes: int | None = None
    hub_url: str | None = None
    next_page_url: str | None = None
    blocked: bool = False
    complete: bool = False
    update_frequency: FeedUpdateFrequency | None = None
    trailers: tuple[FeedTrailer, ...] = ()
    podroll: tuple[FeedRemoteItem, ...] = ()
    publisher: FeedRemoteItem | None = None
    live_items: tuple[FeedLiveItem, ...] = ()
    blocks: tuple[tuple[str, bool], ...] = ()
    uses_podping: bool | None = None
    extras: FeedExtras = FeedExtras()

    @property
    def category(self) -> str | None:
        """The first category, which stores show as the main one."""
        return self.categories[0] if self.categories else None

    @property
    def funding(self) -> tuple[FeedFunding, ...]:
        """Where listeners can support the show."""
        return self.extras.funding


@dataclass(frozen=True, slots=True)
class Feed:
    """A whole feed as read; `item_count` items were seen, and each that is no episode has a problem in LEFT_OUT."""

    source: str
    show: FeedShow
    episodes: tuple[FeedEpisode, ...] = ()
    problems: tuple[FeedProblem, ...] = ()
    item_count: int = 0
