"""The dashboard's tiles: no figure and no change of what nobody measured."""

import re
from html import unescape
from pathlib import Path
from uuid import uuid4

import pytest

from castline.accounts.person import NewAccount, create_account
from castline.ingest.logs.landing import import_log
from castline.measure.run import measure
from castline.model.account import User
from castline.store.pool import Store
from make_logs import Line, make_listened_show, write_log
from web.browser import Browser
from web.conftest import PASSWORD
from web.world import make_campaign, make_world

pytestmark = pytest.mark.store
TILE = re.compile(
    r'<article class="kpi">\s*<h3>([^<]+)</h3>\s*<p class="value">(.*?)</p>\s*<p class="under">(.*?)</p>', re.DOTALL
)


def read_tiles(page: Browser, address: str) -> dict[str, tuple[str, str]]:
    """Each tile's figure and what stands under it, by its name."""
    plain = [(name, *[_strip(part) for part in parts]) for name, *parts in TILE.findall(page.get(address).text)]
    return {name: (value, under) for name, value, under in plain}


def _strip(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.fixture(autouse=True)
def _world(store: Store, person: User, tmp_path: Path) -> None:
    make_world(store, person.user_id, tmp_path)


def test_days_that_nobody_measured_have_no_figure_on_any_tile(signed_in: Browser) -> None:
    tiles = read_tiles(signed_in, "/?from=2026-08-01&to=2026-08-07&compare=none")
    unmeasured = ("—", "Not measured: no request of these days was counted.")
    untold = ("—", "Not measured: no conversion had come in by then.")
    assert [tiles[name] for name in ("Downloads", "Consumers", "Episodes heard")] == [unmeasured] * 3
    assert [tiles[name] for name in ("Attributed orders", "Attributed revenue")] == [untold] * 2


def test_before_any_conversion_came_in_a_return_is_as_unknown_as_its_revenue(
    store: Store, browser: Browser, tmp_path: Path
) -> None:
    other = create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Bo Example", PASSWORD, role="user"))
    show = make_listened_show(store, other.user_id)
    import_log(store, other.user_id, write_log(tmp_path / "heard.log", [Line(3_600)]), host="cdn.example.org")
    measure(store, other.user_id)
    make_campaign(store, other.user_id, show, "Autumn")
    assert browser.sign_in(other.email, PASSWORD).status == 303
    tiles = read_tiles(browser, "/?from=2026-09-07&to=2026-09-20&compare=none")
    untold = ("—", "Not measured: no conversion had come in by then.")
    money = ("Attributed orders", "Attributed revenue", "Return on investment")
    assert [tiles[name] for name in money] == [untold] * 3
    cells = re.findall(r'data-label="(Orders|Net revenue|ROI)">(.*?)</td>', browser.get("/").text)
    words = "not measured : no conversion has come in"
    assert [(name, _strip(cell)) for name, cell in cells] == [("Orders", words), ("Net revenue", words), ("ROI", words)]


def test_orders_of_measured_days_without_any_are_a_zero_once_conversions_came_in(signed_in: Browser) -> None:
    # The last order came on 12 September.
    tiles = read_tiles(signed_in, "/?from=2026-09-14&to=2026-09-20&compare=none")
    assert (tiles["Downloads"][0], tiles["Attributed orders"][0]) == ("175", "0")


def test_a_change_is_told_of_measured_days_alone(signed_in: Browser) -> None:
    whole = read_tiles(signed_in, "/?from=2026-09-12&to=2026-09-16")
    assert "%" in whole["Downloads"][1]
    assert "%" in whole["Attributed orders"][1]
    # The days before reach back to 5 September, and nobody measured the first two: codes were credited all the same.
    partly = read_tiles(signed_in, "/?from=2026-09-11&to=2026-09-16")
    assert partly["Downloads"][1] == "Change not measurable: not every day was measured."
    for name in ("Attributed orders", "Attributed revenue"):
        assert "%" in partly[name][1]
        assert partly[name][1].endswith("Not every day was measured.")
    none = read_tiles(signed_in, "/?from=2026-09-07&to=2026-09-13")
    assert "%" not in none["Downloads"][1] + none["Attributed orders"][1] + none["Attributed revenue"][1]
