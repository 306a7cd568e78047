"""A campaign's return through the whole store: orders, refunds and rates in, figures out."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from castline.attribute.engine import attribute
from castline.attribute.exposure import compute_spans
from castline.base.period import Period
from castline.ingest.conversions.rates import import_rates
from castline.ingest.conversions.receive import receive_conversions
from castline.model.account import User
from castline.model.campaign import AttributionConfig, Campaign
from castline.model.conversion import ConversionInput, RefundInput
from castline.model.query import AnswerRow
from castline.model.roi import RoiFigures
from castline.roi.compute import compute_roi
from castline.roi.day_sums import DaySums, count_downloads
from castline.store.listening.downloads import copy_rows
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions
from make_money import MARCH, MoneyWorld, make_campaign, make_money_world

pytestmark = pytest.mark.store
CODE = AttributionConfig(promo_code="SPRING")


@pytest.fixture
def world(store: Store, account: User) -> MoneyWorld:
    return make_money_world(store, account.user_id)


def roi(world: MoneyWorld, campaign: Campaign, as_of: datetime) -> RoiFigures:
    with world.store.snapshot(world.owner_id) as connection:
        return compute_roi(connection, world.owner_id, campaign, as_of=as_of)


def order(number: int, day: int, value: str, currency: str = "USD", sponsor: str | None = "Acme") -> ConversionInput:
    return ConversionInput(
        occurred_at=MARCH + timedelta(days=day),
        order_id=str(number),
        conversion_value=Decimal(value),
        currency=currency,
        promo_code="SPRING",
        sponsor=sponsor,
    )


def tell(world: MoneyWorld, *rows: ConversionInput | RefundInput) -> None:
    batch = receive_conversions(
        world.store, world.owner_id, rows, source="api", content_hash=uuid4().bytes, name="orders"
    )
    assert batch.refused == 0, batch.drops
    attribute(world.store, world.owner_id)


def save_downloads(world: MoneyWorld, rows: list[tuple[date, UUID, int]]) -> None:
    text = "".join(
        f"{day},{world.podcast_id},downloads,episode,{episode},{value},{uuid4()}\n" for day, episode, value in rows
    )
    columns = ("day_on", "podcast_id", "metric", "dimension", "member", "value", "run_id")
    with world.store.owner() as connection:
        ensure_partitions(connection, min(row[0] for row in rows), max(row[0] for row in rows))
    with world.store.ingest(world.owner_id) as connection:
        copy_rows(connection, "daily_metrics", columns, text.encode())


def test_orders_refunds_and_rates_make_the_figures(world: MoneyWorld, tmp_path: Path) -> None:
    # gross 100.00 + 50 EUR x 1.10 = 155.00; refunds -30.00; net 125.00; fee 500 over 31 days, all flown
    # ROI (125 - 500) / 500 = -0.75; ROAS 125 / 500 = 0.25; CPA 250.00; CPM 500 x 1000 / 4000 = 125.00
    campaign = world.add("Spring", CODE, value="500")
    rates = tmp_path / "rates.csv"
    rates.write_text("date,base,quote,rate\n2026-03-06,EUR,USD,1.10\n")
    import_rates(world.store, world.owner_id, rates)
    save_downloads(
        world,
        [
            (date(2026, 2, 28), world.episodes[0].episode_id, 999),
            (date(2026, 3, 1), world.episodes[0].episode_id, 1500),
            (date(2026, 3, 31), world.episodes[1].episode_id, 2500),
            (date(2026, 4, 1), world.episodes[1].episode_id, 999),
        ],
    )
    tell(
        world,
        order(1, 3, "100.00"),
        order(2, 5, "50.00", "EUR"),
        RefundInput("1", MARCH + timedelta(days=40), Decimal(-30), "USD", sponsor="Acme"),
        RefundInput("1", MARCH + timedelta(days=41), Decimal(-5), "USD", sponsor="Other"),
        RefundInput("9", MARCH + timedelta(days=42), Decimal(-5), "USD", sponsor="Acme"),
    )
    after = MARCH + timedelta(days=60)
    figures = roi(world, campaign, after)
    assert (figures.gross_revenue, figures.refunds, figures.net_revenue) == (
        Decimal("155.00"),
        Decimal("-30.00"),
        Decimal("125.00"),
    )
    assert (figures.roi_rate, figures.roas) == (Decimal("-0.75"), Decimal("0.25"))
    assert (figures.cost_per_acquisition, figures.cost_per_mille) == (Decimal("250.00"), Decimal("125.00"))
    assert (figures.impressions, figures.credited_orders) == (4000, Decimal(2))


def test_what_happened_after_the_moment_is_left_out(world: MoneyWorld) -> None:
    campaign = world.add("Spring", CODE)
    tell(
        world,
        order(1, 3, "100.00"),
        order(2, 10, "50.00"),
        RefundInput("1", MARCH + timedelta(days=20), Decimal(-30), "USD", sponsor="Acme"),
    )
    early, later = roi(world, campaign, MARCH + timedelta(days=5)), roi(world, campaign, MARCH + timedelta(days=15))
    assert (early.net_revenue, later.net_revenue) == (Decimal("100.00"), Decimal("150.00"))
    assert roi(world, campaign, MARCH + timedelta(days=21)).net_revenue == Decimal("120.00")


def test_a_return_is_unknown_until_any_conversion_came_in_and_a_loss_from_then_on(world: MoneyWorld) -> None:
    mine, _ = world.add("Spring", AttributionConfig(promo_code="MINE")), world.add("Theirs", CODE, sponsor="Other")
    tell(world, order(1, 10, "100.00", sponsor="Other"))
    early, later = roi(world, mine, MARCH + timedelta(days=10)), roi(world, mine, MARCH + timedelta(days=11))
    assert (early.has_conversions, early.roi_rate, early.roas) == (False, None, None)
    assert (later.has_conversions, later.roi_rate, later.roas) == (True, Decimal(-1), Decimal(0))


def test_a_refund_without_a_sponsor_belongs_where_only_one_can_be_meant(world: MoneyWorld) -> None:
    mine, theirs = world.add("Spring", CODE), world.add("Theirs", CODE, sponsor="Other")
    tell(world, order(1, 3, "100"), order(2, 3, "100"), order(2, 3, "100", sponsor="Other"))
    tell(
        world,
        RefundInput("1", MARCH + timedelta(days=9), Decimal(-10), "USD"),
        RefundInput("2", MARCH + timedelta(days=9), Decimal(-20), "USD"),
    )
    after = MARCH + timedelta(days=60)
    assert roi(world, mine, after).refunds == Decimal("-10.00")
    assert roi(world, theirs, after).refunds == Decimal("0.00")


def test_an_order_without_a_rate_counts_as_an_order_and_not_as_money(world: MoneyWorld) -> None:
    campaign = world.add("Spring", CODE)
    tell(world, order(1, 3, "100"), order(2, 3, "100", "GBP"))
    figures = roi(world, campaign, MARCH + timedelta(days=60))
    assert (figures.credited_orders, figures.gross_revenue, figures.unconverted_count) == (
        Decimal(2),
        Decimal("100.00"),
        1,
    )


def test_downloads_count_on_the_days_that_an_episode_carries_the_campaign() -> None:
    campaign = make_campaign(episode_ids=(UUID(int=1),))
    rows = [
        AnswerRow(datetime(2026, 3, day, tzinfo=UTC), (str(campaign.podcast_id), str(UUID(int=episode))), 10 * day)
        for day in (1, 2, 30, 31)
        for episode in (1, 2)
    ]
    days, end_at = DaySums(rows), campaign.end_date + timedelta(days=9)
    assert count_downloads(compute_spans(campaign, ()), days, end_at) == {UUID(int=1): 330}
    assert count_downloads(compute_spans(make_campaign(), ()), days, end_at) == {UUID(int=1): 330, UUID(int=2): 330}
    # Half a day is a day that the span touches.
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert count_downloads(compute_spans(campaign, ()), days, noon) == {UUID(int=1): 30}
    assert count_downloads(compute_spans(campaign, ()), days, campaign.start_date) == {}
    later = make_campaign(start_date=MARCH + timedelta(days=20))
    assert count_downloads(compute_spans(later, ()), days, MARCH + timedelta(days=1)) == {}
    assert Period(campaign.start_date, campaign.end_date).end_at == datetime(2026, 3, 31, tzinfo=UTC)
