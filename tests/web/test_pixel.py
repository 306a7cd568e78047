"""The pixel over real HTTP: always a picture, never a lost hit, and no address from those who ask for privacy."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from castline.base.clock import now
from castline.base.config import Settings, load_settings
from castline.base.errors import ConfigurationError, DatabaseUnavailable
from castline.ingest.places import listener_key
from castline.ingest.segment_log import LOG_FOLDER
from castline.intake.drain import UnclaimedAddress, drain_intake, load_unclaimed
from castline.model.account import User
from castline.model.campaign import Campaign, NewSponsor
from castline.store.entities.campaigns import NewCampaign, create_campaign, create_sponsor
from castline.store.pool import Store
from castline.store.provenance.ledger import load_quarantine
from castline.web import hit_limit
from castline.web.hits.pixel import GIF
from make import make_account
from make_money import make_show
from web.browser import Browser
from web.conftest import make_closed_pool, run_server

pytestmark = pytest.mark.store
Row = tuple[object, ...]


def make_campaign(store: Store, owner: User) -> Campaign:
    show = make_show(store, owner.user_id)
    with store.account(owner.user_id) as connection:
        sponsor = create_sponsor(connection, owner.user_id, NewSponsor(f"Fox {uuid4().hex[:6]}"))
        return create_campaign(
            connection,
            owner.user_id,
            NewCampaign(
                "Autumn",
                show.podcast_id,
                sponsor.sponsor_id,
                datetime(2026, 3, 1, tzinfo=UTC),
                datetime(2026, 4, 1, tzinfo=UTC),
                Decimal(1000),
            ),
        )


@pytest.fixture
def campaign(store: Store, account: User) -> Campaign:
    return make_campaign(store, account)


@pytest.fixture
def away(store: Store, web_settings: Settings, tmp_path: Path) -> tuple[Store, Settings]:
    """The same store over a data folder of this test alone."""
    settings = replace(web_settings, data_dir=tmp_path)
    opened = replace(store.settings, ip_privacy="truncated", data_dir=tmp_path, secret_key="k" * 32)
    return replace(store, settings=opened), settings


def conversions(store: Store, owner_id: UUID) -> list[Row]:
    query = (
        "select conversion_type, order_id, conversion_value, currency, utm_campaign, listener_key, ip_address::text,"
        " metadata ->> 'pixel_id', sponsor_id from conversions where user_id = %s order by occurred_at"
    )
    with store.account(owner_id) as connection:
        return connection.execute(query, (owner_id,)).fetchall()


def test_a_hit_becomes_a_visit_and_an_order(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings]
) -> None:
    opened, settings = away
    with run_server(opened, settings) as port:
        browser = Browser(port)
        path = f"/p/{campaign.campaign_id}.gif"
        visit = browser.get(f"{path}?dl=https%3A%2F%2Fshop.example%2F%3Futm_campaign%3DFOX")
        browser.get(f"{path}?order_id=A-1&value=79.90&currency=EUR")
    assert (visit.status, visit.body, visit.headers["content-type"]) == (200, GIF, "image/gif")
    assert len(visit.body) == 43
    assert visit.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "no-store" in visit.headers["cache-control"]
    assert visit.cookies == ()
    drain_intake(opened)
    key = listener_key(opened.settings, account.user_id, "127.0.0.1")
    pixel = (str(campaign.campaign_id), campaign.sponsor_id)
    assert conversions(store, account.user_id) == [
        ("visit", None, None, None, "FOX", key, "127.0.0.0/24", *pixel),
        ("purchase", "A-1", Decimal("79.9000"), "EUR", None, key, "127.0.0.0/24", *pixel),
    ]


@pytest.mark.parametrize("header", ["Sec-GPC", "DNT"])
def test_who_asks_for_privacy_is_counted_and_cannot_be_matched(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings], header: str
) -> None:
    opened, settings = away
    with run_server(opened, settings) as port:
        Browser(port).ask("GET", f"/p/{campaign.campaign_id}.gif", headers={header: "1"})
    drain_intake(opened)
    [(kind, *_, key, address, _, _)] = conversions(store, account.user_id)
    assert (kind, key, address) == ("visit", None, None)


def test_the_client_is_whom_a_trusted_proxy_names_and_nobody_else(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings]
) -> None:
    opened, settings = away
    trusting = replace(
        settings, trusted_proxies=load_settings({"CASTLINE_TRUSTED_PROXIES": "127.0.0.0/8"}).trusted_proxies
    )
    forged = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 127.0.0.5"}
    for chosen in (trusting, settings):
        with run_server(opened, chosen) as port:
            Browser(port).ask("GET", f"/p/{campaign.campaign_id}.gif", headers=forged)
    drain_intake(opened)
    assert [row[6] for row in conversions(store, account.user_id)] == ["198.51.100.0/24", "127.0.0.0/24"]


def test_trusted_proxies_that_are_no_networks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="CASTLINE_TRUSTED_PROXIES"):
        load_settings({"CASTLINE_TRUSTED_PROXIES": "10.0.0.0/8, everyone"})


def test_whatever_comes_is_answered_with_the_picture(port: int) -> None:
    browser = Browser(port)
    for path in (
        f"/p/{uuid4()}.gif",
        "/p/nonsense.gif",
        f"/p/{uuid4()}.gif?{'x=1&' * 3000}",
        f"/p/{uuid4()}.gif?value=%FF%00",
    ):
        answered = browser.get(path)
        assert (answered.status, answered.body) == (200, GIF)


def test_a_disk_that_takes_no_more_still_shows_the_picture_but_acknowledges_nothing(
    away: tuple[Store, Settings],
) -> None:
    store, settings = away
    (settings.data_dir / "intake").write_bytes(b"a file where the log's folder would be")
    with run_server(store, settings) as port:
        answered = Browser(port).get(f"/p/{uuid4()}.gif")
    assert (answered.status, answered.body) == (503, GIF)


def test_parameters_that_cannot_be_used_wait_in_quarantine(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings]
) -> None:
    opened, settings = away
    with run_server(opened, settings) as port:
        Browser(port).get(f"/p/{campaign.campaign_id}.gif?order_id=A-1&value=a+lot&currency=EUR")
        Browser(port).get(f"/p/{campaign.campaign_id}.gif?order_id=A-2&value=10&currency=XYZ")
    drain_intake(opened)
    with store.account(account.user_id) as connection:
        waiting = load_quarantine(connection, account.user_id)
    assert sorted((row.reason, row.detail.split(":")[0]) for row in waiting) == [
        ("invalid_field", "conversion_value"),
        ("unknown_currency", "currency"),
    ]
    assert conversions(store, account.user_id) == []


def test_a_database_that_is_away_loses_no_hit(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings]
) -> None:
    opened, settings = away
    gone = replace(opened, dsn="postgresql://127.0.0.1:1/none", _pool=make_closed_pool())
    with run_server(gone, settings) as port:
        answers = [Browser(port).get(f"/p/{campaign.campaign_id}.gif?order_id=A-{number}") for number in range(5)]
    assert [(item.status, item.body) for item in answers] == [(200, GIF)] * 5
    with pytest.raises(DatabaseUnavailable):
        drain_intake(gone)
    assert drain_intake(opened).hit_count == 5
    assert [row[1] for row in conversions(store, account.user_id)] == [f"A-{number}" for number in range(5)]
    assert drain_intake(opened).hit_count == 0


def test_a_drain_that_was_killed_after_its_commit_counts_nothing_twice(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings]
) -> None:
    opened, settings = away
    with run_server(replace(opened, _pool=make_closed_pool()), settings) as port:
        Browser(port).get(f"/p/{campaign.campaign_id}.gif")
    [waiting] = (settings.data_dir / LOG_FOLDER).glob("*.ready")
    content = waiting.read_bytes()
    drain_intake(opened)
    waiting.write_bytes(content)
    drain_intake(opened)
    assert len(conversions(store, account.user_id)) == 1


def test_an_address_that_floods_is_refused_and_counted_and_nobody_else_is(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hit_limit, "HITS_PER_WINDOW", 3)
    opened, settings = away
    trusting = replace(
        settings, trusted_proxies=load_settings({"CASTLINE_TRUSTED_PROXIES": "127.0.0.0/8"}).trusted_proxies
    )
    path = f"/p/{campaign.campaign_id}.gif?order_id="
    asked = [
        *(("2a00:1450:4001:800::200e", f"six-{number}") for number in range(3)),
        *(("8.8.8.8", f"flood-{number}") for number in range(5)),
        ("2a00:1450:4001:800::beef", "six-more"),
        ("8.8.4.4", "other"),
        *(("192.168.1.5", f"proxy-{number}") for number in range(5)),
    ]
    with run_server(opened, trusting) as port:
        answers = [
            Browser(port).ask("GET", path + order, headers={"X-Forwarded-For": address}) for address, order in asked
        ]
    refused = [order for (_, order), answer in zip(asked, answers, strict=True) if answer.status == 429]
    assert refused == ["flood-3", "flood-4", "six-more"]
    assert {answer.body for answer in answers} == {GIF}
    assert drain_intake(opened).hit_count == len(asked) - 3
    assert [row[1] for row in conversions(store, account.user_id)] == [
        order for _, order in asked if order not in refused
    ]
    assert load_unclaimed(settings.data_dir) == [
        UnclaimedAddress("pixel, too many", str(campaign.campaign_id), 3, now().date())
    ]


def test_a_hit_that_no_campaign_claims_is_counted(away: tuple[Store, Settings]) -> None:
    opened, settings = away
    unknown = uuid4()
    with run_server(opened, settings) as port:
        for _ in range(2):
            Browser(port).get(f"/p/{unknown}.gif")
    drained = drain_intake(opened)
    assert (drained.hit_count, drained.unclaimed_count) == (0, 2)
    assert load_unclaimed(settings.data_dir) == [UnclaimedAddress("pixel", str(unknown), 2, now().date())]


def test_hits_of_two_accounts_go_to_their_own(
    store: Store, account: User, campaign: Campaign, away: tuple[Store, Settings]
) -> None:
    opened, settings = away
    other = make_account(store)
    theirs = make_campaign(store, other)
    with run_server(replace(opened, _pool=make_closed_pool()), settings) as port:
        Browser(port).get(f"/p/{campaign.campaign_id}.gif?order_id=MINE")
        Browser(port).get(f"/p/{theirs.campaign_id}.gif?order_id=THEIRS")
    drain_intake(opened)
    assert [row[1] for row in conversions(store, account.user_id)] == ["MINE"]
    assert [row[1] for row in conversions(store, other.user_id)] == ["THEIRS"]
