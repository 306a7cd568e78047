"""The pages in Chromium: light, dark and phone width, with and without JavaScript, by keyboard and by pointer.

With CASTLINE_SCREENSHOTS=DIR the pictures of the pages are left there.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from castline.accounts.person import NewAccount, create_account
from castline.model.account import User
from castline.store.pool import Store
from web.conftest import PASSWORD
from web.world import World, make_world

pytestmark = [pytest.mark.store, pytest.mark.browser]

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 800}
# The contrast of every visible text with what lies behind it, as WCAG 2.2 computes it; gives those below 4.5 (3.0 for
# large text). Colours go through a canvas, which knows every way to write one.
CONTRAST = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const pixel = (colours) => {
    context.globalAlpha = 1; context.fillStyle = '#fff'; context.fillRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const item = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !item.checkVisibility() || item.closest('.hidden, option, svg')) continue;
    const grounds = [];
    for (let at = item; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
    const style = getComputedStyle(item), behind = pixel(grounds), front = pixel([...grounds, style.color]);
    const [a, b] = [light(front), light(behind)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
# What somebody who cannot see the page needs of it.
NAMELESS = """() => {
  const all = (selector) =>
    [...document.querySelectorAll(selector)].filter(item => !item.closest('[aria-hidden=true]'));
  const at = (id) => document.getElementById(id);
  const ids = all('[id]').map(item => item.id);
  const missing = [
    ...all('input:not([type=hidden]), select, textarea').filter(item => !item.labels.length),
    ...all('button, a, summary').filter(item => !(item.textContent.trim() || item.ariaLabel)),
    ...all('table').filter(item => !item.caption),
    ...all('th').filter(item => !item.scope),
    ...all('[aria-labelledby]').filter(item => !at(item.getAttribute('aria-labelledby'))),
  ].map(item => item.outerHTML.slice(0, 100));
  missing.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map(id => 'twice: ' + id));
  if (all('h1').length !== 1) missing.push('not one h1');
  if (!document.documentElement.lang) missing.push('no language');
  return missing;
}"""

# Tables of which a part lies beyond the edge of the page.
CUT = """() => [...document.querySelectorAll('.scroll')]
  .filter(item => item.scrollWidth > item.clientWidth + 1).map(item => item.ariaLabel)"""


# Not for the session: its event loop runs in the thread of whatever test comes next.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """The Chromium or Chrome of this machine; the test skips, and says so, where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome on the PATH: the pages are not tested in a browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=ARGUMENTS.split())
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def owner(store: Store) -> User:
    return create_account(store, NewAccount(f"{uuid4().hex}@example.org", "Nova", PASSWORD))


@pytest.fixture(scope="module")
def world(store: Store, owner: User, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(
        store, owner.user_id, tmp_path_factory.mktemp("world"), name="رحلات الشتاء 冬の旅 with a long name that wraps"
    )


Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Chromium, port: int, owner: User, world: World) -> Iterator[Open]:
    """Opens the dashboard, signed in; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def make(*, allowed: str = "nothing", **options: Any) -> Page:
        context = chromium.new_context(base_url=f"http://127.0.0.1:{port}", locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: _check_message(message, allowed, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _check_address(request.url, port, complaints))
        page.goto("/")
        page.get_by_label("E-mail address").fill(owner.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def _check_message(message: ConsoleMessage, allowed: str, complaints: list[str]) -> None:
    if message.type in {"error", "warning"} and allowed not in message.text:
        complaints.append(message.text)


def _check_address(address: str, port: int, complaints: list[str]) -> None:
    if not address.startswith((f"http://127.0.0.1:{port}/", "data:")):
        complaints.append(f"asks a third party: {address}")


def keep_picture(page: Page, name: str) -> None:
    if folder := os.environ.get("CASTLINE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_page_can_be_read_and_fits(open_page: Open, world: World, scheme: str, size: str) -> None:
    page = open_page(color_scheme=scheme, viewport=DESKTOP if size == "desktop" else PHONE)
    for name, path in (
        ("dashboard", "/"),
        ("campaign", f"/campaigns/{world.campaign.campaign_id}"),
        ("filtered", "/?range=28d&device=mobile&tz=Europe/Oslo&compare=weekdays"),
        ("quarantine", "/quarantine"),
        ("method", "/method"),
        ("account", "/account"),
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        keep_picture(page, f"{name}-{scheme}-{size}")
        assert page.evaluate(CONTRAST) == [], name
        assert page.evaluate(NAMELESS) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= (1280 if size == "desktop" else 360), name
        assert page.evaluate(CUT) == [], name


def test_the_chart_is_drawn_and_answers_the_pointer(open_page: Open) -> None:
    page = open_page(viewport=DESKTOP)
    expect(page.locator("#daily canvas")).to_have_count(1)
    expect(page.locator("#daily svg.chart")).to_be_hidden()
    page.locator("#daily .u-over").hover()
    # The middle of 28 days to 20 September: 6 or 7 September.
    expect(page.locator("#daily .u-legend")).to_contain_text("2026-09-0")


def test_without_javascript_every_figure_is_there(open_page: Open) -> None:
    page = open_page(viewport=DESKTOP, java_script_enabled=False)
    expect(page.locator("#daily svg.chart")).to_be_visible()
    # Fourteen days have a bar; the fourteen before them, which nobody measured, are one gap.
    expect(page.locator("#daily svg.chart rect")).to_have_count(15)
    expect(page.locator(".kpi .value").first).to_have_text("301")
    page.get_by_role("link", name="7 days").click()
    expect(page.locator(".kpi .value").first).to_have_text("175")
    page.get_by_label("From").fill("2026-09-07")
    page.get_by_label("to", exact=True).fill("2026-09-08")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".kpi .value").first).to_have_text("31")
    keep_picture(page, "dashboard-without-javascript")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_filters_change_the_board_and_the_address_without_a_reload(open_page: Open) -> None:
    page = open_page(viewport=DESKTOP)
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="7 days").click()
    expect(page.locator(".kpi .value").first).to_have_text("175")
    assert page.url.endswith("/?range=7d")
    expect(page.locator("#daily canvas")).to_have_count(1)
    page.get_by_label("From").fill("2026-09-07")
    page.get_by_label("to", exact=True).fill("2026-09-08")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".kpi .value").first).to_have_text("31")
    assert "from=2026-09-07&to=2026-09-08" in page.url
    assert page.evaluate("window.stayed") is True
    page.go_back()
    expect(page.locator(".kpi .value").first).to_have_text("175")


def test_the_colours_are_switched_and_stay_so(open_page: Open) -> None:
    page = open_page(color_scheme="light", viewport=DESKTOP)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    button = page.locator("#theme")
    button.click()
    assert page.evaluate(ground) == light
    expect(button).to_have_attribute("aria-label", "Colours: light")
    button.click()
    dark = page.evaluate(ground)
    assert dark != light
    assert (light, dark) == ("rgb(246, 247, 248)", "rgb(15, 20, 24)")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(23, 32, 42)"
    page.emulate_media(media="screen")
    page.reload()
    assert page.evaluate(ground) == dark
    expect(button).to_have_attribute("aria-label", "Colours: dark")
    button.click()
    assert page.evaluate(ground) == light
    expect(button).to_have_attribute("aria-label", "Colours: as the system has them")


def test_the_keyboard_alone_is_enough(open_page: Open) -> None:
    page = open_page(viewport=DESKTOP)
    page.reload()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="7 days")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".kpi .value").first).to_have_text("175")
    summary = page.locator(".kpi summary").first
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("count of windows (listener, episode, UTC day)")).to_be_visible()


def test_a_session_that_ended_leads_to_the_sign_in_form_also_from_a_filter(open_page: Open) -> None:
    page = open_page(viewport=DESKTOP, allowed="401 (Unauthorized)")
    page.context.clear_cookies()
    page.get_by_role("link", name="7 days").click()
    page.wait_for_url("**/sign-in?next=*")
    assert page.locator("input[name=password]").is_visible()


def test_what_an_address_goes_to_on_a_phone_is_not_below_the_head_of_the_page(open_page: Open) -> None:
    page = open_page(viewport=PHONE)
    page.goto("/method#roi_rate")
    page.wait_for_load_state("networkidle")
    head = page.locator(".top").evaluate("item => item.getBoundingClientRect().bottom")
    assert head <= page.locator("#roi_rate").evaluate("item => item.getBoundingClientRect().top") < PHONE["height"] / 2
