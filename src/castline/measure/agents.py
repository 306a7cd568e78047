"""Who asks: user agents become a bot, an app, a library or a browser, with its device.

Our own rules are a data file in the shape of the published lists; web bot lists stand below them, because they call
podcast apps bots. Method: docs/method/user-agents.md
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from typing import Final, Literal
from urllib.parse import unquote

import msgspec
import re2  # type: ignore[import-untyped]  # it ships no types

AgentType = Literal["bot", "app", "library", "browser", "unknown"]
DeviceType = Literal["mobile", "desktop", "smart_speaker", "smart_tv", "watch", "car", "console"]
# The default of 8 MB made a set of 900 patterns 35 times slower: its state machine is rebuilt all the time.
_SET_MEMORY: Final = 128 * 1024 * 1024
_LONGEST: Final = 2048
_NEVER: Final = r"[^\x00-\x{10FFFF}]"
_CLIENT: Final = re.compile(
    r"CFNetwork/|Darwin/|ExoPlayerLib|AndroidXMedia3|Alamofire|okhttp|"
    r"\b(?:iOS|iPhone|iPad|iPadOS|Android|watchOS|tvOS|macOS)\b|[/_ -](?:ios|android)\b",
    re.IGNORECASE,
)
_LIBRARY: Final = re.compile(r"CFNetwork/|ExoPlayerLib|AndroidXMedia3|AppleCoreMedia/")
_ADDRESS: Final = re.compile(r"https?:|www\.|@|\b[\w-]+\.(?:com|org|net|io|fm|ai|dev|app)\b", re.IGNORECASE)
_NAMED: Final = re.compile(r"\s*([^\W\d_][^/;(\[]{1,59}?)\s*(?:[/;(]|\s[vV]?\d|$)")
_SUFFIX: Final = re.compile(
    r"[\s_.-]+(?:beta|staging|dev|debug|alpha|preprod|test|ios|macos|android|iphone|for)$", re.IGNORECASE
)


class AgentRule(msgspec.Struct, frozen=True):
    """One entry of the rule table; `category` bot marks a library that runs on machines nobody listens to."""

    name: str
    type: AgentType
    pattern: str
    category: str | None = None
    platform: str | None = None
    device: DeviceType | None = None
    os: str | None = None
    examples: tuple[str, ...] = ()


class DeviceRule(msgspec.Struct, frozen=True):
    """One entry of the device table."""

    name: str
    pattern: str
    device: DeviceType
    os: str | None = None


class AgentRules(msgspec.Struct, frozen=True):
    """The whole rule table; its first matching entry wins."""

    version: str
    comments: tuple[str, ...]
    entries: tuple[AgentRule, ...]
    devices: tuple[DeviceRule, ...]


@dataclass(frozen=True, slots=True)
class Agent:
    """What a user agent says it is; `is_bot` also holds for libraries that only machines use."""

    type: AgentType
    name: str | None = None
    platform: str | None = None
    device_type: DeviceType | None = None
    device_os: str | None = None
    is_bot: bool = False


@cache
def load_agent_rules() -> AgentRules:
    """The product's own rule table."""
    content = files("castline.measure").joinpath("agents.json").read_bytes()
    return msgspec.json.decode(content, type=AgentRules)


def agent_rule_versions() -> dict[str, str]:
    """The versions of everything that decides what a user agent is."""
    content = files("castline.measure").joinpath("agents.json").read_bytes()
    return {
        "agents": f"{load_agent_rules().version}+{sha256(content).hexdigest()[:8]}",
        "crawler-user-agents": version("crawler-user-agents"),
        "podcast-app-user-agents": version("podcast-app-user-agents"),
    }


def classify_agents(user_agents: Iterable[str]) -> list[Agent]:
    """One agent per text, in order."""
    return [classify_agent(text) for text in user_agents]


@lru_cache(maxsize=100_000)
def classify_agent(user_agent: str) -> Agent:
    """The first that fits: our own rules, a web bot list, browsers, an older list of apps, the name it gives itself."""
    text = _repair(user_agent)
    rules = load_agent_rules().entries
    own = _first(_own_set(), text)
    if own is not None and rules[own].type != "browser":
        return _from_rule(rules[own], text)
    if not _LIBRARY.search(text) and _first(_crawler_set(), text) is not None:
        return Agent("bot", "Web crawler", is_bot=True)
    # An app's own browser view: its name stands in front of what a browser says.
    if own is not None and " Mozilla/" not in text:
        return _from_rule(rules[own], text)
    return _from_app_list(text) or _from_own_name(text)


def _repair(user_agent: str) -> str:
    """Percent-encoding undone, the quotes around the whole taken off, and cut to what tells."""
    text = user_agent[:_LONGEST].strip().strip("\"'")
    return unquote(text) if "%" in text else text


def _from_rule(rule: AgentRule, text: str) -> Agent:
    is_bot = rule.type == "bot" or rule.category == "bot"
    if is_bot:
        return Agent(rule.type, rule.name, is_bot=True)
    device, system = _find_device(text)
    return Agent(rule.type, rule.name, rule.platform, rule.device or device, rule.os or system)


def _from_app_list(text: str) -> Agent | None:
    found = _first(_app_list_set(), text)
    if found is None:
        return None
    name, is_bot = _app_list()[found][1:]
    device, system = _find_device(text)
    if is_bot:
        return Agent("bot", name, is_bot=True)
    return Agent("app", name, _slug(name), device, system)


def _from_own_name(text: str) -> Agent:
    """An app of the name in front; a machine when all it adds is an address to read about it; else unknown."""
    device, system = _find_device(text)
    named = _NAMED.match(text)
    if named is None:
        return Agent("unknown", None, None, device, system)
    name = _SUFFIX.sub("", named[1]).strip(" -_") or named[1]
    if not _CLIENT.search(text) and _ADDRESS.search(text):
        return Agent("bot", name, is_bot=True)
    return Agent("app", name, _slug(name), device, system)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:100] or "unknown"


def _find_device(text: str) -> tuple[DeviceType | None, str | None]:
    found = _first(_device_set(), text)
    if found is None:
        return None, None
    rule = load_agent_rules().devices[found]
    return rule.device, rule.os


def _first(patterns: "re2.Set", text: str) -> int | None:
    return min(patterns.Match(text) or (), default=None)


def _compile(patterns: Sequence[str]) -> "re2.Set":
    options = re2.Options()
    options.max_mem = _SET_MEMORY
    options.log_errors = False
    compiled = re2.Set.SearchSet(options)
    for pattern in patterns:
        try:
            compiled.Add(pattern)
        except re2.error:
            # A list of others may look around, which RE2 does not: that entry stays out, its number is kept.
            compiled.Add(_NEVER)
    compiled.Compile()
    return compiled


@cache
def _own_set() -> "re2.Set":
    return _compile([rule.pattern for rule in load_agent_rules().entries])


@cache
def _device_set() -> "re2.Set":
    return _compile([rule.pattern for rule in load_agent_rules().devices])


@cache
def _crawler_set() -> "re2.Set":
    entries = json.loads(files("crawleruseragents").joinpath("crawler-user-agents.json").read_bytes())
    return _compile([entry["pattern"] for entry in entries])


@cache
def _app_list() -> tuple[tuple[str, str, bool], ...]:
    """(pattern, name, whether it is a bot) of each entry that names an app."""
    path = files("podcast_app_user_agents").joinpath("data/src/user-agents.json")
    entries = json.loads(path.read_bytes())
    return tuple(
        (pattern, entry.get("app") or "", bool(entry.get("bot")))
        for entry in entries
        if entry.get("app")
        for pattern in entry.get("user_agents", [])
    )


@cache
def _app_list_set() -> "re2.Set":
    # The list's own parser matches from the start of the text.
    return _compile([f"^(?:{pattern})" for pattern, _, _ in _app_list()])
