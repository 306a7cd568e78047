"""Who downloaded an episode without a campaign's ad was not exposed to it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from psycopg.types.json import Jsonb

from castline.attribute.engine import attribute
from castline.ingest.conversions.receive import receive_conversions
from castline.ingest.places import listener_key
from castline.model.account import User
from castline.model.campaign import AttributionConfig
from castline.model.conversion import ConversionInput
from castline.store.pool import Store
from make_money import Heard, make_money_world

pytestmark = pytest.mark.store
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_download_that_missed_the_ad_exposes_nobody_to_it(store: Store, account: User) -> None:
    world = make_money_world(store, account.user_id)
    show, other = (world.add(name, AttributionConfig(method="pixel")).campaign_id for name in ("Show", "Other show"))
    addresses = [f"203.0.113.{number}" for number in range(1, 5)]
    world.hear(*(Heard(address, NOON) for address in addresses))
    orders = [
        ConversionInput(
            occurred_at=NOON + timedelta(days=19),
            order_id=str(number),
            conversion_value=Decimal(10),
            currency="USD",
            sponsor="Acme",
            ip_address=address,
        )
        for number, address in enumerate(addresses, start=1)
    ]
    receive_conversions(store, account.user_id, orders, source="api", content_hash=bytes(32), name="orders")
    # Nothing known; one missed; the other delivered, this one not known; missed once and delivered once.
    facts = [
        {},
        {"ads_missed": [str(show)], "ads_delivered": [str(other)]},
        {"ads_delivered": [str(other)], "ads_unknown": [str(show)]},
        {"ads_missed": [str(show)], "ads_delivered": [str(other), str(show)]},
    ]
    with store.ingest(account.user_id) as connection:
        for address, told in zip(addresses, facts, strict=True):
            carried = other if told.get("ads_delivered") == [str(other)] else None
            connection.execute(
                "update listener_events set metadata = %s, campaign_id = %s where listener_key = %s",
                (Jsonb(told), carried, listener_key(store.settings, account.user_id, address)),
            )
    attribute(store, account.user_id)
    with store.account(account.user_id) as connection:
        rows = connection.execute(
            "select conversion_data ->> 'order_id', string_agg(name, ', ' order by name)"
            " from my_attribution_events join campaigns using (campaign_id) group by 1 order by 1"
        ).fetchall()
    both = "Other show, Show"
    assert rows == [("1", both), ("2", "Other show"), ("3", both), ("4", both)]
