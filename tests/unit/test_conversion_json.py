"""Conversions as JSON bodies."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.base.errors import InvalidInput
from castline.ingest.scrub import scrub_payload
from castline.model.conversion import ConversionInput, RefundInput
from castline.sources.conversions.fields import Parsed, hash_email
from castline.sources.conversions.json import parse_conversion, render_conversion
from castline.store.payload import decode_json, encode_json

TIME = "2026-03-01T09:30:00Z"


def test_a_body_is_a_conversion() -> None:
    body = {"occurred_at": TIME, "order_id": 7, "value": Decimal("9.5"), "currency": "eur", "metadata": {"a": [1]}}
    assert parse_conversion(body) == ConversionInput(
        occurred_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        order_id="7",
        conversion_value=Decimal("9.5"),
        currency="EUR",
        metadata={"a": [1]},
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "occurred_at"),
        ({"occurred_at": TIME, "promocod": "X"}, "promocod"),
        ({"occurred_at": TIME, "value": 1}, "currency"),
        ({"occurred_at": TIME, "value": True, "currency": "USD"}, "conversion_value"),
        ({"occurred_at": TIME, "value": 10**12, "currency": "USD"}, "conversion_value"),
        ({"occurred_at": TIME, "value": -1, "currency": "USD"}, "conversion_value"),
        ({"occurred_at": TIME, "value": 1, "revenue": 2, "currency": "USD"}, "revenue"),
        ({"occurred_at": TIME, "order_id": {"a": 1}}, "order_id"),
        ({"occurred_at": TIME, "order_id": "a\0b"}, "order_id"),
        ({"occurred_at": TIME, "order_id": "\ud800"}, "order_id"),
        ({"occurred_at": TIME, "order_id": "x" * 256}, "order_id"),
        ({"occurred_at": TIME, "metadata": {"a": "\0"}}, "metadata.a"),
        ({"occurred_at": TIME, "metadata": 3}, "metadata"),
        ({"occurred_at": TIME, "type": "dance"}, "conversion_type"),
        ({"occurred_at": TIME, "type": "refund", "amount": 1, "currency": "USD"}, "order_id"),
        ({"occurred_at": TIME, "type": "refund", "order_id": "1", "currency": "USD"}, "amount"),
        ({"occurred_at": TIME, "type": "refund", "order_id": "1", "amount": 0, "currency": "USD"}, "amount"),
        ({"occurred_at": TIME, "email_hash": "abc"}, "email_hash"),
    ],
)
def test_a_body_that_cannot_be_read_names_its_field(body: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_conversion(body)
    assert caught.value.facts["field"] == field


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(str.strip)
money = st.decimals(0, 10**6, places=4, allow_nan=False)


@st.composite
def parsed(draw: st.DrawFn) -> Parsed:
    at = draw(st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
    if draw(st.booleans()):
        amount = draw(money.filter(bool))
        return RefundInput(draw(words.filter(bool)), at, -amount, "USD", source_key=draw(words) or None)
    value = draw(st.none() | money)
    return ConversionInput(
        occurred_at=at,
        conversion_value=value,
        currency=None if value is None else "JPY",
        order_id=draw(words) or None,
        promo_code=draw(words) or None,
        email_hash=draw(st.none() | st.binary(min_size=32, max_size=32)),
        campaign=draw(words) or None,
        metadata=draw(st.dictionaries(words, words | st.integers(-99, 99), max_size=3)),
    )


@given(parsed())
def test_what_is_rendered_is_read_again(value: Parsed) -> None:
    assert parse_conversion(decode_json(encode_json(render_conversion(value)))) == value


def test_a_scrubbed_row_names_nobody_and_reads_as_the_same_person() -> None:
    text = '1,ada@example.org,203.0.113.77,2026-03-01T09:30:00Z,2001:db8:1:2::9,"10.50"'
    scrubbed = scrub_payload(text, "truncated")
    digest = hash_email("ada@example.org").hex()
    assert scrubbed == f'1,{digest},203.0.113.0/24,2026-03-01T09:30:00Z,2001:db8:1::/48,"10.50"'
    assert scrub_payload(scrubbed, "truncated") == scrubbed
    assert scrub_payload(text, "none") == f'1,{digest},,2026-03-01T09:30:00Z,,"10.50"'
    assert "203.0.113.77" in scrub_payload(text, "full")
