"""Credit: which campaign an order counts for, through the real store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from castline.attribute.engine import AttributionResult, attribute
from castline.base.money import split_by_weight
from castline.ingest.conversions.receive import receive_conversions
from castline.model.account import User
from castline.model.campaign import AttributionConfig
from castline.model.conversion import ConversionInput, RefundInput
from castline.store.pool import Store
from castline.store.timeseries import drop_partition, list_partitions
from make import make_account
from make_money import Heard, MoneyWorld, make_money_world, save_heard

pytestmark = pytest.mark.store
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
CODE = AttributionConfig(method="promo_code", promo_code="SPRING")


@pytest.fixture
def world(store: Store, account: User) -> MoneyWorld:
    return make_money_world(store, account.user_id)


def at(day: float) -> datetime:
    """Noon of a day counted from 1 March 2026."""
    return MARCH + timedelta(days=day, hours=12)


def tell(world: MoneyWorld, *rows: ConversionInput | RefundInput, source: str = "api") -> None:
    batch = receive_conversions(
        world.store, world.owner_id, rows, source=source, content_hash=uuid4().bytes, name="orders"
    )
    assert batch.refused == 0, batch.drops


def run(world: MoneyWorld) -> AttributionResult:
    return attribute(world.store, world.owner_id)


def load_credits(world: MoneyWorld) -> list[tuple[str, str, str, str, str, Decimal]]:
    """Order or conversion type, campaign, method, key, tier, credit."""
    with world.store.account(world.owner_id) as connection:
        rows = connection.execute(
            "select coalesce(conversion_data ->> 'order_id', conversion_data ->> 'conversion_type'), campaigns.name,"
            " attribution_method, attribution_data ->> 'matched_key', tier, credit"
            " from my_attribution_events join campaigns using (campaign_id) order by 1, 2"
        ).fetchall()
    return [tuple(row) for row in rows]


def everything(world: MoneyWorld) -> list[tuple[Any, ...]]:
    with world.store.account(world.owner_id) as connection:
        return connection.execute(
            "select to_jsonb(my_attribution_events) - 'run_id' from my_attribution_events order by event_id"
        ).fetchall()


def order(number: int, day: float, **facts: Any) -> ConversionInput:
    return ConversionInput(
        occurred_at=at(day),
        order_id=str(number),
        conversion_value=Decimal("99.95"),
        currency="USD",
        **({"sponsor": "Acme"} | facts),
    )


ONE = Decimal(1)


def test_a_code_is_credited_in_any_case_and_among_others_from_the_start_to_a_window_after_the_end(
    world: MoneyWorld,
) -> None:
    world.add("Spring", CODE)
    codes = {1: " spring ", 2: "FREESHIP; Spring", 3: "SPRINGTIME"}
    tell(world, *(order(number, 5, promo_code=code) for number, code in codes.items()))
    tell(world, order(4, -1, promo_code="SPRING"), order(5, 60, promo_code="SPRING"), order(6, 61, promo_code="SPRING"))
    result = run(world)
    assert (result.orders, result.attributed, result.unattributed, result.methods) == (6, 3, 3, {"promo_code": 3})
    assert load_credits(world) == [
        (number, "Spring", "promo_code", "promo_code", "confirmed", ONE) for number in ("1", "2", "5")
    ]


def test_a_code_that_a_later_campaign_took_over_is_the_later_ones(world: MoneyWorld) -> None:
    world.add("March", CODE)
    world.add("April", CODE, start=31, days=30)
    tell(world, order(1, 20, promo_code="SPRING"), order(2, 35, promo_code="SPRING"))
    run(world)
    assert [row[:2] for row in load_credits(world)] == [("1", "March"), ("2", "April")]


def test_two_sponsors_may_have_one_code_and_an_order_of_neither_is_nobodys(world: MoneyWorld) -> None:
    world.add("Spring", CODE)
    world.add("Theirs", CODE, sponsor="Other")
    tell(world, order(1, 5, promo_code="SPRING"), order(2, 5, promo_code="SPRING", sponsor="Other"))
    tell(world, order(3, 5, promo_code="SPRING", sponsor=None))
    run(world)
    assert [row[:2] for row in load_credits(world)] == [("1", "Spring"), ("2", "Theirs")]


def test_a_link_matches_by_its_most_specific_value_unless_another_contradicts(world: MoneyWorld) -> None:
    world.add("Link", AttributionConfig(method="utm", utm_source="pod", utm_medium="audio", utm_campaign="spring"))
    world.add("Source", AttributionConfig(method="pixel", utm_source="show"))
    tell(
        world,
        order(1, 5, utm_campaign="Spring", utm_source="POD", utm_medium="audio"),
        order(2, 5, utm_campaign="spring"),
        order(3, 5, utm_campaign="spring", utm_source="newsletter"),
        order(4, 5, utm_source="pod"),
        order(5, 5, utm_source="show", utm_campaign="anything"),
    )
    run(world)
    assert [row[:4] for row in load_credits(world)] == [
        ("1", "Link", "utm", "utm_campaign"),
        ("2", "Link", "utm", "utm_campaign"),
        ("5", "Source", "utm", "utm_source"),
    ]


def test_a_named_campaign_and_a_tracking_id_are_credited(world: MoneyWorld) -> None:
    world.add("Spring", AttributionConfig(method="custom", custom_tracking_id="T-1"))
    tell(world, order(1, 5, campaign="spring"), order(2, 5, custom_tracking_id=" t-1 "))
    run(world)
    assert [row[:4] for row in load_credits(world)] == [
        ("1", "Spring", "direct", "campaign_id"),
        ("2", "Spring", "custom", "custom_tracking_id"),
    ]


def test_the_strongest_key_takes_the_whole_order(world: MoneyWorld) -> None:
    world.add("Code", CODE)
    world.add("Link", AttributionConfig(method="utm", utm_campaign="spring"))
    tell(world, order(1, 5, promo_code="spring", utm_campaign="spring"))
    run(world)
    assert [row[:3] for row in load_credits(world)] == [("1", "Code", "promo_code")]


def test_a_customer_is_known_again_within_a_window(world: MoneyWorld) -> None:
    world.add("Spring", CODE)
    ada, bob = b"a" * 32, b"b" * 32
    tell(
        world,
        ConversionInput(at(2), "signup", "s1", promo_code="SPRING", email_hash=ada, sponsor="Acme"),
        ConversionInput(at(2), "signup", "s2", promo_code="SPRING", email_hash=bob, sponsor="Acme"),
        ConversionInput(at(3), "visit", "v1", promo_code="SPRING", device_id="d1", sponsor="Acme"),
        order(1, 20, email_hash=ada),
        order(2, 40, email_hash=bob),
        order(3, 20, device_id="d1"),
        order(4, 1, device_id="d1"),
    )
    result = run(world)
    assert [row[:4] for row in load_credits(world) if row[0] in "1234"] == [
        ("1", "Spring", "direct", "email_hash"),
        ("3", "Spring", "pixel", "device_id"),
    ]
    assert (result.orders, result.attributed, result.visits, result.attributed_visits) == (6, 4, 1, 1)


def test_a_customer_is_known_again_long_after_the_flight_where_the_sponsor_named_the_campaign(
    world: MoneyWorld,
) -> None:
    spring = world.add("Spring", CODE)
    tell(
        world,
        order(1, 200, email_hash=b"a" * 32, campaign_id=spring.campaign_id),
        order(2, 215, email_hash=b"a" * 32),
        order(3, 260, email_hash=b"a" * 32),
    )
    run(world)
    assert load_credits(world) == [
        ("1", "Spring", "direct", "campaign_id", "confirmed", ONE),
        ("2", "Spring", "direct", "email_hash", "confirmed", ONE),
    ]


def test_an_order_that_another_door_dates_before_the_flight_is_credited_at_its_first_telling(world: MoneyWorld) -> None:
    world.add("Spring", CODE)
    tell(world, order(1, -20), source="csv")
    tell(world, order(1, 3, promo_code="SPRING"))
    run(world)
    assert load_credits(world) == [("1", "Spring", "promo_code", "promo_code", "confirmed", ONE)]
    with world.store.account(world.owner_id) as connection:
        assert connection.execute("select timestamp from my_attribution_events").fetchall() == [(at(-20),)]


def test_a_household_is_credited_to_each_campaign_it_heard_within_the_window(world: MoneyWorld) -> None:
    world.add("Show", AttributionConfig(method="pixel"))
    world.add("First", AttributionConfig(method="pixel"), episodes=(0,))
    world.add("Theirs", AttributionConfig(method="pixel"), sponsor="Other")
    world.hear(Heard("203.0.113.7", at(1), episode=0), Heard("203.0.113.7", at(25), episode=1))
    tell(
        world,
        order(1, 20, ip_address="203.0.113.7"),
        order(2, 40, ip_address="203.0.113.7"),
        order(3, 56, ip_address="203.0.113.7"),
        order(4, 0, ip_address="203.0.113.7"),
        order(5, 20, ip_address="203.0.113.8"),
    )
    run(world)
    half = Decimal("0.5")
    assert load_credits(world) == [
        ("1", "First", "pixel", "household", "confirmed", half),
        ("1", "Show", "pixel", "household", "confirmed", half),
        ("2", "Show", "pixel", "household", "confirmed", ONE),
    ]


def test_an_address_of_many_is_modeled_and_one_of_a_crowd_says_nothing(world: MoneyWorld) -> None:
    world.add("Show", AttributionConfig(method="pixel"))
    for count, address in ((4, "203.0.113.4"), (5, "203.0.113.5"), (40, "203.0.113.40"), (41, "203.0.113.41")):
        world.hear(*(Heard(address, at(1 + agent % 3), agent=f"agent {agent}") for agent in range(count)))
        tell(world, order(count, 10, ip_address=address))
    run(world)
    assert [(row[0], row[4]) for row in load_credits(world)] == [
        ("4", "confirmed"),
        ("40", "modeled"),
        ("5", "modeled"),
    ]
    with world.store.account(world.owner_id) as connection:
        rows = connection.execute(
            "select conversion_data ->> 'order_id', probability from my_attribution_events order by 2 desc"
        ).fetchall()
    assert rows == [("4", Decimal("0.95")), ("5", Decimal("0.76")), ("40", Decimal("0.095"))]


def test_an_ad_that_aired_later_was_not_heard_before(world: MoneyWorld) -> None:
    world.add("Show", AttributionConfig(method="pixel"), episodes=(0,), air_day=10)
    world.hear(Heard("203.0.113.7", at(5)), Heard("203.0.113.8", at(12)))
    tell(world, order(1, 20, ip_address="203.0.113.7"), order(2, 20, ip_address="203.0.113.8"))
    run(world)
    assert [row[0] for row in load_credits(world)] == ["2"]


def test_one_order_told_by_several_doors_is_credited_once_with_all_its_evidence(world: MoneyWorld) -> None:
    world.add("Spring", CODE)
    pixel = ConversionInput(at(5), "purchase", order_id="1", ip_address="203.0.113.9", sponsor="Acme")
    tell(world, pixel, source="pixel")
    tell(world, order(1, 5.5, promo_code="spring"), source="csv")
    tell(world, order(1, 6), source="api")
    result = run(world)
    assert (result.orders, result.attributed) == (1, 1)
    assert load_credits(world) == [("1", "Spring", "promo_code", "promo_code", "confirmed", ONE)]
    with world.store.account(world.owner_id) as connection:
        rows = connection.execute(
            "select timestamp, conversion_data, metadata ->> 'told_count' from my_attribution_events"
        )
        assert rows.fetchall() == [
            (
                at(5),
                {
                    "conversion_type": "purchase",
                    "conversion_value": Decimal("99.95"),
                    "currency": "USD",
                    "order_id": "1",
                },
                "3",
            )
        ]


def test_credits_of_an_order_sum_to_one_as_the_exact_split_has_it(world: MoneyWorld) -> None:
    for number in range(7):
        world.add(f"Campaign {number}", AttributionConfig(method="pixel"))
    world.hear(Heard("203.0.113.7", at(1)))
    tell(world, order(1, 5, ip_address="203.0.113.7"))
    run(world)
    with world.store.account(world.owner_id) as connection:
        found = dict(connection.execute("select campaign_id, credit from my_attribution_events").fetchall())
    assert found == split_by_weight(ONE, dict.fromkeys(found, ONE), Decimal("0.0000000001"))


def test_nothing_changes_when_nothing_changed(world: MoneyWorld) -> None:
    world.add("Spring", CODE)
    tell(world, order(1, 5, promo_code="spring"), order(2, 6, promo_code="spring"))
    first, rows = run(world), everything(world)
    again = run(world)
    assert (first.written, first.removed, first.unchanged) == (2, 0, 0)
    assert (again.written, again.removed, again.unchanged) == (0, 0, 2)
    assert everything(world) == rows


def test_credit_moves_when_a_stronger_key_comes_late(world: MoneyWorld) -> None:
    world.add("Show", AttributionConfig(method="pixel"))
    world.add("Spring", CODE)
    world.hear(Heard("203.0.113.7", at(1)))
    tell(world, order(1, 5, ip_address="203.0.113.7"), source="pixel")
    run(world)
    assert [row[1] for row in load_credits(world)] == ["Show", "Spring"]
    tell(world, order(1, 5, promo_code="spring"), source="csv")
    result = run(world)
    assert [row[1:3] for row in load_credits(world)] == [("Spring", "promo_code")]
    assert result.removed == 2


def test_any_order_of_arrival_gives_the_same_rows(store: Store, account: User, world: MoneyWorld) -> None:
    world.add("Show", AttributionConfig(method="pixel"))
    world.add("Spring", CODE)
    heard = [Heard(f"203.0.113.{n % 5}", at(n % 9), episode=n % 3, agent=f"a{n % 4}") for n in range(40)]
    rows: list[ConversionInput] = [
        order(
            n // 2,
            10 + n % 7,
            source_key=f"k{n}",
            ip_address=f"203.0.113.{n % 6}",
            promo_code="spring" if n % 4 == 0 else None,
            email_hash=bytes([n % 5]) * 32,
        )
        for n in range(60)
    ]
    _arrive(world, rows[:30], heard[:20])
    _arrive(world, rows[30:], heard[20:])
    seen = everything(world)
    assert len(seen) > 20
    with store.ingest(world.owner_id) as connection:
        connection.execute("delete from attribution_events where campaign_id = any(%s)", (list(world.campaign_ids),))
        for table in ("refunds", "conversions"):
            connection.execute(f"delete from {table} where user_id = %s", (world.owner_id,))
        connection.execute("delete from listener_events where podcast_id = %s", (world.podcast_id,))
    shuffler = Random(7)  # noqa: S311  # a shuffle that can be repeated
    shuffler.shuffle(rows)
    shuffler.shuffle(heard)
    for part in range(3):
        _arrive(world, rows[part::3] + rows[:5], heard[part::3])
    assert everything(world) == seen


def _arrive(world: MoneyWorld, rows: Sequence[ConversionInput], heard: Sequence[Heard]) -> None:
    world.hear(*heard)
    tell(world, *rows)
    run(world)


def test_credit_that_rests_on_deleted_listening_stays(store: Store, world: MoneyWorld) -> None:
    # Partitions are shared by the accounts of a store; these weeks lie in a year of their own.
    world.add("Show", AttributionConfig(method="pixel"), start=-2500)
    world.hear(Heard("203.0.113.7", at(-2499)))
    tell(world, order(1, -2495, ip_address="203.0.113.7"))
    run(world)
    rows = everything(world)
    assert len(rows) == 1
    with store.owner() as connection:
        for partition in list_partitions(connection):
            if partition.table == "listener_events" and partition.first_on <= at(-2499).date() < partition.end_on:
                drop_partition(connection, partition)
    result = run(world)
    assert (result.frozen, result.written, result.removed) == (1, 0, 0)
    assert everything(world) == rows


def test_two_accounts_never_share_credit(store: Store, world: MoneyWorld) -> None:
    other = make_money_world(store, make_account(store).user_id)
    for place in (world, other):
        place.add("Spring", CODE)
        tell(place, order(1, 5, promo_code="spring"))
    run(world)
    assert (len(load_credits(world)), len(load_credits(other))) == (1, 0)


def test_texts_of_any_kind_pass_through(world: MoneyWorld) -> None:
    nasty = "a\"b\n,c\\N\r\n'; drop table"
    world.add("Spring", AttributionConfig(promo_code=nasty))
    tell(world, order(1, 5, promo_code=nasty.strip(), external_user_id=nasty, product_id="\\N", referrer='"'))
    run(world)
    with world.store.account(world.owner_id) as connection:
        rows = connection.execute(
            "select user_id, conversion_data ->> 'product_id', attribution_data ->> 'referrer'"
            " from my_attribution_events"
        ).fetchall()
    assert rows == [(nasty, "\\N", '"')]


def test_saved_listening_is_what_was_asked_for(world: MoneyWorld) -> None:
    ids: list[UUID] = save_heard(world, [Heard("203.0.113.7", at(1)), Heard("203.0.113.7", at(1), episode=2)])
    assert len(set(ids)) == 2
