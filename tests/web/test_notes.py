"""Notes on the days of the dashboard, the campaign that is chosen there, and releases laid beside each other."""

import re
from pathlib import Path

import pytest

from castline.model.account import User
from castline.store.pool import Store
from web.browser import Browser
from web.world import LAST_DAY, World, make_world

pytestmark = pytest.mark.store


@pytest.fixture
def world(store: Store, person: User, tmp_path: Path) -> World:
    """What the signed-in person has."""
    return make_world(store, person.user_id, tmp_path)


def test_releases_are_marked_on_the_chart_and_listed_below_it(signed_in: Browser, world: World) -> None:
    text = signed_in.get("/?from=2026-08-01&to=2026-09-10").text
    notes = re.findall(r'<li value="(\d+)"><strong>([^<]+)</strong> Released: <bdi>([^<]+)</bdi>', text)
    assert [number for number, _, _ in notes] == [str(place) for place in range(1, len(notes) + 1)]
    assert notes
    marked = re.findall(r'<path class="chart-mark"[^>]*><title>(\d{4}-\d\d-\d\d): note', text)
    listed = re.search(r'data-marks="([^"]*)"', text)
    assert listed is not None
    assert marked == list(dict.fromkeys(item.split("|")[0] for item in listed[1].split()))


def test_a_campaign_is_chosen_in_the_form(signed_in: Browser, world: World) -> None:
    text = signed_in.get("/?range=7d").text
    campaign_id = world.campaign.campaign_id
    assert re.search(
        rf'<select name="campaign">\s*<option value="">[^<]+</option>\s*<option value="{campaign_id}"', text
    )
    chosen = signed_in.get(f"/?range=7d&campaign={campaign_id}").text
    assert re.search(rf'<option value="{campaign_id}"[^>]*selected>', chosen)
    # The form sends it once: the control, and no hidden copy of it.
    assert 'type="hidden" name="campaign"' not in chosen


def test_the_settings_are_named_beside_how_fresh_the_figures_are(signed_in: Browser, world: World) -> None:
    assert re.search(r"<span>Settings <strong>[^<]+</strong></span>", signed_in.get("/?range=7d").text)


def test_the_release_before_is_compared_with_or_it_is_said_why_not(signed_in: Browser, world: World) -> None:
    text = signed_in.get(f"/?from=2026-09-14&to={LAST_DAY}&compare=release_aligned").text
    assert '<option value="release_aligned" selected>the release before</option>' in text
    assert ("Not measurable: there is no earlier release" in text) != ('class="key before"' in text)
