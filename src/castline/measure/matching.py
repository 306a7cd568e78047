"""Which episode a request is for: by host and path of its enclosure, or by path alone where the log names no host."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final
from uuid import UUID

import polars as pl

from castline.model.show import AudioKey
from castline.sources.enclosure import path_key, url_key

# An episode that lasts 60 s and more needs one minute; no codec in use goes below this, so less is no size at all.
_MINUTE: Final = 60
_LEAST_BYTES_PER_SECOND: Final = 500
_NO_HOST: Final = "host.invalid"
NO_EPISODE: Final = -1
AMBIGUOUS: Final = -2


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


class EpisodeIndex:
    """The account's episodes under their audio keys; a key that leads to several episodes is ambiguous."""

    def __init__(self, audio_keys: Iterable[AudioKey]) -> None:
        self.episodes: list[KnownEpisode] = []
        numbers: dict[UUID, int] = {}
        self._by_key: dict[str, int] = {}
        self._by_path: dict[str, int] = {}
        self._hosts: set[str] = set()
        for item in sorted(audio_keys, key=lambda key: (str(key.episode_id), key.audio_key)):
            number = numbers.setdefault(item.episode_id, len(self.episodes))
            if number == len(self.episodes):
                self.episodes.append(_known(item))
            host, slash, path = item.audio_key.partition("/")
            self._hosts.add(host)
            _enter(self._by_key, item.audio_key, number)
            _enter(self._by_path, slash + path, number)

    def find(self, host: str | None, path: str | None) -> int:
        """The episode's number, NO_EPISODE or AMBIGUOUS.

        A host that serves some episode decides together with the path; any other host, such as an origin server's name
        behind a CDN, is as good as none.
        """
        if not path:
            return NO_EPISODE
        if host:
            key = url_key(f"http://{host}{path}")
            if key in self._by_key:
                return self._by_key[key]
            if key.partition("/")[0] in self._hosts:
                return NO_EPISODE
        return self._by_path.get(path_key(f"http://{host or _NO_HOST}{path}"), NO_EPISODE)

    def match(self, requests: pl.DataFrame) -> pl.DataFrame:
        """The requests with a column `episode`, the number that `find` gives for their `host` and `path`."""
        places = requests.select("host", "path").unique()
        numbers = [self.find(host, path) for host, path in places.iter_rows()]
        found = places.with_columns(episode=pl.Series(numbers, dtype=pl.Int32))
        return requests.join(found, on=["host", "path"], how="left", nulls_equal=True, maintain_order="left")

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


def _known(item: AudioKey) -> KnownEpisode:
    # A feed's size that cannot be right is none.
    least = _LEAST_BYTES_PER_SECOND * (item.duration_seconds or 0)
    size = item.audio_bytes if item.audio_bytes and item.audio_bytes >= least else None
    needed, whole = compute_needed_bytes(size, item.duration_seconds)
    return KnownEpisode(item.podcast_id, item.episode_id, size, needed, whole, item.duration_seconds)


def _enter(index: dict[str, int], key: str, number: int) -> None:
    index[key] = number if index.get(key, number) == number else AMBIGUOUS
