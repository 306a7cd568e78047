"""A campaign's page: what it says beside its figures."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from castline.model.account import User
from castline.model.campaign import AttributionConfig
from castline.store.campaigns import NewCampaign, create_campaign, save_campaign_status
from castline.store.pool import Store
from make_logs import MONDAY
from web.browser import Browser
from web.world import DAYS, World, make_world

pytestmark = pytest.mark.store


@pytest.fixture
def world(store: Store, person: User, tmp_path: Path) -> World:
    """What the signed-in person has."""
    return make_world(store, person.user_id, tmp_path)


@pytest.fixture
def early(store: Store, world: World) -> World:
    """The world, with a campaign that began three days before its first log."""
    new = NewCampaign(
        "Early bird",
        world.show.podcast_id,
        world.campaign.sponsor_id,
        MONDAY - timedelta(days=3),
        MONDAY + timedelta(days=DAYS),
        Decimal(100),
        attribution_config=AttributionConfig(method="promo_code", promo_code="EARLY"),
    )
    with store.account(world.owner_id) as connection:
        campaign = create_campaign(connection, world.owner_id, new)
        save_campaign_status(connection, world.owner_id, campaign.campaign_id, "scheduled")
        return replace(world, campaign=save_campaign_status(connection, world.owner_id, campaign.campaign_id, "active"))


def test_days_before_the_first_log_are_a_gap_and_not_zero(signed_in: Browser, early: World) -> None:
    page = signed_in.get(f"/campaigns/{early.campaign.campaign_id}").text
    assert "Not measured: 2026-09-04 to 2026-09-06: unknown, and not zero." in page
    assert 'class="chart-gap"' in page
    [days] = re.findall(r'data-days="([^"]*)"', page)
    # Days that nobody measured have no number, so that the chart leaves them out.
    assert [day for day in days.split() if day.endswith(":")] == ["2026-09-04:", "2026-09-05:", "2026-09-06:"]


def test_delivered_and_counted_are_told_apart(signed_in: Browser, world: World) -> None:
    page = signed_in.get(f"/campaigns/{world.campaign.campaign_id}").text
    assert "Delivered counts downloads of the campaign&#39;s episodes" in page
    assert "Counted (whole show)" in page
    assert "Requests for any episode of the show within the flight" in page


def test_codes_are_words(signed_in: Browser, world: World) -> None:
    main = signed_in.get(f"/campaigns/{world.campaign.campaign_id}").text
    cells = [cell.strip() for cell in re.findall(r"<td[^>]*>([^<]*)</td>", main.partition('id="provenance-title"')[0])]
    assert [cell for cell in cells if re.fullmatch(r"[a-z]+(_[a-z]+)+", cell)] == []
    assert {"Two-byte probe", "A minute or more of audio"} <= set(cells)
