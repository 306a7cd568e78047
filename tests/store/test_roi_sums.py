"""What the database adds up is what adding order by order gives, to the last digit, at every moment."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg.rows import class_row

from castline.attribute.engine import attribute
from castline.ingest.conversions.rates import import_rates
from castline.ingest.conversions.receive import receive_conversions
from castline.model.account import User
from castline.model.campaign import AttributionConfig
from castline.model.conversion import ConversionInput, RefundInput
from castline.roi.books import Books, load_books
from castline.roi.compute import compute_from_books
from castline.store.money.attribution import OrderCredit
from castline.store.pool import Connection, Store
from make_money import MARCH, MoneyWorld, make_money_world

pytestmark = pytest.mark.store
CURRENCIES = ("USD", "EUR", "JPY", "KWD")
AS_OF = datetime(2026, 6, 1, tzinfo=UTC)
EVERY_CREDIT = """
    select conversion_id, credits.campaign_id, attribution_method as method, tier, credit, timestamp as occurred_at,
        conversion_type, conversion_value as amount, currency, sponsor_id, order_id, model_version
    from my_attribution_events as credits
    join conversions using (conversion_id)
    order by conversion_id, credits.campaign_id
"""


@pytest.fixture
def world(store: Store, account: User, tmp_path: Path) -> MoneyWorld:
    made = make_money_world(store, account.user_id)
    for currency in CURRENCIES:
        # One source and one day to begin with: these share each order.
        made.add(f"Shared {currency}", AttributionConfig(method="utm", utm_campaign="shared"), currency=currency)
        made.add(f"Own {currency}", AttributionConfig(promo_code=f"OWN{currency}"), currency=currency)
    rng = random.Random(11)  # noqa: S311  # repeatable, no secret
    save_rates(made, rng, tmp_path)
    told = [make_order(rng, number) for number in range(400)]
    given_back = [make_refund(rng, rng.randrange(400)) for _ in range(60)]
    batch = receive_conversions(
        store, account.user_id, [*told, *given_back], source="api", content_hash=uuid4().bytes, name="orders"
    )
    assert batch.refused == 0, batch.drops
    attribute(store, account.user_id)
    return made


def save_rates(world: MoneyWorld, rng: random.Random, folder: Path) -> None:
    """Some pairs on some days, some the other way round, so that inverses, older rates and none at all occur."""
    lines = ["date,base,quote,rate"]
    for day in range(0, 31, 3):
        for base, quote in (("EUR", "USD"), ("USD", "JPY"), ("KWD", "USD"), ("USD", "KWD"), ("JPY", "EUR")):
            if rng.random() < 0.6:
                on = (MARCH + timedelta(days=day)).date()
                lines.append(f"{on},{base},{quote},{rng.randrange(1, 10**9) / 10**6:.6f}")
    path = folder / "rates.csv"
    path.write_text("\n".join(lines) + "\n")
    import_rates(world.store, world.owner_id, path)


def make_order(rng: random.Random, number: int) -> ConversionInput:
    currency = rng.choice([*CURRENCIES, None])
    is_shared = rng.random() < 0.5
    # Also halves of a minor unit, which round to even.
    amount = Decimal(rng.randrange(10**9)).scaleb(-4) if rng.random() < 0.7 else Decimal(rng.randrange(10**6)) / 1000
    return ConversionInput(
        occurred_at=MARCH + timedelta(days=rng.randrange(31), seconds=number),
        conversion_type=rng.choice(["purchase", "purchase", "purchase", "signup", "visit"]),
        source_key=f"o{number}",
        order_id=rng.choice([str(number), str(number), None]),
        conversion_value=None if currency is None else amount,
        currency=currency,
        utm_campaign="shared" if is_shared else None,
        promo_code=None if is_shared else f"OWN{rng.choice(CURRENCIES)}",
        sponsor=rng.choice(["Acme", None]),
    )


def make_refund(rng: random.Random, number: int) -> RefundInput:
    return RefundInput(
        order_id=str(number),
        occurred_at=MARCH + timedelta(days=rng.randrange(60)),
        amount=-Decimal(rng.randrange(1, 10**6)).scaleb(-3),
        currency=rng.choice(CURRENCIES),
        source_key=f"r{rng.random()}",
    )


def one_by_one(connection: Connection, books: Books) -> Books:
    """The same books with every credit in place of the sums."""
    with connection.cursor(row_factory=class_row(OrderCredit)) as cursor:
        credited = cursor.execute(EVERY_CREDIT).fetchall()
    parts: dict[object, list[OrderCredit]] = {}
    for item in credited:
        parts.setdefault(item.conversion_id, []).append(item)
    by_campaign: dict[object, list[OrderCredit]] = {}
    for together in parts.values():
        for item in together:
            by_campaign.setdefault(item.campaign_id, []).extend(together)
    return replace(books, sums={}, credits=by_campaign)  # type: ignore[arg-type]  # the keys are ids


def test_sums_equal_what_order_by_order_gives_at_every_moment(world: MoneyWorld) -> None:
    moments = [MARCH + timedelta(days=day, hours=day) for day in (0, 5, 12, 29)]
    with world.store.snapshot(world.owner_id) as connection:
        books = load_books(connection, world.owner_id, [*world.campaigns.values()], as_of=AS_OF, earlier=moments)
        slow = one_by_one(connection, books)
    seen = set()
    for campaign in world.campaigns.values():
        for moment in (*moments, AS_OF):
            fast = compute_from_books(books, campaign, as_of=moment)
            assert fast == compute_from_books(slow, campaign, as_of=moment)
            seen.add((fast.gross_revenue > 0, fast.refunds < 0, fast.unconverted_count > 0, fast.visit_count > 0))
    assert (True, True, True, True) in seen
    assert any(item.credit < 1 for items in slow.credits.values() for item in items)
    refunded = {item.conversion_id for items in books.credits.values() for item in items}
    assert len(refunded) < 100, "most orders are summed in the database"


def test_a_campaign_alone_has_the_figures_that_it_has_among_all(world: MoneyWorld) -> None:
    with world.store.snapshot(world.owner_id) as connection:
        together = load_books(connection, world.owner_id, [*world.campaigns.values()], as_of=AS_OF)
        for campaign in world.campaigns.values():
            alone = load_books(connection, world.owner_id, [campaign], as_of=AS_OF)
            assert compute_from_books(alone, campaign) == compute_from_books(together, campaign)
