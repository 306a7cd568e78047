"""Addresses that name no file by themselves: scripts with parameters, segments of streams, patterns of the operator.

Each finder answers with the place of an entry, NO_EPISODE or AMBIGUOUS. Method: docs/method/downloads.md
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from castline.model.show import UrlPattern
from castline.sources.enclosure import normal_escapes
from castline.sources.url_query import parse_parameters

NO_EPISODE: Final = -1
AMBIGUOUS: Final = -2
_PIECE: Final = re.compile(r"\.(?:m3u8|ts|m4s|cmfa|cmfv|cmft)$", re.IGNORECASE)
# These may as well be files of their own: they are segments by the name that packagers give them.
_AUDIO: Final = re.compile(r"\.(?:aac|mp4|m4a|mp3|ac3|ec3)$", re.IGNORECASE)
_PACKAGED: Final = re.compile(
    r"(?:seg|segment|chunk|frag|fragment|filesequence|init|part)[-_.]?\d*\.[a-z0-9]+$", re.IGNORECASE
)
# The longest first: `**` any part of the path, `*` any part of one folder's or file's name.
_MARKS: Final = re.compile(r"\*\*|\*|\{guid\}|\{file\}")
_WORD: Final = re.compile(r"[A-Za-z0-9]")


class QueryFinder:
    """Episodes that share an address but for its parameters, told apart by those that differ between them.

    Each parameter by which every one of them differs decides alone; where none does, all that differ decide together.
    """

    def __init__(self, parameters: Mapping[int, Mapping[str, str]]) -> None:
        differing = _differing(parameters)
        alone = [name for name in differing if _tells_all([(told.get(name),) for told in parameters.values()])]
        self._names: list[tuple[str, ...]] = [(name,) for name in alone] or ([tuple(differing)] if differing else [])
        self._by_values: list[dict[tuple[str | None, ...], int]] = []
        for names in self._names:
            table: dict[tuple[str | None, ...], int] = {}
            for place, told in parameters.items():
                values = tuple(told.get(name) for name in names)
                table[values] = AMBIGUOUS if values in table else place
            self._by_values.append(table)

    def find(self, url: str) -> int:
        """The entry that the address's parameters name; without any of them, or with two names, it is ambiguous."""
        told = parse_parameters(url)
        found = {
            table[values]
            for names, table in zip(self._names, self._by_values, strict=True)
            if (values := tuple(told.get(name) for name in names)) in table
        }
        return found.pop() if len(found) == 1 else AMBIGUOUS


def _differing(parameters: Mapping[int, Mapping[str, str]]) -> list[str]:
    names = sorted({name for told in parameters.values() for name in told})
    return [name for name in names if len({told.get(name) for told in parameters.values()}) > 1]


def _tells_all(values: Sequence[tuple[str | None, ...]]) -> bool:
    return len(set(values)) == len(values) and all(None not in value for value in values)


class StreamFinder:
    """Segments and playlists below the folder of an episode's playlist; of several the longest beginning decides.

    Where several episodes' playlists share a folder, a segment must begin with its playlist's own name.
    """

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))

    def add(self, playlist: str, place: int) -> None:
        """The playlist's folder is the entry's."""
        folder, _, name = playlist.rpartition("/")
        self._folders[folder][name.rpartition(".")[0] or name].add(place)

    def __bool__(self) -> bool:
        return bool(self._folders)

    def find(self, key: str) -> int:
        """The entry below whose folder the address lies."""
        is_audio = bool(_AUDIO.search(key))
        if not is_audio and not _PIECE.search(key):
            return NO_EPISODE
        folder = key
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if folder in self._folders:
                names, rest = self._folders[folder], key[len(folder) + 1 :]
                if is_audio and not _PACKAGED.search(rest) and not any(_begins(rest, name) for name in names):
                    return NO_EPISODE
                return _choose(names, rest)
        return NO_EPISODE


def _begins(rest: str, name: str) -> bool:
    """True if the name stands at the beginning, and no letter or digit behind it."""
    return rest.startswith(name) and not _WORD.match(rest[len(name) :])


def _choose(names: Mapping[str, set[int]], rest: str) -> int:
    places = set().union(*names.values())
    if len(places) == 1:
        return next(iter(places))
    begins = [name for name in names if _begins(rest, name)]
    longest = max(begins, key=len, default=None)
    chosen = names[longest] if longest is not None else places
    return next(iter(chosen)) if len(chosen) == 1 else AMBIGUOUS


class PatternFinder:
    """The operator's patterns; the one with the most letters of its own decides, and two as long are ambiguous."""

    def __init__(
        self, patterns: Iterable[UrlPattern], episodes: Mapping[object, int], named: Mapping[object, Mapping[str, int]]
    ) -> None:
        """`episodes` are places by episode id, `named` by show and then by guid and by file name."""
        self._patterns = sorted(
            ((_literal_length(one.pattern), _compile(one.pattern), one) for one in patterns),
            key=lambda item: (-item[0], item[2].pattern),
        )
        self._episodes, self._named = episodes, named

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def find(self, key: str) -> int:
        """The entry that the first pattern which fits host and path leads to."""
        found: set[int] = set()
        length = 0
        slash = key.find("/")
        for size, compiled, pattern in self._patterns:
            if found and size < length:
                break
            match = compiled.fullmatch(key if not pattern.pattern.startswith("/") else key[slash:])
            place = self._place(pattern, match) if match else NO_EPISODE
            if place != NO_EPISODE:
                found.add(place)
                length = size
        return NO_EPISODE if not found else found.pop() if len(found) == 1 else AMBIGUOUS

    def _place(self, pattern: UrlPattern, match: re.Match[str]) -> int:
        if pattern.episode_id is not None:
            return self._episodes.get(pattern.episode_id, NO_EPISODE)
        names = self._named.get(pattern.podcast_id, {})
        return next((names[text] for text in match.groups() if text in names), NO_EPISODE)


def _literal_length(pattern: str) -> int:
    return len(_MARKS.sub("", pattern))


def _compile(pattern: str) -> re.Pattern[str]:
    """Fits keys: host in lower case without `www.`, escapes as in keys."""
    scheme, mark, rest = pattern.partition("://")
    host, slash, path = (rest if mark else scheme).partition("/")
    text = f"{host.lower().removeprefix('www.')}{slash}{path}"
    parts, end = [], 0
    for found in _MARKS.finditer(text):
        parts.append(re.escape(normal_escapes(text[end : found.start()])))
        parts.append({"**": ".*", "*": "[^/]*"}.get(found[0], "([^/]+)"))
        end = found.end()
    return re.compile("".join([*parts, re.escape(normal_escapes(text[end:]))]))
