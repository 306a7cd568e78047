"""User agents: the rule table's own examples, the traps that web bot lists fall into, and the published list."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from castline.measure.agents import Agent, AgentRule, classify_agent, load_agent_rules

_RULES = load_agent_rules()


@pytest.mark.parametrize("rule", _RULES.entries, ids=lambda rule: rule.name)
def test_each_rule_knows_its_own_examples(rule: AgentRule) -> None:
    assert rule.examples
    found = [classify_agent(example) for example in rule.examples]
    assert [(agent.type, agent.name) for agent in found] == [(rule.type, rule.name)] * len(rule.examples)


def test_names_are_unique() -> None:
    names = [rule.name for rule in _RULES.entries]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "AppleCoreMedia/1.0.0.20K71 (iPhone; U; CPU OS 16_1 like Mac OS X; en_au)",
            Agent("library", "AppleCoreMedia", None, "mobile", "ios"),
        ),
        (
            "Podcasts/1650.20 CFNetwork/1333.0.4 Darwin/21.5.0",
            Agent("app", "Apple Podcasts", "apple_podcasts", "mobile", "ios"),
        ),
        (
            "Podcasts/4025.310.1 CFNetwork/3826.600.41 Darwin/24.6.0 (x86_64)",
            Agent("app", "Apple Podcasts", "apple_podcasts", "desktop", "macos"),
        ),
        (
            "Spotify/8.8.0.347 Android/33 (SM-G991B)",
            Agent("app", "Spotify", "spotify", "mobile", "android"),
        ),
        (
            "Overcast (+http://overcast.fm/; Apple Watch podcast app)",
            Agent("app", "Overcast", "overcast", "watch", "watchos"),
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            Agent("browser", "Chrome", None, "desktop", "windows"),
        ),
        ("curl/8.5.0", Agent("library", "curl", is_bot=True)),
        (
            "Brand New Show/3 CFNetwork/1494 Darwin/23.4.0",
            Agent("app", "Brand New Show", "brand_new_show", "mobile", "ios"),
        ),
        ("brand-new-show/1.0 (+https://brandnew.example)", Agent("bot", "brand-new-show", is_bot=True)),
        (
            "ARD Sounds/4.0.0 (iOS) Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15",
            Agent("app", "ARD Sounds", "ard_sounds", "mobile", "ios"),
        ),
        ("\x16\x03", Agent("unknown")),
    ],
)  # fmt: skip
def test_an_agent_is_told_with_its_device(text: str, expected: Agent) -> None:
    assert classify_agent(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
        "PodcastAddict/v5 (+https://podcastaddict.com/; Android podcast app)",
        "CastBox/8.17.1 (fm.castbox.audiobook.radio.podcast; build:1; Android 10)",
        "Podimo/2.24.1 build 356/iOS 16.1",
        "Tweetbot/53300 CFNetwork/1335.0.3 Darwin/21.6.0",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/86.0 Safari/537.36",
    ],
)
def test_a_listener_is_never_called_a_bot(text: str) -> None:
    assert not classify_agent(text).is_bot


def test_an_agent_of_any_length_and_any_bytes_is_told() -> None:
    assert classify_agent("A" * 10_000_000).type == "unknown"
    assert classify_agent("%FF%FE\N{REPLACEMENT CHARACTER}").type == "unknown"
    assert classify_agent("").type == "unknown"


def _published(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    for entry in json.loads((folder / "opawg" / f"{name}.json").read_text("utf-8"))["entries"]:
        for example in entry.get("examples", []):
            yield entry["name"], example


def _plain(name: str | None) -> str:
    return re.sub(r"[^\w]|_", "", (name or "").lower())


def test_published_apps_are_apps_of_their_name(reference_data: Path) -> None:
    examples = list(_published(reference_data, "apps"))
    found = [(name, classify_agent(example)) for name, example in examples]
    typed = sum(agent.type == "app" for _, agent in found) / len(found)
    named = sum(agent.type == "app" and _plain(agent.name) == _plain(name) for name, agent in found) / len(found)
    assert (typed, named) >= (0.95, 0.85)
    assert named >= 0.85


def test_published_bots_are_bots_and_browsers_are_none(reference_data: Path) -> None:
    # Apple's watch is a rule of its own in the filter, not a bot.
    bots = [text for name, text in _published(reference_data, "bots") if name != "Apple Podcasts (Watch)"]
    browsers = [text for _, text in _published(reference_data, "browsers")]
    assert sum(classify_agent(text).is_bot for text in bots) / len(bots) >= 0.9
    assert [text for text in browsers if classify_agent(text).is_bot] == []
