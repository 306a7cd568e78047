"""The published list: checked entry by entry, all or nothing, then in use."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from castline.base.config import Settings
from castline.base.errors import SourceUnavailable, SourceUnreadable
from castline.measure.agents.classifier import (
    Agent,
    classify_agent,
    load_agent_sources,
    open_classifier,
    own_classifier,
)
from castline.measure.agents.upstream import AgentListRefused, load_published_list, update_published_list

Entry = Mapping[str, object]
_LISTS: Mapping[str, Sequence[Entry]] = {
    "bots": [{"name": "Fabulous Bot", "pattern": "^Fabulous/1", "examples": ["Fabulous/1.0"], "svg": "x.svg"}],
    "apps": [
        {"name": "Fabulous Podcasts", "pattern": "^Fabulous/", "examples": ["Fabulous/2.0 (Android 13)"]},
        {"name": "Percent", "pattern": "^Per%20Cent/", "examples": ["Per%20Cent/1"]},
        {"name": "Pocket Casts", "pattern": "^PocketCasts/9", "examples": ["PocketCasts/9"]},
    ],
    "libraries": [{"name": "Plain HTTP", "pattern": "^Plain", "category": "bot", "examples": ["Plain"]}],
    "browsers": [{"name": "Any Browser", "pattern": "Chrome/", "examples": ["Chrome/1"]}],
    "devices": [
        {"name": "Fine Radio", "pattern": "FineRadio", "category": "smart_speaker"},
        {"name": "Fast Car", "pattern": "FastCar", "category": "auto"},
        {"name": "Any Computer", "pattern": "Windows", "category": "computer"},
    ],
    "referrers": [{"name": "Web Player", "pattern": "player\\.example"}],
}


def _write(folder: Path, **changed: Sequence[Entry]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in {**_LISTS, **changed}.items():
        (folder / f"{name}.json").write_text(json.dumps({"comments": ["."], "entries": list(entries)}), "utf-8")
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_a_loaded_list_stands_before_our_own_rules(here: Settings, tmp_path: Path) -> None:
    assert open_classifier(here) is own_classifier()
    facts = update_published_list(here, str(_write(tmp_path / "list")))
    counts = {"bots": 1, "apps": 3, "libraries": 1, "browsers": 1, "devices": 3, "referrers": 1}
    assert facts.entry_counts == counts
    classifier = open_classifier(here)
    assert classifier.versions == {**own_classifier().versions, "agents-published": facts.version}
    texts = {
        "Fabulous/1.5": Agent("bot", "Fabulous Bot", is_bot=True),
        "Fabulous/2 FineRadio": Agent("app", "Fabulous Podcasts", "fabulous_podcasts", "Fine Radio", "smart_speaker"),
        "Per%20Cent/1 FastCar": Agent("app", "Percent", "percent", "Fast Car", "car"),
        "PocketCasts/9 Windows": Agent("app", "Pocket Casts", "pocket_casts", "Any Computer", "desktop", "windows"),
        "Plain/3": Agent("library", "Plain HTTP", is_bot=True),
        # Its browsers stand below our bots, and our apps above its libraries and browsers.
        "Mozilla/5.0 (compatible; Googlebot/2.1) Chrome/1": Agent("bot", "Googlebot", is_bot=True),
        "Overcast/3.0 Chrome/1": Agent("app", "Overcast", "overcast"),
        "Windows Chrome/1": Agent("browser", "Any Browser", None, "Any Computer", "desktop", "windows"),
    }  # fmt: skip
    assert {text: classifier.classify(text) for text in texts} == texts
    assert classify_agent("Fabulous/1.5").type == "app"


def test_a_published_browser_hides_no_browser_that_web_bot_lists_take_for_a_machine(
    here: Settings, tmp_path: Path
) -> None:
    update_published_list(here, str(_write(tmp_path / "list")))
    text = "Mozilla/5.0 (Linux; Android 14; Q9) AppleWebKit/537.36 Chrome/99.0 Mobile SogouSearch Android1.0 version3.0"
    assert classify_agent(text).type == "browser"
    assert open_classifier(here).classify(text) == classify_agent(text)


def test_a_zip_of_the_repository_and_its_folder_give_the_same_version(here: Settings, tmp_path: Path) -> None:
    repository = tmp_path / "user-agents"
    _write(repository / "src")
    archive = tmp_path / "list.zip"
    with ZipFile(archive, "w") as file:
        for path in sorted((repository / "src").iterdir()):
            file.write(path, f"user-agents-main/src/{path.name}")
    once = update_published_list(here, str(repository))
    again = update_published_list(here, str(archive))
    assert (once.content_hash, once.entry_counts) == (again.content_hash, again.entry_counts)


def test_another_list_is_used_at_once(here: Settings, tmp_path: Path) -> None:
    update_published_list(here, str(_write(tmp_path / "one")))
    assert open_classifier(here).classify("Wonder/1").name == "Wonder"
    update_published_list(here, str(_write(tmp_path / "two", apps=[{"name": "Wonderful", "pattern": "^Wonder/"}])))
    assert open_classifier(here).classify("Wonder/1").name == "Wonderful"
    assert [source.name for source in load_agent_sources(here)] == [
        "published",
        "castline",
        "crawler-user-agents",
        "podcast-app-user-agents",
    ]


_GOOD: Entry = {"name": "Good", "pattern": "^Good"}


@pytest.mark.parametrize(
    ("name", "entries", "detail"),
    [
        ("apps", [_GOOD, {"name": "Open", "pattern": "^(Open"}], "apps.json, entry 'Open': its pattern is none for"),
        ("apps", [{"name": "Look", "pattern": "^(?!x)"}], "apps.json, entry 'Look': its pattern is none for"),
        ("bots", [{"name": "All", "pattern": "x*"}], "bots.json, entry 'All': its pattern fits every text"),
        ("bots", [_GOOD, _GOOD], "bots.json, entry 'Good': its name occurs twice"),
        ("bots", [{**_GOOD, "examples": ["Bad"]}], "bots.json, entry 'Good': its pattern does not fit its"),
        ("bots", [{"name": "Long", "pattern": "x" * 5000}], "bots.json, entry 'Long': it has no name, or its pattern"),
        ("devices", [{**_GOOD, "category": "toaster"}], "devices.json, entry 'Good': category 'toaster' is none of"),
        ("browsers", [{"pattern": "x"}], "browsers.json: Object missing required field `name`"),
        ("libraries", [], "libraries.json has 0 entries"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named_and_the_list_in_use_stays(
    here: Settings, tmp_path: Path, name: str, entries: list[Entry], detail: str
) -> None:
    before = update_published_list(here, str(_write(tmp_path / "good")))
    with pytest.raises(AgentListRefused) as refused:
        update_published_list(here, str(_write(tmp_path / "bad", **{name: entries})))
    assert str(refused.value.facts["detail"]).startswith(detail)
    assert load_published_list(here).facts == before
    assert sorted(path.name for path in (here.data_dir / "agents").iterdir()) == ["published.json"]


def test_a_published_app_is_that_app_whatever_words_of_machines_it_has(here: Settings, tmp_path: Path) -> None:
    assert open_classifier(here).classify("Stitcher Parser/2").type == "bot"
    apps = [{"name": "Stitcher Parser", "pattern": "^Stitcher Parser/"}]
    update_published_list(here, str(_write(tmp_path / "list", apps=apps)))
    agent = open_classifier(here).classify("Stitcher Parser/2")
    assert (agent.type, agent.name, agent.is_bot) == ("app", "Stitcher Parser", False)


def test_what_is_no_list_is_refused(here: Settings, tmp_path: Path) -> None:
    folder = _write(tmp_path / "list")
    (folder / "apps.json").write_bytes(b"\xff not json")
    with pytest.raises(AgentListRefused):
        update_published_list(here, str(folder))
    (folder / "apps.json").unlink()
    with pytest.raises(SourceUnreadable):
        update_published_list(here, str(folder))
    (tmp_path / "no.zip").write_bytes(b"PK no archive")
    for source in (tmp_path / "no.zip", tmp_path / "absent", folder / "bots.json"):
        with pytest.raises(SourceUnreadable):
            update_published_list(here, str(source))
    assert not (here.data_dir / "agents").exists()


def test_without_a_network_it_is_said_how_else_the_list_can_be_loaded(here: Settings) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        update_published_list(here, "http://agents.invalid/src")
    assert caught.value.message.startswith("http://agents.invalid/src/")
    assert caught.value.message.endswith(" The list in use stays as it is.")
    assert "`castline agents update` takes a folder or a zip file" in caught.value.advice


def test_a_damaged_copy_says_so(here: Settings, tmp_path: Path) -> None:
    update_published_list(here, str(_write(tmp_path / "list")))
    (here.data_dir / "agents" / "published.json").write_bytes(b'{"origin": 1')
    with pytest.raises(AgentListRefused):
        open_classifier(here)


def test_the_published_list_of_today_loads_and_knows_its_own_examples(here: Settings, reference_data: Path) -> None:
    update_published_list(here, str(reference_data / "opawg"))
    classifier = open_classifier(here)
    kinds = {"bots": "bot", "apps": "app", "libraries": "library"}
    missed = [
        (entry["name"], example, found.name)
        for name, kind in kinds.items()
        for entry in json.loads((reference_data / "opawg" / f"{name}.json").read_text("utf-8"))["entries"]
        for example in entry.get("examples", [])
        if (found := classifier.classify(example)).type != kind or found.name != entry["name"]
    ]
    # A later file's example that an earlier file's pattern takes is decided by the order, as published.
    assert len(missed) <= 5, missed
