"""User agents: the rule table's own examples, the traps that web bot lists fall into, and the published list."""

import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from castline.measure.agents.classifier import Agent, classify_agent, own_classifier
from castline.measure.agents.lists import load_crawler_patterns, load_listed_apps
from castline.measure.agents.names import find_own_name, hide_device
from castline.measure.agents.rules import AgentRule, FalseAgent, PatternSet, load_agent_rules
from castline.measure.agents.stream import ClassifiedAgent, classify_lines

_RULES = load_agent_rules()


@pytest.mark.parametrize("rule", _RULES.entries, ids=lambda rule: rule.name)
def test_each_rule_knows_its_own_examples(rule: AgentRule) -> None:
    assert rule.examples
    found = [classify_agent(example) for example in rule.examples]
    assert {agent.type for agent in found} == {rule.type}
    # General words and groups find a machine, whose name is the word of the text itself.
    assert rule.is_general or rule.category == "group" or {agent.name for agent in found} == {rule.name}


@pytest.mark.parametrize("number", range(len(_RULES.devices)), ids=lambda number: _RULES.devices[number].name)
def test_each_device_rule_is_the_first_for_its_own_examples(number: int) -> None:
    rule = _RULES.devices[number]
    assert rule.examples
    patterns = PatternSet([device.pattern for device in _RULES.devices])
    assert {patterns.find_first(example) for example in rule.examples} == {number}


def test_names_are_unique_and_patterns_compile_alone() -> None:
    names = [rule.name for rule in _RULES.entries]
    assert len(names) == len(set(names))
    patterns = [(rule.pattern, rule.examples) for rule in _RULES.entries]
    patterns += [(rule.pattern, rule.examples) for rule in _RULES.devices]
    for pattern, examples in patterns:
        assert PatternSet([pattern]).find_first(examples[0].replace("%20", " ")) in {0, None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "AppleCoreMedia/1.0.0.20K71 (iPhone; U; CPU OS 16_1 like Mac OS X; en_au)",
            Agent("library", "AppleCoreMedia", None, "Apple iPhone", "mobile", "ios"),
        ),
        (
            "Podcasts/1650.20 CFNetwork/1333.0.4 Darwin/21.5.0",
            Agent("app", "Apple Podcasts", "apple_podcasts", "Apple iPhone", "mobile", "ios"),
        ),
        (
            "Podcasts/4025.310.1 CFNetwork/3826.600.41 Darwin/24.6.0 (x86_64)",
            Agent("app", "Apple Podcasts", "apple_podcasts", "Apple Computer", "desktop", "macos"),
        ),
        (
            "Spotify/8.8.0.347 Android/33 (SM-G991B)",
            Agent("app", "Spotify", "spotify", "Android Phone", "mobile", "android"),
        ),
        (
            "Overcast (+http://overcast.fm/; Apple Watch podcast app)",
            Agent("app", "Overcast", "overcast", "Apple Watch", "watch", "watchos"),
        ),
        (
            "Spotify/4.4.1.0 Volvo/32 (Volvo)",
            Agent("app", "Spotify", "spotify", "Smart Car", "car", None),
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            Agent("browser", "Chrome", None, "Windows Computer", "desktop", "windows"),
        ),
        ("curl/8.5.0", Agent("bot", "curl", is_bot=True)),
        (
            "Brand New Show/3 CFNetwork/1494 Darwin/23.4.0",
            Agent("app", "Brand New Show", "brand_new_show", "Apple iPhone", "mobile", "ios", is_self_named=True),
        ),
        (
            "brand-new-show/1.0 (+https://brandnew.example)",
            Agent("bot", "brand-new-show", is_bot=True, is_self_named=True),
        ),
        (
            "ARD Sounds/4.0.0 (iOS) Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15",
            Agent("app", "ARD Sounds", "ard_sounds", "Apple iPhone", "mobile", "ios", is_self_named=True),
        ),
        ("atc/1.0 watchOS/6.2 model/Watch3,3 hwp/t8004 build/17T529", Agent("bot", "Apple Podcasts (Watch)")),
        ("Mozilla/5.0 (compatible; SomeNewBot/0.1)", Agent("bot", "SomeNewBot", is_bot=True)),
        ("\x16\x03", Agent("unknown", is_self_named=True)),
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
        "Heart Monitor Radio/3 CFNetwork/1494 Darwin/23.4.0",
        "Crawler Hits/1.2 (Linux;Android 13) ExoPlayerLib/2.18.1",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/86.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 13; Spider 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 15; X Build/AP3A.240617.008) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0",
        "waipu/2023.25.0-40b5976d4b (Phone; CUBOT; NOTE 7; waipu; Android 10)",
    ],
)
def test_a_listener_is_never_called_a_bot(text: str) -> None:
    assert classify_agent(text).type in {"app", "browser"}
    assert not classify_agent(text).is_bot


@pytest.mark.parametrize("rule", _RULES.false, ids=lambda rule: rule.examples[0])
def test_what_no_client_sends_is_an_attack_or_names_nobody(rule: FalseAgent) -> None:
    is_bot = rule.type == "bot"
    expected = (Agent(rule.type, rule.name, is_bot=is_bot, is_self_named=not is_bot), True)
    told = {text: classify_agent(text) for text in rule.examples}
    assert {text: (agent, agent.is_false) for text, agent in told.items()} == dict.fromkeys(rule.examples, expected)


@pytest.mark.parametrize(
    "text",
    [
        "小宇宙/2.1",
        "Test Match Special/4.1 (iPhone; iOS 17.1)",
        "Undefined Behaviour/3 CFNetwork/1494 Darwin/23.4.0",
        "None of the Above/1.0 (Linux;Android 13) ExoPlayerLib/2.18.1",
        "Amber Alert (iPhone; iOS 17.1)",
        "Better Sleep(3)",
        "Sleep (5; iOS 17.1)",
        "Kids' and Parents' Radio/2 (iPhone; iOS 17.1)",
        "Rock 'n' Roll or Bust/2 (Linux;Android 13) ExoPlayerLib/2.18.1",
        "Mozilla/5.0 (Linux; U; Android 4.4; id; Select Plus) AppleWebKit/534.30 (KHTML, like Gecko) Safari/534.30",
        "The Drop Table Podcast/1.2 (iPhone; iOS 17.1)",
    ],
)
def test_a_name_with_a_word_of_attacks_is_no_attack(text: str) -> None:
    found = classify_agent(text)
    assert (found.is_false, found.is_bot, found.type in {"app", "browser"}) == (False, False, True)


def test_no_agent_of_the_table_is_false() -> None:
    examples = [example for rule in _RULES.entries for example in rule.examples]
    # Machines that say which attack they try are named bots in the table as well.
    assert {text for text in examples if classify_agent(text).is_false and not classify_agent(text).is_bot} == set()


def test_a_bot_that_borrows_a_phone_stays_a_bot() -> None:
    phone = "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Mobile"
    assert classify_agent(f"{phone} Safari/537.36 (compatible; UnheardOfBot/2.1; +http://bot.example)").is_bot
    inside = "Mozilla/5.0 (Linux; Android 6.0.1; compatible; UnheardOfBot/2.1; +http://bot.example) AppleWebKit/537.36"
    assert classify_agent(inside).is_bot
    assert hide_device(inside) == inside


def test_no_app_or_player_is_a_bot_for_web_bot_lists() -> None:
    crawlers = PatternSet(load_crawler_patterns())
    apps = [
        example
        for rule in _RULES.entries
        if rule.type in {"app", "library"} and rule.category != "bot"
        for example in rule.examples
    ]
    mistaken = [text for text in apps if crawlers.find_first(text) is not None]
    assert len(mistaken) >= 5  # the danger is real
    assert [text for text in mistaken if classify_agent(text).is_bot] == []


def test_any_word_of_a_bot_list_in_an_apples_own_name_is_an_app() -> None:
    rng = random.Random(7)  # noqa: S311  # the same names in every run
    words = ["Bot", "Crawler", "Spider", "Fetch", "Monitor", "Preview", "Scan", "Feed", "Archive", "Download", "Radar"]
    for _ in range(200):
        name = f"{rng.choice(['My', 'Pod', 'Super', 'Casting'])} {rng.choice(words)} {rng.choice(['Cast', 'Radio'])}"
        agent = classify_agent(f"{name.replace(' ', '%20')}/{rng.randrange(1, 999)} CFNetwork/1494.0.7 Darwin/23.4.0")
        assert (agent.type, agent.name, agent.is_bot) == ("app", name, False)


def test_generated_browsers_are_browsers() -> None:
    found = [classify_agent(text) for text in _browsers()]
    assert {agent.type for agent in found} == {"browser"}
    assert {agent.device_type for agent in found} == {"mobile", "desktop"}


def _browsers() -> Iterator[str]:
    """Browsers of phones of made-up makers, tablets and desktops."""
    rng = random.Random(11)  # noqa: S311  # the same browsers in every run
    engine = "AppleWebKit/537.36 (KHTML, like Gecko)"
    makers = ("CUBOT", "Spider", "Butterfly", "Robo", "M bot", "Sonic", "Fever", "Expanse", "Scan", "Feed", "TECNO")
    for _ in range(500):
        number = rng.randrange(1, 150)
        model = f"{rng.choice(makers)} {number}"
        build = rng.choice(["", " Build/AP3A.240617.008", f" Build/{model.replace(' ', '')}", "; wv"])
        chrome = f"Chrome/{number}.0.{rng.randrange(9999)}.{rng.randrange(250)}"
        extra = rng.choice(["", " OPR/76.2", " EdgA/120.0.2210.141", " YaBrowser/24.1", " HeyTapBrowser/40.9"])
        phone = f"Linux; Android {rng.randrange(5, 17)}; {model}{build}"
        yield f"Mozilla/5.0 ({phone}) {engine} {chrome} Mobile Safari/537.36{extra}"
        system = rng.choice(["Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"])
        yield f"Mozilla/5.0 ({system}) {engine} {chrome} Safari/537.36{extra.replace('EdgA', 'Edg')}"
        yield f"Mozilla/5.0 ({system}; rv:{number}.0) Gecko/20100101 Firefox/{number}.0"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My Great Show/12 CFNetwork/1494 Darwin/23.4.0", "My Great Show"),
        ("77 WABC/11 CFNetwork/758.3.15 Darwin/15.4.0", "77 WABC"),
        ("com.example.player/1.0 (Linux;Android 13) ExoPlayerLib/2.18.1", "com.example.player"),
        ("Radio Weser_ios/4.1", "Radio Weser"),
        ("GodShowApp/android/v1.13.0", "GodShow"),
        ("Outcast for Apple Watch", "Outcast"),
        ("FocusShow_2.8.1.20240715", "FocusShow"),
        ("Tageblatt App for Android/null bnull (Phone; android; it_IT)", "Tageblatt"),
        ("MobileShow PLATFORM=iOS VERSION=5.4.7.0", "MobileShow"),
        ("Show Show/1.1.5 CFNetwork/1107.1 Darwin/19.0.0", "Show"),
        ("12345/67", None),
        ("x", None),
    ],
)  # fmt: skip
def test_an_app_is_called_what_it_calls_itself(text: str, name: str | None) -> None:
    assert find_own_name(text) == name


def test_an_agent_of_any_length_and_any_bytes_is_told() -> None:
    assert classify_agent("A" * 10_000_000).type == "unknown"
    assert classify_agent("%FF%FE\N{REPLACEMENT CHARACTER}").type == "unknown"
    assert classify_agent("Podcasts\x00/1 \ud800").type == "unknown"
    assert classify_agent("") == Agent("unknown")
    assert classify_agent("-") == Agent("unknown")


def test_each_line_has_its_answer_in_order() -> None:
    lines = [b"Castro 2023.3/1402", b"", b"\xff\xfe\x00", b"-", b"C" * 2_000_000, b"curl/8.5.0\r", b"Overcast/3.0"]
    answers = list(classify_lines(own_classifier(), io.BytesIO(b"\n".join(lines))))
    assert all(answer.endswith(b"\n") and answer.count(b"\n") == 1 for answer in answers)
    told = [msgspec.json.decode(answer, type=ClassifiedAgent) for answer in answers]
    assert [answer.user_agent for answer in told] == [
        "Castro 2023.3/1402", "", "\ufffd\ufffd\x00", "-", "C" * 2_000_000, "curl/8.5.0", "Overcast/3.0"
    ]  # fmt: skip
    assert [answer.type for answer in told] == ["app", "unknown", "unknown", "unknown", "unknown", "bot", "app"]
    assert list(json.loads(answers[0])) == ["user_agent", "type", "name", "device", "device_type", "os"]


def test_the_same_lines_have_the_same_answers_however_often_and_in_whatever_order() -> None:
    texts = [example for rule in _RULES.entries for example in rule.examples]
    expected = {text: own_classifier().classify_cold(text) for text in texts}
    mixed = random.Random(3).sample(texts * 2, k=len(texts) * 2)  # noqa: S311  # the same order in every run
    assert [classify_agent(text) for text in mixed] == [expected[text] for text in mixed]


def test_the_older_list_is_asked_below_our_own() -> None:
    assert len(load_listed_apps()) > 300
    assert classify_agent("EntouragePod/2.1").type == "app"


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
    assert typed >= 0.98
    assert named >= 0.9


def test_published_bots_are_bots_and_browsers_are_none(reference_data: Path) -> None:
    bots = [text for _, text in _published(reference_data, "bots")]
    browsers = [text for _, text in _published(reference_data, "browsers")]
    assert sum(classify_agent(text).type == "bot" for text in bots) / len(bots) >= 0.95
    assert [text for text in browsers if classify_agent(text).type == "bot"] == []
