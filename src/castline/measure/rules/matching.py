"""Which episode a request is for: by host and path of its enclosure, or by path alone where the log names no host."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final
from uuid import UUID

import polars as pl

from castline.measure.rules.addresses import AMBIGUOUS, NO_EPISODE, PatternFinder, QueryFinder, StreamFinder
from castline.model.show import AudioKey, UrlPattern
from castline.model.vocab import MediaKind
from castline.sources.enclosure import path_key, url_key
from castline.sources.url_query import parse_parameters
from castline.store.entities.addresses import load_url_patterns
from castline.store.entities.shows import load_audio_keys
from castline.store.pool import Connection

# An episode that lasts 60 s and more needs one minute; no codec in use goes below this, so less is no size at all.
_MINUTE: Final = 60
_LEAST_BYTES_PER_SECOND: Final = 500
_NO_HOST: Final = "host.invalid"
_ENCODED_PERCENT: Final = "%25"
# A segment by its container, wherever it lies.
IS_SEGMENT: Final = re.compile(r"\.(?:ts|m4s|cmfa)(?:$|\?)", re.IGNORECASE)
# The sizes of another file than the enclosure, and what they stand instead of.
OWN_SIZES: Final = {"own_bytes": "file_bytes", "own_needed": "needed_bytes", "own_whole": "needs_whole"}
_FOUND_SCHEMA: Final = pl.Schema(
    {
        "episode": pl.Int32(),
        "is_other_file": pl.Boolean(),
        "is_stream": pl.Boolean(),
        "own_bytes": pl.Int64(),
        "own_needed": pl.Int64(),
        "own_whole": pl.Boolean(),
    }
)


@dataclass(frozen=True, slots=True)
class KnownEpisode:
    """An episode as judging needs it.

    `needed_bytes` is what makes a download: header and one minute of audio; the whole file where that is shorter or its
    length is not known (`needs_whole`); None where the file's size is not known either.
    """

    podcast_id: UUID
    episode_id: UUID
    file_bytes: int | None
    needed_bytes: int | None
    needs_whole: bool
    duration_seconds: int | None = None
    header_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """What a request for an address is for; `own` is what another file or a stream needs, None for the enclosure."""

    number: int
    kind: MediaKind
    own: "OwnSize | None" = None


@dataclass(frozen=True, slots=True)
class OwnSize:
    """The size of a file or stream that is not the enclosure, and what of it makes a download."""

    file_bytes: int | None
    needed_bytes: int | None
    needs_whole: bool


class EpisodeIndex:
    """The account's episodes under their audio keys; a key that leads to several episodes is ambiguous.

    An address of several episodes of one show is told apart by its parameters. What no key names may lie below a
    stream's playlist, or fit a pattern of the operator.
    """

    def __init__(self, audio_keys: Iterable[AudioKey], patterns: Iterable[UrlPattern] = ()) -> None:
        self.episodes: list[KnownEpisode] = []
        self._numbers: dict[object, int] = {}
        self._entries: list[Address] = []
        self._by_key: dict[str, set[int]] = {}
        self._by_path: dict[str, set[int]] = {}
        self._hosts: set[str] = set()
        self._streams, self._path_streams = StreamFinder(), StreamFinder()
        # The enclosure first: it tells the episode's own size.
        ordered = sorted(audio_keys, key=lambda key: (str(key.episode_id), key.kind != "enclosure", key.audio_key))
        urls = {place: item.audio_url for place, item in enumerate(ordered) if item.audio_url}
        for item in ordered:
            self._enter(item)
        self._queries = _find_queries(self._by_key.values(), self._entries, urls)
        self._path_queries = _find_queries(self._by_path.values(), self._entries, urls)
        self._patterns = PatternFinder(patterns, self._first_entries(), _names_of(ordered, self._first_entries()))

    def _enter(self, item: AudioKey) -> None:
        number = self._numbers.setdefault(item.episode_id, len(self.episodes))
        if number == len(self.episodes):
            self.episodes.append(_known(item))
        place = len(self._entries)
        own = None if item.kind == "enclosure" else _own_size(item)
        self._entries.append(Address(number, item.kind, own))
        host, slash, path = item.audio_key.partition("/")
        self._hosts.add(host)
        self._by_key.setdefault(item.audio_key, set()).add(place)
        self._by_path.setdefault(slash + path, set()).add(place)
        if item.kind == "stream":
            self._streams.add(item.audio_key, place)
            self._path_streams.add(slash + path, place)

    def _first_entries(self) -> dict[object, int]:
        """The place of each episode's first entry, which is its enclosure's."""
        first: dict[int, int] = {}
        for place, entry in enumerate(self._entries):
            first.setdefault(entry.number, place)
        return {episode_id: first[number] for episode_id, number in self._numbers.items()}

    def find(self, host: str | None, path: str | None) -> int:
        """The episode's number, NO_EPISODE or AMBIGUOUS.

        A host that serves some episode decides together with the path; any other host, such as an origin server's name
        behind a CDN, is as good as none.
        """
        found = self.find_address(host, path)
        return found if isinstance(found, int) else found.number

    def find_address(self, host: str | None, path: str | None) -> Address | int:
        """What the request is for, or NO_EPISODE or AMBIGUOUS."""
        if not path:
            return NO_EPISODE
        url = f"http://{host or _NO_HOST}{path}"
        key = url_key(url) if host else ""
        found = self._find_by(url, key) if host else NO_EPISODE
        if found == NO_EPISODE and key.partition("/")[0] not in self._hosts:
            found = self._find_by_path(url)
        if found == NO_EPISODE and self._patterns:
            found = self._patterns.find(key or path_key(url))
        if found == NO_EPISODE and _ENCODED_PERCENT in path:
            # CloudFront and S3 encode what was encoded already.
            return self.find_address(host, path.replace(_ENCODED_PERCENT, "%"))
        if found < 0:
            return found
        entry = self._entries[found]
        return Address(entry.number, "stream", entry.own) if IS_SEGMENT.search(path) else entry

    def _find_by(self, url: str, key: str) -> int:
        if key in self._by_key:
            return self._only(self._by_key[key], self._queries, url)
        return self._streams.find(key) if self._streams else NO_EPISODE

    def _find_by_path(self, url: str) -> int:
        path = path_key(url)
        if path in self._by_path:
            return self._only(self._by_path[path], self._path_queries, url)
        return self._path_streams.find(path) if self._path_streams else NO_EPISODE

    def _only(self, places: set[int], queries: Mapping[frozenset[int], QueryFinder], url: str) -> int:
        """The one entry, or that of the one episode; of several what the parameters say."""
        if len({self._entries[place].number for place in places}) == 1:
            return min(places)
        finder = queries.get(frozenset(places))
        return finder.find(url) if finder else AMBIGUOUS

    def match(self, requests: pl.DataFrame) -> pl.DataFrame:
        """The requests with `episode`, the number that `find` gives for their `host` and `path`.

        And with the own sizes of a file or stream that is not the enclosure (OWN_SIZES), null for it; `is_other_file`
        where it is such a file. Requests for a stream are of the delivery `hls`, but through a prefix.
        """
        places = requests.select("host", "path").unique()
        found = [self.find_address(host, path) for host, path in places.iter_rows()]
        rows = [
            (item, False, False, None, None, None)
            if isinstance(item, int)
            else (item.number, item.kind == "file", item.kind == "stream", *_sizes_of(item))
            for item in found
        ]
        table = places.hstack(pl.DataFrame(rows, schema=_FOUND_SCHEMA, orient="row"))
        known = requests.join(table, on=["host", "path"], how="left", nulls_equal=True, maintain_order="left")
        if not table["is_stream"].any():
            return known.drop("is_stream")
        is_stream = pl.col("is_stream") & (pl.col("delivery").fill_null("file") == "file")
        delivery = pl.when(is_stream).then(pl.lit("hls")).otherwise("delivery")
        return known.with_columns(delivery=delivery).drop("is_stream")

    def table(self) -> pl.DataFrame:
        """One row per episode, in the order of the numbers."""
        return pl.DataFrame(
            {
                "episode": range(len(self.episodes)),
                "podcast_id": [str(item.podcast_id) for item in self.episodes],
                "episode_id": [str(item.episode_id) for item in self.episodes],
                "file_bytes": [item.file_bytes for item in self.episodes],
                "needed_bytes": [item.needed_bytes for item in self.episodes],
                "needs_whole": [item.needs_whole for item in self.episodes],
            },
            schema={
                "episode": pl.Int32(),
                "podcast_id": pl.String(),
                "episode_id": pl.String(),
                "file_bytes": pl.Int64(),
                "needed_bytes": pl.Int64(),
                "needs_whole": pl.Boolean(),
            },
        )


def compute_needed_bytes(
    file_bytes: int | None, duration_seconds: float | None, header_bytes: int | None = None
) -> tuple[int | None, bool]:
    """How many bytes make a download, None if that cannot be known, and whether it is the whole file.

    Header and a minute of audio at the file's own rate. Without a known header the rate is the file's size over its
    length, so the header is part of it; docs/method/downloads.md says why.
    """
    if not file_bytes or file_bytes < 0:
        return None, False
    header = max(header_bytes or 0, 0)
    if not duration_seconds or not duration_seconds >= _MINUTE or header >= file_bytes:
        return file_bytes, True
    return header + ceil(Fraction((file_bytes - header) * _MINUTE) / Fraction(duration_seconds)), False


def find_unmatched(index: EpisodeIndex, requests: pl.DataFrame) -> Iterator[tuple[str | None, str, int]]:
    """(host, path, requests) of what is no episode, in any order."""
    found = index.match(requests).filter((pl.col("episode") < 0) & pl.col("path").is_not_null())
    yield from found.group_by("host", "path").len("count").iter_rows()


def _sizes_of(address: Address) -> tuple[int | None, int | None, bool | None]:
    own = address.own
    return (None, None, None) if own is None else (own.file_bytes, own.needed_bytes, own.needs_whole)


def load_index(connection: Connection, owner_id: UUID) -> EpisodeIndex:
    """The account's episodes under all their addresses and the operator's patterns."""
    return EpisodeIndex(load_audio_keys(connection, owner_id), load_url_patterns(connection, owner_id))


def _known(item: AudioKey) -> KnownEpisode:
    if item.kind != "enclosure":
        return KnownEpisode(item.podcast_id, item.episode_id, None, None, needs_whole=False)
    size = _plausible(item.audio_bytes, item.duration_seconds)
    header = item.header_bytes if size and item.header_bytes and item.header_bytes < size else None
    seconds = item.duration_seconds or _seconds_by_rate(size, header, item.bits_per_second)
    needed, whole = compute_needed_bytes(size, seconds, header)
    return KnownEpisode(item.podcast_id, item.episode_id, size, needed, whole, seconds, header)


def _seconds_by_rate(size: int | None, header: int | None, bits_per_second: int | None) -> int | None:
    """How long a file is whose length no feed tells."""
    return (size - (header or 0)) * 8 // bits_per_second if size and bits_per_second else None


def _plausible(size: int | None, seconds: int | None) -> int | None:
    """A feed's size that cannot be right is none."""
    return size if size and size >= _LEAST_BYTES_PER_SECOND * (seconds or 0) else None


def _own_size(item: AudioKey) -> OwnSize | None:
    """By the feed's size of that very file, else by its bit rate; None where the enclosure's must stand for it."""
    seconds = item.duration_seconds
    size = None if item.kind == "stream" else _plausible(item.audio_bytes, seconds)
    per_second = (item.bits_per_second or 0) // 8
    if size is None and seconds and per_second >= _LEAST_BYTES_PER_SECOND:
        size = per_second * seconds
    return OwnSize(size, *compute_needed_bytes(size, seconds)) if size else None


def _find_queries(
    groups: Iterable[set[int]], entries: Sequence[Address], urls: Mapping[int, str]
) -> dict[frozenset[int], QueryFinder]:
    """A finder for each address that several episodes share."""
    found = {}
    for places in groups:
        if len({entries[place].number for place in places}) > 1:
            parameters = {place: parse_parameters(urls[place]) if place in urls else {} for place in sorted(places)}
            found[frozenset(places)] = QueryFinder(parameters)
    return found


def _names_of(items: Iterable[AudioKey], first: Mapping[object, int]) -> dict[object, dict[str, int]]:
    """By show the place of each episode's first entry by guid and by its enclosure's name without the ending."""
    names: dict[object, dict[str, int]] = {}
    for item in items:
        file = item.audio_key.rpartition("/")[2]
        for name in {item.guid, file.rpartition(".")[0] or file} - {None, ""}:
            table = names.setdefault(item.podcast_id, {})
            place = first[item.episode_id]
            table[str(name)] = place if table.get(str(name), place) == place else AMBIGUOUS
    return names
