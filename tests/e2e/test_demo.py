"""The demo through the real command line: its figures are the truth, and it takes the reader's own feed and log."""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from castline.base.clock import now
from castline.demo.audience import make_address
from castline.demo.posts import run_web
from castline.demo.stage import demo_environment
from castline.demo.tables import BROKEN_COUNT
from castline.demo.world import World, make_world
from castline.sources.enclosure import url_key
from castline.sources.feeds.rss import parse_feed
from castline.store.embedded.server import remove_embedded
from e2e.pictures import open_browser, signed_in
from run_castline import Castline, Ended

_LINES = 6_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Castline]:
    castline = Castline(tmp_path_factory.mktemp("demo") / "data")
    yield castline
    remove_embedded(castline.data_dir)


@pytest.fixture(scope="module")
def printed(demo: Castline) -> Ended:
    """What a first demo prints for people."""
    return demo("demo", "--lines", str(_LINES), "--seed", "5")


@pytest.fixture(scope="module")
def told(demo: Castline, printed: Ended) -> dict[str, Any]:
    """What a second one in the same folder, with another seed, says as JSON."""
    said: dict[str, Any] = demo.well("demo", "--lines", str(_LINES), "--seed", "6")
    return said


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(seed=6, last_on=now().date() - timedelta(days=1), line_count=_LINES)


def test_every_exact_figure_is_the_truth(told: dict[str, Any], world: World) -> None:
    assert told["differences"] == []
    waterfall = told["requests"]["waterfall"]
    refused = told["requests"]["refused"]
    assert sum(row["request_count"] for row in waterfall + refused) == world.truth.received_count
    counted = sum(row["request_count"] for row in waterfall if row["verdict"] == "counted")
    assert counted == world.truth.download_count
    found = [
        (row["name"], *(Decimal(row["figures"][name]) for name in ("credited_orders", "gross_revenue", "refunds")))
        for row in told["campaigns"]
    ]
    assert found == [(item.name, item.order_count, item.gross_revenue, item.refunds) for item in world.truth.campaigns]
    rows = told["orders"]
    assert rows["refused"] == BROKEN_COUNT
    assert rows["received"] == rows["taken"] + rows["refused"] > len(world.refunds)


def test_a_demo_says_that_it_agrees_and_how_to_go_on(printed: Ended, demo: Castline) -> None:
    assert printed.code == 0
    assert "figures that are exact agree with the seeded truth: yes" in printed.out
    assert f"CASTLINE_DATA_DIR={demo.data_dir} " in printed.out
    for command in ("feed add", "log import", "measure run", "attribution run", "report build"):
        assert f"$ castline {command}" in printed.err


def test_the_reports_are_there_in_four_formats(told: dict[str, Any]) -> None:
    paths = [Path(path) for path in told["reports"]]
    kinds = {"pdf": b"%PDF-", "xlsx": b"PK\x03\x04", "csv": b"\xef\xbb\xbf", "json": b"{"}
    assert sorted({path.suffix[1:] for path in paths}) == sorted(kinds)
    assert len(paths) == len(set(paths)) == 4 * len(told["campaigns"])
    for path in paths:
        assert path.stat().st_size > 500


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    castline = Castline(tmp_path / "data")
    castline.data_dir.mkdir()
    (castline.data_dir / "precious.txt").write_text("mine")
    ended = castline("demo")
    assert ended.code == 2
    assert str(castline.data_dir) in ended.err
    assert (castline.data_dir / "precious.txt").read_text() == "mine"


def test_the_readme_shows_what_a_demo_prints(printed: Ended, demo: Castline) -> None:
    block = re.search(r"<!-- demo -->\n```\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert block
    assert sorted(_shape(block[1])) == sorted(_shape(printed.out))


def _shape(text: str) -> list[str]:
    """The lines without their numbers, paths and passwords."""
    lines = [re.sub(r"\S*/\S+", "PATH", line) for line in text.strip().splitlines()]
    lines = [re.sub(r"(password|report) \S+$", r"\1 WORD", line) for line in lines]
    return [" ".join(re.sub(r"[-+]?\d[\d,.]*%?", "#", line).split()) for line in lines]


def test_own_feed_and_log_run_through(reference_data: Path, tmp_path: Path) -> None:
    """A real feed, and one request by every example of the list of real user agents."""
    feed = reference_data / "feeds" / "partytime" / "1865.xml"
    log, agents = tmp_path / "access.log", _agents(reference_data)
    log.write_text(_write_log(feed, agents), "utf-8")
    castline = Castline(tmp_path / "data")
    try:
        told = castline.well("demo", "--feed", str(feed), "--log", str(log))
        waterfall = told["requests"]["waterfall"]
        assert sum(row["request_count"] for row in waterfall) == len(agents)
        assert told["requests"]["refused"] == []
        counted = sum(row["request_count"] for row in waterfall if row["verdict"] == "counted")
        assert 0 < sum(row["downloads"] for row in told["top_episodes"]) <= counted
        # Two thirds of the examples are apps; bots and libraries are the rest.
        assert counted > len(agents) / 2
        assert {row["reason"] for row in waterfall if row["verdict"] == "dropped"} >= {"bot"}
    finally:
        remove_embedded(castline.data_dir)


def test_a_log_of_another_server_gets_a_hint(reference_data: Path, tmp_path: Path) -> None:
    feed = reference_data / "feeds" / "partytime" / "1865.xml"
    log = tmp_path / "access.log"
    line = '73.32.0.9 - - [02/Mar/2026:08:00:00 +0000] "GET /shop/basket HTTP/1.1" 200 480 "-" "AntennaPod/3.4.1"\n'
    log.write_text(line * 5)
    castline = Castline(tmp_path / "data")
    try:
        ended = castline("demo", "--feed", str(feed), "--log", str(log))
        assert ended.code == 0
        assert "5 requests are for no episode of this feed" in ended.err
    finally:
        remove_embedded(castline.data_dir)


def test_a_feed_without_a_log_is_a_usage_error(demo: Castline) -> None:
    ended = demo("demo", "--feed", "feed.xml")
    assert ended.code == 2
    assert "--feed and --log belong together" in ended.err


def _agents(reference_data: Path) -> list[str]:
    """Real user agents: the first example of each pattern of the public list."""
    texts: list[str] = []
    for name in ("apps", "bots", "libraries"):
        entries = json.loads((reference_data / "opawg" / f"{name}.json").read_text("utf-8"))["entries"]
        texts += [entry["examples"][0] for entry in entries if entry.get("examples")]
    return [text for text in dict.fromkeys(texts) if '"' not in text and "\\" not in text]


def _write_log(feed: Path, agents: list[str]) -> str:
    rng = np.random.default_rng(1)
    episodes = [item for item in parse_feed(feed.read_bytes(), source=str(feed)).episodes if item.audio_bytes]
    day = (now() - timedelta(days=2)).strftime("%d/%b/%Y")
    lines = []
    for number, agent in enumerate(agents):
        episode = episodes[number % len(episodes)]
        path = "/" + url_key(episode.audio_url).partition("/")[2]
        address, _ = make_address(("73.32.0.0/14",), rng)
        stamp = f"{day}:{number // 60 % 24:02}:{number % 60:02}:00 +0000"
        lines.append(f'{address} - - [{stamp}] "GET {path} HTTP/1.1" 200 {episode.audio_bytes} "-" "{agent}"\n')
    return "".join(lines)


_LOOKS: dict[str, dict[str, object]] = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 2},
}


@pytest.mark.browser
def test_the_dashboard_shows_the_world_in_light_dark_and_on_a_phone(
    told: dict[str, Any], demo: Castline, world: World, tmp_path: Path
) -> None:
    """The pictures go to the folder CASTLINE_PICTURES, if it is set; the one in the README is made so."""
    folder = Path(os.environ.get("CASTLINE_PICTURES", tmp_path))
    with demo_environment(demo.data_dir), run_web() as web, open_browser() as browser:
        address = f"http://127.0.0.1:{web.find_port()}"
        for name, look in _LOOKS.items():
            with signed_in(browser, address, (told["email"], told["password"]), **look) as page:
                shown = page.inner_text("main")
                for campaign in world.plan.campaigns:
                    assert campaign.name in shown
                width = page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
                assert width <= 0, f"{name}: {width} pixels stand out"
                page.screenshot(path=folder / f"dashboard-{name}.png", full_page=name == "phone")
    sizes = {name: (folder / f"dashboard-{name}.png").stat().st_size for name in _LOOKS}
    assert min(sizes.values()) > 20_000, sizes
