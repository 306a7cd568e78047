"""Who asks: user agents become a bot, an app, a library or a browser, with its device.

Our own rules are a data file in the shape of the published lists; a published list that was loaded stands before them;
web bot lists stand below both, because they call podcast apps bots. Method: docs/method/user-agents.md
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property, lru_cache
from typing import Final

from castline.base.config import Settings
from castline.measure.agents.lists import list_versions, load_crawler_patterns, load_listed_apps
from castline.measure.agents.names import (
    begins_as_browser,
    begins_as_phone,
    calls_itself_machine,
    find_machine_name,
    find_name_in_package,
    find_own_name,
    find_system,
    has_address,
    has_address_of_another,
    hide_device,
    is_client,
    is_page_browser,
    is_player,
    iter_short_names,
    names_engine,
    slug_of,
)
from castline.measure.agents.repair import LONGEST, repair_agent, spell_words
from castline.measure.agents.rules import (
    AgentRule,
    AgentType,
    DeviceRule,
    DeviceType,
    FalseAgent,
    Patterns,
    PatternSet,
    load_agent_rules,
    own_version,
)
from castline.measure.agents.upstream import PublishedList, load_published_list, published_stamp
from castline.measure.agents.views import (
    find_added_app,
    find_browser_name,
    find_product_name,
    find_view_name,
    is_framed,
)

# A log's 10,000 commonest agents are over 95 % of its requests; at the longest, so many texts take some 60 MB.
_REMEMBERED: Final = 20_000
_PHONES: Final = {"android": "Android Phone", "ios": "Apple iPhone"}
Compiler = Callable[[Sequence[str]], Patterns]
_CRAWLER: Final = "Web crawler"
# The word that all browsers begin with names nobody: the next pattern that fits may find a name.
_ANYBODY: Final = "Mozilla"
_PRODUCT: Final = re.compile(r"[\w.!-]*$")


@dataclass(frozen=True, slots=True)
class Agent:
    """What a user agent says it is.

    `is_bot` says that nobody listens: it also holds for libraries that only machines use, and not for devices that ask
    again for what a phone has loaded, which have a rule of their own. `device` and its facts are of listeners only.
    `is_self_named`: no rule knows it, the name is what it calls itself. `is_false`: no client sends that of itself; an
    attack is a bot, all else is of type unknown and has no name.
    """

    type: AgentType
    name: str | None = None
    platform: str | None = None
    device: str | None = None
    device_type: DeviceType | None = None
    device_os: str | None = None
    is_bot: bool = False
    is_self_named: bool = False
    # How it was told, and no part of what it is.
    is_false: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class AgentSource:
    """A list in use, in the order in which they are asked."""

    name: str
    version: str
    origin: str
    loaded_at: datetime | None
    entry_count: int


class AgentClassifier:
    """The tables in their order, compiled, and the answers of late."""

    def __init__(self, published: PublishedList | None = None, compile_all: Compiler = PatternSet) -> None:
        own = load_agent_rules()
        self._published = published
        self._named = _in_order([rule for rule in own.entries if not rule.is_general], published)
        self._general = tuple(rule for rule in own.entries if rule.is_general)
        self._devices = own.devices
        self._listed = load_listed_apps()
        self._crawlers = load_crawler_patterns()
        self._engines = {rule.name for rule in own.entries if rule.category == "engine"}
        self._apps = {_key(rule.name): rule for rule in reversed(self._named) if rule.type == "app"}
        self._compile = compile_all
        self._false = own.false
        self._named_set = compile_all(
            [*(false.pattern for false in self._false), *(rule.pattern for rule in self._named)]
        )
        self._machine_set = compile_all([*(rule.pattern for rule in self._general), *self._crawlers])
        self._device_set = compile_all([rule.pattern for rule in self._devices])
        self._published_devices: tuple[DeviceRule, ...] = published.devices if published else ()
        self._published_device_set = compile_all([rule.pattern for rule in self._published_devices])
        self._listed_set = compile_all([entry.pattern for entry in self._listed])
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._classify)

    @property
    def versions(self) -> dict[str, str]:
        """The versions of everything that decides what a user agent is."""
        published = {"agents-published": self._published.version} if self._published else {}
        return {"agents": own_version(), **published, **list_versions()}

    def classify(self, user_agent: str) -> Agent:
        """First that fits: false, published and own rules, words of machines, a web bot list, browsers, its name."""
        return self._remembered(user_agent[:LONGEST])

    def classify_all(self, user_agents: Iterable[str]) -> list[Agent]:
        """One agent per text, in order."""
        return [self.classify(text) for text in user_agents]

    def classify_cold(self, user_agent: str) -> Agent:
        """The same as `classify`, without looking at earlier answers."""
        return self._classify(user_agent[:LONGEST])

    def _classify(self, user_agent: str) -> Agent:
        written = repair_agent(user_agent)
        text = spell_words(written)
        if not text.strip(" -"):
            return Agent("unknown")
        number = self._named_set.find_first(text)
        if number is not None and number < len(self._false):
            return _from_false(self._false[number])
        rule = None if number is None else self._named[number - len(self._false)]
        if rule is not None and _is_decisive(rule):
            if rule.type == "library" and rule.category is None and (added := find_added_app(text)) is not None:
                return self._as_app(find_own_name(added) or added, text)
            is_doubtful = rule.type == "app" and calls_itself_machine(text) and not self._is_published(rule)
            return (self._find_machine(text) if is_doubtful else None) or self._from_rule(rule, text)
        machine = self._find_machine(text)
        if machine is None and (written.islower() or written.isupper()):
            machine = self._from_loose(text)
        return machine or self._from_page(rule, text)

    def _is_published(self, rule: AgentRule) -> bool:
        return self._published is not None and any(rule is other for other in self._published.rules)

    def _from_loose(self, text: str) -> Agent | None:
        """What a rule for an app, a bot or a library says if it is read without regard to case."""
        number = self._loose_set.find_first(text)
        rule = None if number is None else self._named[number]
        return None if rule is None or not _is_decisive(rule) else self._from_rule(rule, text)

    @cached_property
    def _loose_set(self) -> Patterns:
        return self._compile([f"(?i:{rule.pattern})" for rule in self._named])

    def _from_page(self, rule: AgentRule | None, text: str) -> Agent:
        view = find_view_name(text) if rule is None or rule.name in self._engines else None
        if view is not None:
            return self._from_view(view, text)
        if rule is not None and rule.name in self._engines and (added := find_browser_name(text)) is not None:
            return replace(self._with_device(Agent("browser", added), None, text), is_self_named=True)
        # An app's own browser view: its name stands in front of what a browser says.
        if rule is not None and (" Mozilla/" not in text or begins_as_phone(text)):
            return self._from_rule(rule, text)
        agent = self._from_listed(text) or self._from_own_name(text)
        # Without a name in front, what stands behind is all that tells.
        return agent if rule is None or agent.type != "unknown" else self._from_rule(rule, text)

    def _from_view(self, view: str, text: str) -> Agent:
        name = find_own_name(view) or view
        if name.lower().endswith("browser"):
            return replace(self._with_device(Agent("browser", view), None, text), is_self_named=True)
        return self._as_app(name, text)

    def _find_known(self, name: str) -> AgentRule | None:
        found = (self._apps.get(_key(short)) for short in iter_short_names(name))
        return next((rule for rule in found if rule is not None), None)

    def _as_app(self, name: str, text: str) -> Agent:
        """An app of that name: the one that a rule knows by it, or one of its own naming."""
        known = self._find_known(name)
        if known is not None:
            return self._from_rule(known, text)
        name = find_name_in_package(name)
        agent = self._with_device(Agent("app", name, slug_of(name)), None, text)
        return replace(agent, is_self_named=True)

    def _from_rule(self, rule: AgentRule, text: str) -> Agent:
        if rule.type == "bot" or rule.category == "bot":
            # A library says its own name; whoever gives an address beside it has built a machine with it.
            kind: AgentType = "bot" if has_address_of_another(text) else rule.type
            own_name = find_machine_name(text) if rule.category == "group" else None
            return Agent(kind, own_name or rule.name, is_bot=rule.category != "duplicate")
        return self._with_device(Agent(rule.type, rule.name, rule.platform), rule, text)

    def _find_machine(self, text: str) -> Agent | None:
        if is_player(text):
            return None
        is_listener = is_framed(text) or (not begins_as_browser(text) and is_client(text))
        hidden = hide_device(text)
        names = []
        for number in self._machine_set.find_all(hidden):
            rule = self._general[number] if number < len(self._general) else None
            if is_listener and (rule is None or rule.category == "bare"):
                continue
            pattern = self._crawlers[number - len(self._general)] if rule is None else rule.pattern
            names.append(
                find_machine_name(hidden) or _find_product(pattern, hidden) or (rule.name if rule else _CRAWLER)
            )
            if names[-1] != _ANYBODY:
                return Agent("bot", names[-1], is_bot=True)
        return Agent("bot", names[0], is_bot=True) if names else None

    def _from_listed(self, text: str) -> Agent | None:
        number = self._listed_set.find_first(text)
        if number is None:
            return None
        entry = self._listed[number]
        if entry.is_bot:
            return Agent("bot", entry.name, is_bot=True)
        return self._with_device(Agent("app", entry.name, slug_of(entry.name)), None, text)

    def _from_own_name(self, text: str) -> Agent:
        """An app of the name in front, a machine if all it adds is an address, a browser without a name, or unknown."""
        if is_page_browser(text):
            product = None if names_engine(text) else find_product_name(text)
            if product is not None:
                return self._from_view(product, text)
            found = self._with_device(Agent("browser", "Other browser"), None, text)
        else:
            name = find_own_name(text)
            is_known = name is not None and self._find_known(name) is not None
            if not is_known and (begins_as_browser(text) or (not is_client(text) and has_address(text))):
                found = Agent("bot", name or "Undeclared machine", is_bot=True)
            elif name is not None:
                return self._as_app(name, text)
            else:
                found = self._with_device(Agent("unknown"), None, text)
        return replace(found, is_self_named=True)

    def _with_device(self, agent: Agent, rule: AgentRule | None, text: str) -> Agent:
        own = self._device_set.find_first(text)
        found = None if own is None else self._devices[own]
        published = self._published_device_set.find_first(text) if self._published_devices else None
        named = found if published is None else self._published_devices[published]
        fixed_type, fixed_os = (rule.device, rule.os) if rule else (None, None)
        device_type = fixed_type or (named.device if named else None)
        system = fixed_os or (found.os if found else None) or (find_system(text) if named else None)
        if device_type is None and system in _PHONES:
            # The agent does not tell, but the app runs on one system only.
            return Agent(agent.type, agent.name, agent.platform, _PHONES[system], "mobile", system)
        device = named.name if named and named.device == device_type else None
        return Agent(agent.type, agent.name, agent.platform, device, device_type, system)


@cache
def own_classifier() -> AgentClassifier:
    """The classifier without a published list."""
    return AgentClassifier()


def open_classifier(settings: Settings) -> AgentClassifier:
    """The classifier of this installation: with the published list, if one was loaded. Raises AgentListRefused."""
    stamp = published_stamp(settings)
    return own_classifier() if stamp is None else _open_published(settings, stamp)


@lru_cache(maxsize=2)
def _open_published(settings: Settings, _stamp: tuple[int, int]) -> AgentClassifier:
    return AgentClassifier(load_published_list(settings))


def load_agent_sources(settings: Settings) -> list[AgentSource]:
    """Every list in use, in the order in which they are asked. Raises AgentListRefused."""
    found = []
    if published_stamp(settings) is not None:
        facts = load_published_list(settings).facts
        count = sum(facts.entry_counts.values())
        found.append(AgentSource("published", facts.version, facts.origin, facts.loaded_at, count))
    own = load_agent_rules()
    found.append(AgentSource("castline", own_version(), "built in", None, len(own.entries) + len(own.devices)))
    sizes = {"crawler-user-agents": len(load_crawler_patterns()), "podcast-app-user-agents": len(load_listed_apps())}
    found += [AgentSource(name, made, "built in", None, sizes[name]) for name, made in list_versions().items()]
    return found


def classify_agent(user_agent: str) -> Agent:
    """What the text says it is, without a published list."""
    return own_classifier().classify(user_agent)


def _from_false(found: FalseAgent) -> Agent:
    is_bot = found.type == "bot"
    return Agent(found.type, found.name, is_bot=is_bot, is_self_named=not is_bot, is_false=True)


def _in_order(own: list[AgentRule], published: PublishedList | None) -> tuple[AgentRule, ...]:
    """Bots and apps, then libraries, then browsers; in each kind the published entries, then our own.

    Only browsers that web bot lists take for machines stand before the published browsers, which would hide them.
    """
    if published is None:
        return tuple(own)
    sure = [rule for rule in own if rule.category == "sure"]
    tables = (published.rules, [rule for rule in own if rule.category != "sure"])
    ranked = [
        [rule for table in tables for rule in table if rule.type in types]
        for types in ({"bot", "app"}, {"library"}, {"browser"})
    ]
    return (*ranked[0], *ranked[1], *sure, *ranked[2])


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_decisive(rule: AgentRule) -> bool:
    """True unless machines and apps may still say what the rule found: a browser."""
    return rule.type != "browser" or rule.category == "sure"


def _key(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _find_product(pattern: str, text: str) -> str | None:
    """The whole word of the text that a pattern of machines found: `AhrefsBot`."""
    try:
        found = _compiled(pattern).search(text)
    except re.error:  # what RE2 takes and Python does not has no word to show
        return None
    if found is None or not any(letter.isalpha() for letter in found[0]):
        return None
    before = _PRODUCT.search(text, 0, found.start())
    begin = before.start() if before else found.start()
    after = re.compile(r"[\w.!-]*").match(text, found.end())
    word = text[begin : after.end() if after else found.end()].partition("/")[0].strip(" .;:,()+-")
    return word[:100] or None
