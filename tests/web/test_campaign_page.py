"""A campaign's page: what it says beside its figures."""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from castline.base.clock import now
from castline.ingest.logs.landing import import_log
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.campaign import AttributionConfig
from castline.model.query import Query
from castline.report.build import prepare_report
from castline.store.entities.campaigns import (
    NewCampaign,
    NewPlacement,
    create_campaign,
    create_placement,
    save_campaign_status,
)
from castline.store.entities.shows import load_episodes
from castline.store.pool import Store
from make_logs import MONDAY, Line, make_listened_show, write_log
from web.browser import Browser
from web.conftest import Caller
from web.test_pages import tiles
from web.world import DAYS, World, make_campaign, make_world

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


def test_before_any_conversion_came_in_page_and_interface_know_of_no_return(
    signed_in: Browser, store: Store, person: User, key_of: Caller, tmp_path: Path
) -> None:
    show = make_listened_show(store, person.user_id)
    import_log(store, person.user_id, write_log(tmp_path / "heard.log", [Line(3_600)]), host="cdn.example.org")
    measure(store, person.user_id)
    campaign = make_campaign(store, person.user_id, show, "Autumn")
    page = signed_in.get(f"/campaigns/{campaign.campaign_id}").text
    untold = '<p class="value">\N{EM DASH}</p>\n      <p class="under faint">no conversion has come in</p>'
    assert re.findall(r"<h3>([^<]+)</h3>\s*" + re.escape(untold), page) == [
        "Conversions", "Modeled conversions", "Attributed revenue", "Modeled revenue", "ROAS", "ROI", "CPA",
        "Average order", "Orders to break even", "Visits",
    ]  # fmt: skip
    returned = '<dd dir="auto">\N{EM DASH} <span class="faint small">no conversion has come in</span></dd>'
    assert re.findall(r"<dt [^>]*>([^<]+)</dt>" + re.escape(returned), page) == [
        "Of known value", "Gross revenue", "Refunds", "Net revenue", "Return",
    ]  # fmt: skip
    told = signed_in.ask("GET", f"/api/v1/campaigns/{campaign.campaign_id}/roi", headers=key_of(person, "read")).json
    assert (told["has_conversions"], told["roi_rate"], told["roas"]) == (False, None, None)


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


def pace(page: str) -> list[str]:
    """What the dashboard says was delivered, by campaign."""
    cells = re.findall(r'<td class="pace"[^>]*>(.*?)</td>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in cells]


def place(store: Store, world: World) -> None:
    """The campaign has an ad from 95 to 155 seconds in the episode that 231 of the 301 downloads are of."""
    with store.account(world.owner_id) as connection:
        placement = NewPlacement(
            world.campaign.campaign_id,
            next(item.episode_id for item in load_episodes(connection, world.owner_id) if item.title == "one.mp3"),
            "mid",
            "host-read",
            Decimal(95),
            Decimal(155),
            contracted_impressions=200,
        )
        create_placement(connection, world.owner_id, placement)


def test_dashboard_and_campaign_page_say_what_the_report_says_was_delivered(
    store: Store, signed_in: Browser, world: World
) -> None:
    address = f"/campaigns/{world.campaign.campaign_id}"
    assert pace(signed_in.get("/").text) == ["301 downloads, ads not measurable: no placement was entered"]
    place(store, world)
    why = "the logs do not tell of enough downloads whether the ad was sent"
    # Nothing was measured since: downloads stand against the contract.
    assert pace(signed_in.get("/").text) == [f"231 of 200 301 downloads, ads not measurable: {why}"]
    before = tiles(signed_in.get(address).text)
    assert (before["Ads delivered"], before["Delivered of contracted"]) == ("\N{EM DASH}", "115.5\N{NO-BREAK SPACE}%")
    measure(store, world.owner_id)
    with store.account(world.owner_id) as connection:
        query = Query(MONDAY.date(), MONDAY.date() + timedelta(days=DAYS - 1), "ads_delivered")
        sent = run_query(connection, world.owner_id, query).total
    assert sent == 231
    assert pace(signed_in.get("/").text) == ["231 of 200 301 downloads, 231 ads"]
    assert tiles(signed_in.get(address).text)["Ads delivered"] == "231"
    document = prepare_report(store, world.owner_id, world.campaign, now())
    assert (document.figures.delivered_contracted, document.figures.contracted) == (231, 200)


def test_a_flight_without_any_request_is_not_measurable_and_not_zero(
    store: Store, signed_in: Browser, world: World
) -> None:
    gone = MONDAY - timedelta(days=40)
    new = NewCampaign(
        "Long ago", world.show.podcast_id, world.campaign.sponsor_id, gone, gone + timedelta(days=7), Decimal(100)
    )
    with store.account(world.owner_id) as connection:
        create_campaign(connection, world.owner_id, new)
    page = signed_in.get(f"/?from={gone:%Y-%m-%d}&to={gone:%Y-%m-%d}").text
    assert pace(page) == ["not measurable: no request of this flight was measured"]
