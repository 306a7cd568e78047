"""Sponsors, campaigns, their moves and their placements."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from castline.attribute.exposure import compute_spans
from castline.base.errors import Ambiguous, Conflict, InvalidInput, NotFound
from castline.cli.campaign import CampaignOrder, add_campaign, make_config, parse_end
from castline.cli.slot import SlotOrder, add_slot, describe_change, parse_seconds
from castline.cli.sponsor import add_sponsor
from castline.model.account import User
from castline.model.campaign import AttributionConfig
from castline.model.show import AdSlot
from castline.store.entities.campaigns import (
    PromoCodeTaken,
    StatusRefused,
    find_campaign,
    load_placements,
    save_campaign_status,
)
from castline.store.entities.shows import find_episode
from castline.store.pool import Store
from make_money import make_show

pytestmark = pytest.mark.store


def order(name: str = "Spring", **changes: str | tuple[str, ...]) -> CampaignOrder:
    facts: dict[str, object] = {
        "name": name,
        "show": "Show",
        "sponsor": "Acme",
        "value": "1500",
        "currency": "usd",
        "start": "2026-03-01",
        "end": "2026-03-31",
    }
    return CampaignOrder(**facts | changes)  # type: ignore[arg-type]


@pytest.fixture
def show(store: Store, account: User) -> UUID:
    add_sponsor(store, account.user_id, "Acme", {})
    return make_show(store, account.user_id).podcast_id


def test_a_bare_end_date_is_flown_to_its_last_moment(store: Store, account: User, show: UUID) -> None:
    made = add_campaign(store, account.user_id, order(), {"promo_code": " SPRING "})
    assert (made.podcast_id, made.status, made.start_date, made.end_date, made.campaign_value, made.currency) == (
        show,
        "draft",
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 4, 1, tzinfo=UTC),
        Decimal(1500),
        "USD",
    )
    assert made.attribution_config == AttributionConfig(method="promo_code", promo_code="SPRING")


def test_an_end_with_a_time_is_that_moment() -> None:
    assert parse_end("2026-03-31T12:00:00Z", field="end_date") == datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"end": "2026-02-01"}, "end_date"),
        ({"end": "9999-12-31"}, "end_date"),
        ({"end": "2206-03-31"}, "end_date"),
        ({"start": "0206-03-01"}, "start_date"),
        ({"value": "1_500"}, "campaign_value"),
        ({"start": "yesterday"}, "start_date"),
        ({"currency": "XXZ"}, "currency"),
        ({"value": "-1"}, "campaign_value"),
        ({"value": "1.005"}, "campaign_value"),
        ({"value": "much"}, "campaign_value"),
        ({"name": " "}, "name"),
    ],
)
def test_a_campaign_that_cannot_be_names_its_field(
    store: Store, account: User, show: UUID, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        add_campaign(store, account.user_id, order(**changes), {})
    assert caught.value.facts["field"] == field


def test_an_unknown_show_is_not_found(store: Store, account: User, show: UUID) -> None:
    with pytest.raises(NotFound, match="Nothing"):
        add_campaign(store, account.user_id, order(show="Nothing"), {})


def test_one_code_serves_one_campaign_of_a_sponsor_at_a_time(store: Store, account: User, show: UUID) -> None:
    add_sponsor(store, account.user_id, "Other", {})
    add_campaign(store, account.user_id, order(), {"promo_code": "SPRING"})
    with pytest.raises(PromoCodeTaken, match="Spring"):
        add_campaign(store, account.user_id, order("Again", end="2026-05-01"), {"promo_code": "spring "})
    later = order("Later", start="2026-04-01", end="2026-04-30")
    assert add_campaign(store, account.user_id, later, {"promo_code": "SPRING"}).name == "Later"
    theirs = order("Theirs", sponsor="Other")
    assert add_campaign(store, account.user_id, theirs, {"promo_code": "SPRING"}).name == "Theirs"


def test_a_sponsor_is_named_once(store: Store, account: User, show: UUID) -> None:
    with pytest.raises(Conflict):
        add_sponsor(store, account.user_id, "ACME", {})


def test_a_campaign_moves_only_along_its_ways(store: Store, account: User, show: UUID) -> None:
    made = add_campaign(store, account.user_id, order(), {})
    with store.account(account.user_id) as connection:
        seen = [
            save_campaign_status(connection, account.user_id, made.campaign_id, "scheduled").status,
            save_campaign_status(connection, account.user_id, made.campaign_id, "active").status,
        ]
    assert seen == ["scheduled", "active"]
    with (
        pytest.raises(StatusRefused, match="can become cancelled or completed or paused"),
        store.account(account.user_id) as connection,
    ):
        save_campaign_status(connection, account.user_id, made.campaign_id, "draft")


def test_a_campaign_is_found_by_id_name_or_start_of_id(store: Store, account: User, show: UUID) -> None:
    made = add_campaign(store, account.user_id, order(), {})
    add_campaign(store, account.user_id, order("spring 2"), {})
    with store.account(account.user_id) as connection:
        found = [
            find_campaign(connection, account.user_id, ref)
            for ref in (str(made.campaign_id), "Spring", "SPRING", str(made.campaign_id)[:13])
        ]
    assert found == [made] * 4


def test_two_campaigns_of_one_name_are_ambiguous(store: Store, account: User, show: UUID) -> None:
    add_campaign(store, account.user_id, order(), {})
    add_campaign(store, account.user_id, order(), {})
    with pytest.raises(Ambiguous), store.account(account.user_id) as connection:
        find_campaign(connection, account.user_id, "Spring")


def test_a_slot_is_a_placement_and_an_ad_slot(store: Store, account: User, show: UUID) -> None:
    made = add_campaign(store, account.user_id, order(), {})
    slot = SlotOrder(
        episode="Episode 1",
        campaign="Spring",
        position="mid",
        start="2:00",
        end="180",
        air_date="2026-03-02",
        impressions=5000,
        cost="750.00",
    )
    placed = add_slot(store, account.user_id, slot).placement
    assert (placed.start_seconds, placed.end_seconds, placed.contracted_impressions, placed.cost, placed.kind) == (
        Decimal(120),
        Decimal(180),
        5000,
        Decimal(750),
        "host-read",
    )
    with store.account(account.user_id) as connection:
        assert load_placements(connection, account.user_id, made.campaign_id) == [placed]
        episode = find_episode(connection, account.user_id, "Episode 1")
    assert episode.ad_slots == (AdSlot(Decimal(120), Decimal(180), made.campaign_id),)
    with pytest.raises(Conflict, match="the campaign has a mid-roll in this episode at this place already"):
        add_slot(store, account.user_id, slot)


def test_a_slot_leaves_a_campaign_for_the_whole_show_so(store: Store, account: User, show: UUID) -> None:
    made = add_campaign(store, account.user_id, order(), {})
    added = add_slot(store, account.user_id, SlotOrder(episode="Episode 1", campaign="Spring", position="mid"))
    assert (added.covered_before, added.covered) == (None, None)
    assert describe_change(added) == (
        "The campaign runs in the whole show, as before; --only-placed limits it to the episodes it is placed in."
    )
    with store.account(account.user_id) as connection:
        found = find_campaign(connection, account.user_id, "Spring")
        spans = compute_spans(found, load_placements(connection, account.user_id, made.campaign_id))
    assert [(span.episode_id, span.start_at) for span in spans] == [(None, made.start_date)]


def test_a_slot_limits_the_campaign_to_its_placements_only_where_that_is_asked(
    store: Store, account: User, show: UUID
) -> None:
    add_campaign(store, account.user_id, order(), {})
    first, second = (SlotOrder(episode=f"Episode {n}", campaign="Spring", position="mid") for n in (1, 2))
    before = add_slot(store, account.user_id, first)
    after = add_slot(store, account.user_id, replace(second, only_placed=True))
    placed = frozenset({before.placement.episode_id, after.placement.episode_id})
    assert (after.covered_before, after.covered) == (None, placed)
    assert describe_change(after) == "The campaign ran in the whole show and now runs in 2 episodes."


def test_a_slot_adds_its_episode_to_those_that_the_campaign_lists(store: Store, account: User, show: UUID) -> None:
    made = add_campaign(store, account.user_id, order(episodes=("Episode 1",)), {})
    added = add_slot(store, account.user_id, SlotOrder(episode="Episode 2", campaign="Spring", position="pre"))
    assert added.covered_before == frozenset(made.episode_ids)
    assert added.covered == frozenset({*made.episode_ids, added.placement.episode_id})
    assert describe_change(added) == "The campaign ran in one episode and now runs in 2 episodes."


def test_a_slot_that_ends_before_it_starts_names_its_field(store: Store, account: User, show: UUID) -> None:
    add_campaign(store, account.user_id, order(), {})
    slot = SlotOrder(episode="Episode 1", campaign="Spring", position="mid", start="180", end="120")
    with pytest.raises(InvalidInput, match="end_seconds"):
        add_slot(store, account.user_id, slot)


def test_the_strongest_given_key_is_the_primary_method() -> None:
    keys = {"utm_campaign": "x", "custom_tracking_id": "y", "pixel_url": None}
    assert make_config(keys).method == "utm"
    assert make_config({}).method == "pixel"


@pytest.mark.parametrize(("text", "seconds"), [("120", 120), ("2:00", 120), ("1:02:03.5", Decimal("3723.5"))])
def test_seconds_are_read_as_a_clock_or_a_number(text: str, seconds: Decimal) -> None:
    assert parse_seconds(text, field="start_seconds") == seconds


@pytest.mark.parametrize("text", ["1:60", "-5", "NaN", "a", "1:1:1:1"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_seconds(text, field="start_seconds")


def test_a_name_that_is_no_utf_8_is_refused_as_such(store: Store, account: User) -> None:
    with pytest.raises(InvalidInput, match="is no UTF-8"):
        add_sponsor(store, account.user_id, "caf\udce9", {})


def test_of_two_who_add_a_sponsor_at_once_one_is_refused(store: Store, account: User) -> None:
    def add(name: str) -> bool:
        try:
            add_sponsor(store, account.user_id, name, {})
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(add, ("Acme", "acme", "ACME", "aCME") * 4))
    assert added.count(True) == 1


def test_a_time_that_is_none_is_told_as_a_time() -> None:
    for text in ("abc", "1:99", "-5", "1:2:3:4"):
        with pytest.raises(InvalidInput, match="is no time, such as 120 or 2:00"):
            parse_seconds(text, field="start_seconds")
