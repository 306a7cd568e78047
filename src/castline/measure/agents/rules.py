"""Tables of rules for user agents, and the sets that try all their patterns at once.

The product's own table is a data file in the shape of the published lists. Method: docs/method/user-agents.md
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, Literal, Protocol

import msgspec
import re2  # type: ignore[import-untyped]  # it ships no types

AgentType = Literal["bot", "app", "library", "browser", "unknown"]
DeviceType = Literal["mobile", "desktop", "smart_speaker", "smart_tv", "watch", "car", "console"]
# The default of 8 MB made a set of 900 patterns 35 times slower: its state machine is rebuilt all the time.
_SET_MEMORY: Final = 128 * 1024 * 1024
_NEVER: Final = r"[^\x00-\x{10FFFF}]"


class AgentRule(msgspec.Struct, frozen=True):
    """One entry of a table of agents.

    `category`: `bot` marks a library that runs on machines nobody listens to; `duplicate` a device that asks again for
    what its owner's phone has loaded, which is a rule of its own; `sure` a browser that web bot lists take for a
    machine; `engine` one whose text apps repeat in views of their own; `group` machines of one
    kind, each by the name it gives itself; `words` and `bare` the general words of
    machines: `bare` ones tell nothing where the agent names the device of a listener.
    """

    name: str
    type: AgentType
    pattern: str
    category: Literal["bot", "duplicate", "sure", "engine", "group", "words", "bare"] | None = None
    platform: str | None = None
    device: DeviceType | None = None
    os: str | None = None
    examples: tuple[str, ...] = ()

    @property
    def is_general(self) -> bool:
        return self.category in {"words", "bare"}


class DeviceRule(msgspec.Struct, frozen=True):
    """One entry of a table of devices."""

    name: str
    pattern: str
    device: DeviceType
    os: str | None = None
    examples: tuple[str, ...] = ()


class FalseAgent(msgspec.Struct, frozen=True):
    """What no client sends of itself (PTM v2.3, step 1.4): an attack, which is a bot, or a text that names nobody."""

    type: Literal["bot", "unknown"]
    pattern: str
    name: str | None = None
    examples: tuple[str, ...] = ()


class AgentRules(msgspec.Struct, frozen=True):
    """A whole table; of each list the first matching entry wins.

    `system_words` and `page_words` are spelled as systems and pages of browsers spell them; `no_app_words` are patterns
    of what engines, their makers, kits for developers and networks add to the name of an app; `package_words` are the
    parts of a package that name no app.
    """

    version: str
    comments: tuple[str, ...]
    false: tuple[FalseAgent, ...]
    system_words: tuple[str, ...]
    page_words: tuple[str, ...]
    no_app_words: tuple[str, ...]
    package_words: frozenset[str]
    entries: tuple[AgentRule, ...]
    devices: tuple[DeviceRule, ...]


class Patterns(Protocol):
    """A list of patterns to try on a text."""

    def find_first(self, text: str) -> int | None:
        """The number of the first pattern that is found in the text."""
        ...

    def find_all(self, text: str) -> list[int]:
        """The numbers of all patterns that are found in the text, in order."""
        ...


class PatternSet:
    """Patterns of which all are tried in one pass over a text."""

    def __init__(self, patterns: Sequence[str]) -> None:
        options = re2.Options()
        options.max_mem = _SET_MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        for pattern in patterns:
            try:
                self._set.Add(pattern)
            except re2.error:
                # A list of others may look around, which RE2 does not: that entry stays out, its number is kept.
                self._set.Add(_NEVER)
        self._set.Compile()

    def find_first(self, text: str) -> int | None:
        """The number of the first pattern that is found in the text."""
        return min(self._set.Match(text.encode()) or (), default=None)

    def find_all(self, text: str) -> list[int]:
        """The numbers of all patterns that are found in the text, in order."""
        return sorted(self._set.Match(text.encode()) or ())


@cache
def load_agent_rules() -> AgentRules:
    """The product's own table."""
    return msgspec.json.decode(_read_table(), type=AgentRules)


@cache
def own_version() -> str:
    """The own table's date and the beginning of its hash."""
    return f"{load_agent_rules().version}+{sha256(_read_table()).hexdigest()[:8]}"


def _read_table() -> bytes:
    return files("castline.measure.agents").joinpath("agents.json").read_bytes()
