"""The published list of user agents: loaded at run time, checked entry by entry, kept in the data folder.

Its files are those of opawg/user-agents-v2: `entries` of name, pattern and examples in bots.json, apps.json,
libraries.json, browsers.json, devices.json and referrers.json; the first match wins in that order.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final, Literal, cast
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

import msgspec
import re2  # type: ignore[import-untyped]  # it ships no types

from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import SourceUnavailable, SourceUnreadable, Terminal
from castline.measure.agents.names import slug_of
from castline.measure.agents.rules import AgentRule, DeviceRule, DeviceType, load_agent_rules
from castline.sources.fetch import FetchPolicy, fetch, read_file

PUBLISHED_URL: Final = "https://raw.githubusercontent.com/opawg/user-agents-v2/master/src/"
ListName = Literal["bots", "apps", "libraries", "browsers", "devices", "referrers"]
LIST_NAMES: Final[tuple[ListName, ...]] = ("bots", "apps", "libraries", "browsers", "devices", "referrers")
_TYPES: Final[Mapping[str, Literal["bot", "app", "library", "browser"]]] = {
    "bots": "bot",
    "apps": "app",
    "libraries": "library",
    "browsers": "browser",
}
# The list's own words for devices, and those of the event table.
_DEVICES: Final[Mapping[str, DeviceType]] = {
    "mobile": "mobile",
    "computer": "desktop",
    "smart_speaker": "smart_speaker",
    "smart_tv": "smart_tv",
    "watch": "watch",
    "auto": "car",
}
_MAX_BYTES: Final = 8 * 1024 * 1024  # the whole list of 2026 has 0.3 MB
_MAX_ENTRIES: Final = 20_000
_MAX_PATTERN: Final = 4_096  # the longest of 2026 has 889 characters
_OK: Final = 200
_ENCODED: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


class AgentListRefused(Terminal):
    """The list of user agents in {source} cannot be used: {detail}"""

    fix = "The list in use stays as it is. Report the entry to the list's makers, or load an earlier state of it."


class AgentListUnavailable(SourceUnavailable):
    """{source} could not be fetched: {detail}. The list in use stays as it is."""

    fix = (
        "Check this machine's network and try again. Without one, `castline agents update` takes a folder or a zip file"
        " that holds the list."
    )


class PublishedEntry(msgspec.Struct, frozen=True):
    """One entry as published; what else stands there (links, icons) is not used."""

    name: str
    pattern: str
    category: str | None = None
    examples: tuple[str, ...] = ()


class PublishedFile(msgspec.Struct, frozen=True):
    """One file as published."""

    entries: tuple[PublishedEntry, ...]


class _Saved(msgspec.Struct, frozen=True):
    """What the data folder holds: the files, where they came from, when, and the hash of their bytes."""

    origin: str
    loaded_at: datetime
    content_hash: str
    files: dict[str, PublishedFile]


@dataclass(frozen=True, slots=True)
class PublishedFacts:
    """What a loaded list is: its origin, when it was loaded, the hash of its files, its entries per file."""

    origin: str
    loaded_at: datetime
    content_hash: str
    entry_counts: Mapping[str, int]

    @property
    def version(self) -> str:
        """When it was loaded and the beginning of its hash; the list states no version of its own."""
        return f"{self.loaded_at:%Y-%m-%d}+{self.content_hash[:8]}"


@dataclass(frozen=True, slots=True)
class PublishedList:
    """A loaded list as rules, in the order in which they are tried."""

    facts: PublishedFacts
    rules: tuple[AgentRule, ...]
    devices: tuple[DeviceRule, ...]

    @property
    def version(self) -> str:
        return self.facts.version


def update_published_list(settings: Settings, source: str = PUBLISHED_URL) -> PublishedFacts:
    """The list at a web address, in a folder or in a zip file is checked and used from now on.

    All or nothing: AgentListRefused names the entry that is wrong, and the list in use stays. Also raises
    AgentListUnavailable and SourceUnreadable.
    """
    contents = {name: content for name, content in _read_files(settings, source).items() if content is not None}
    files = {name: _parse(source, name, content) for name, content in contents.items()}
    hashed = sha256(b"".join(name.encode() + b"\0" + contents[name] + b"\0" for name in sorted(contents)))
    saved = _Saved(source, now(), hashed.hexdigest(), files)
    _as_list(saved)
    target = _place(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(saved))
    draft.replace(target)
    return _facts(saved)


def load_published_list(settings: Settings) -> PublishedList:
    """The list in the data folder. Raises AgentListRefused if it was damaged."""
    place = _place(settings)
    try:
        return _as_list(msgspec.json.decode(place.read_bytes(), type=_Saved))
    except (OSError, msgspec.DecodeError) as error:
        raise AgentListRefused(source=place, detail=str(error)) from error


def published_stamp(settings: Settings) -> tuple[int, int] | None:
    """What changes whenever another list is loaded; None if there is none."""
    try:
        found = _place(settings).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _place(settings: Settings) -> Path:
    return settings.data_dir / "agents" / "published.json"


def _read_files(settings: Settings, source: str) -> dict[str, bytes | None]:
    read = _reader(settings, source)
    return {name: read(name) for name in LIST_NAMES}


def _reader(settings: Settings, source: str) -> Callable[[str], bytes | None]:
    if re.match(r"https?://", source, re.IGNORECASE):
        return lambda name: _fetch_file(settings, source, name)
    path = Path(source).expanduser()
    if path.is_dir():
        folder = path / "src" if (path / "src" / "apps.json").is_file() else path
        return lambda name: _read_member(folder / f"{name}.json", name)
    if path.suffix.lower() == ".zip":
        return lambda name: _read_zipped(path, name)
    raise SourceUnreadable(source=source, detail="it is neither a web address, a folder nor a zip file")


def _fetch_file(settings: Settings, source: str, name: str) -> bytes | None:
    policy = FetchPolicy(allow_private_addresses=settings.allow_private_addresses, max_bytes=_MAX_BYTES)
    address = f"{source.rstrip('/')}/{name}.json"
    try:
        answer = fetch(address, policy=policy)
    except SourceUnavailable as error:
        detail = error.facts["detail"]
        raise AgentListUnavailable(source=address, detail=detail, retry_after=error.retry_after) from error
    if answer.status == _OK:
        return answer.body
    if name == "referrers":
        return None
    raise AgentListUnavailable(source=address, detail=f"the server answered {answer.status}")


def _read_member(path: Path, name: str) -> bytes | None:
    if name == "referrers" and not path.exists():
        return None
    return read_file(path, max_bytes=_MAX_BYTES)


def _read_zipped(path: Path, name: str) -> bytes | None:
    """The file of that name that lies least deep, below `src` in an archive of the whole repository."""
    try:
        with ZipFile(path) as archive:
            places = [PurePosixPath(member) for member in archive.namelist()]
            fitting = [place for place in places if place.name == f"{name}.json" and place.parent.name in {"", "src"}]
            if not fitting and name == "referrers":
                return None
            if not fitting:
                raise SourceUnreadable(source=path, detail=f"it holds no {name}.json")
            place = str(min(fitting, key=lambda found: len(found.parts)))
            with archive.open(place) as file:
                content = file.read(_MAX_BYTES + 1)
    except (OSError, BadZipFile, RuntimeError, NotImplementedError) as error:
        raise SourceUnreadable(source=path, detail=str(error)) from error
    if len(content) > _MAX_BYTES:
        raise SourceUnreadable(source=path, detail=f"{name}.json has more than {_MAX_BYTES:,} bytes")
    return content


def _parse(source: str, name: str, content: bytes) -> PublishedFile:
    try:
        file = msgspec.json.decode(content, type=PublishedFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AgentListRefused(source=source, detail=f"{name}.json: {error}") from error
    if not 0 < len(file.entries) <= _MAX_ENTRIES:
        raise AgentListRefused(source=source, detail=f"{name}.json has {len(file.entries):,} entries")
    seen: set[str] = set()
    for entry in file.entries:
        fault = _find_fault(name, entry) or ("its name occurs twice" if entry.name in seen else None)
        if fault:
            raise AgentListRefused(source=source, detail=f"{name}.json, entry {entry.name[:80]!r}: {fault}")
        seen.add(entry.name)
    return file


def _find_fault(name: str, entry: PublishedEntry) -> str | None:
    """Why an entry cannot be used: all that would surface only when the first request comes."""
    if not entry.name.strip() or not 0 < len(entry.pattern) <= _MAX_PATTERN:
        return "it has no name, or its pattern is empty or too long"
    if name == "devices" and entry.category not in _DEVICES:
        return f"category {entry.category!r} is none of {', '.join(_DEVICES)}"
    try:
        pattern = re2.compile(entry.pattern, _quiet())
    except re2.error as error:
        return f"its pattern is none for RE2 ({_reason(error)})"
    if pattern.search("") is not None:
        return "its pattern fits every text"
    missed = [example for example in entry.examples if pattern.search(example) is None]
    return f"its pattern does not fit its example {missed[0][:120]!r}" if missed else None


def _quiet() -> "re2.Options":
    options = re2.Options()
    options.log_errors = False
    return options


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _facts(saved: _Saved) -> PublishedFacts:
    counts: dict[str, int] = {name: len(saved.files[name].entries) for name in LIST_NAMES if name in saved.files}
    return PublishedFacts(saved.origin, saved.loaded_at, saved.content_hash, counts)


def _as_list(saved: _Saved) -> PublishedList:
    platforms = {_key(rule.name): rule.platform for rule in load_agent_rules().entries if rule.platform}
    rules = tuple(
        AgentRule(
            entry.name,
            kind,
            _decoded(entry.pattern),
            "bot" if kind == "library" and entry.category == "bot" else _duplicate(entry),
            platforms.get(_key(entry.name)) or (slug_of(entry.name) if kind == "app" else None),
        )
        for name, kind in _TYPES.items()
        for entry in saved.files[name].entries
    )
    devices = tuple(
        DeviceRule(entry.name, _decoded(entry.pattern), _DEVICES[cast(str, entry.category)])
        for entry in saved.files["devices"].entries
    )
    return PublishedList(_facts(saved), rules, devices)


def _decoded(pattern: str) -> str:
    """The pattern, its percent-encoded parts as written or decoded: an agent is decoded before it is told."""
    both = _ENCODED.sub(lambda found: f"(?:{found[0]}|{re.escape(unquote(found[0]))})", pattern)
    try:
        re2.compile(both, _quiet())
    except re2.error:
        return pattern
    return both


def _key(name: str) -> str:
    return re.sub(r"\W", "", name.lower())


def _duplicate(entry: PublishedEntry) -> Literal["duplicate"] | None:
    """Watches that ask again for what the phone has loaded have a rule of their own behind that for bots."""
    return "duplicate" if "watch" in entry.name.lower() and entry.pattern.find("atc") >= 0 else None
