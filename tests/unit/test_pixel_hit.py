"""What a pixel's address tells, and what it may not tell."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from castline.base.errors import InvalidInput
from castline.model.conversion import ConversionInput
from castline.sources.conversions.pixel_hit import PixelHit, parse_hit
from make import make_id

HIT = PixelHit(
    hit_id=make_id(1),
    campaign_id=make_id(2),
    occurred_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    parameters={},
    address="192.0.2.7",
    user_agent="Mozilla/5.0",
    referrer="https://shop.example/page?utm_campaign=FOX&utm_source=podcast&q=1#top",
    asked_for_privacy=False,
)


def read(**parameters: str) -> ConversionInput:
    value = parse_hit(replace(HIT, parameters=parameters), "Sponsor")
    assert isinstance(value, ConversionInput)
    return value


def test_a_hit_without_an_order_is_a_visit_with_the_pages_utm_values() -> None:
    assert read() == ConversionInput(
        occurred_at=HIT.occurred_at,
        conversion_type="visit",
        source_key=str(HIT.hit_id),
        utm_source="podcast",
        utm_campaign="FOX",
        sponsor="Sponsor",
        ip_address="192.0.2.7",
        user_agent="Mozilla/5.0",
        referrer="https://shop.example/page?utm_campaign=FOX&utm_source=podcast&q=1#top",
        metadata={
            "pixel_id": str(HIT.campaign_id),
            "page": "https://shop.example/page?utm_campaign=FOX&utm_source=podcast&q=1",
        },
    )


def test_an_order_is_known_by_its_number_however_often_the_page_is_loaded() -> None:
    value = read(order_id="A-1", value="79.90", currency="usd", code="FOX20", dl="https://shop.example/thanks")
    assert (value.conversion_type, value.order_id, value.source_key) == ("purchase", "A-1", None)
    assert (value.conversion_value, value.currency, value.promo_code) == (Decimal("79.9000"), "USD", "FOX20")
    assert (value.utm_campaign, value.referrer) == (None, "https://shop.example/thanks")


def test_parameters_win_over_the_pages_address() -> None:
    value = read(utm_campaign="OTHER", dl="https://shop.example/?utm_campaign=PAGE&utm_medium=audio")
    assert (value.utm_campaign, value.utm_medium) == ("OTHER", "audio")


def test_a_page_cannot_name_a_campaign_a_sponsor_or_an_address() -> None:
    value = read(campaign=str(make_id(9)), sponsor="Other", ip="198.51.100.1", ua="Bot", email="a@example.org")
    assert (value.campaign, value.sponsor, value.ip_address, value.user_agent, value.email_hash) == (
        None,
        "Sponsor",
        "192.0.2.7",
        "Mozilla/5.0",
        None,
    )


def test_what_it_does_not_know_is_ignored() -> None:
    assert read(cachebuster="8125", gclid="x") == read()


def test_an_event_can_be_told_later_than_it_happened_but_not_before() -> None:
    assert read(at="2026-02-01T10:00:00Z").occurred_at == datetime(2026, 2, 1, 10, tzinfo=UTC)
    for wrong in ("2026-03-01T09:40:00Z", "2025-03-01", "soon"):
        with pytest.raises(InvalidInput):
            read(at=wrong)


def test_the_wish_for_privacy_is_kept_beside_the_hit() -> None:
    value = parse_hit(replace(HIT, address=None, user_agent=None, asked_for_privacy=True), "Sponsor")
    assert isinstance(value, ConversionInput)
    assert (value.ip_address, value.user_agent, value.metadata["privacy"]) == (None, None, "asked for")


@pytest.mark.parametrize("page", ["https://[bad", "not an address", "", "https://x/?" + "a=1&" * 500])
def test_a_page_address_that_is_none_does_no_harm(page: str) -> None:
    assert parse_hit(replace(HIT, referrer=page), "Sponsor")
