"""Money is exact to the minor unit of its currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.base.errors import InvalidInput
from castline.base.money import Money, check_currency, minor_unit, parse_amount, split_by_weight


@pytest.mark.parametrize(("currency", "unit"), [("USD", "0.01"), ("JPY", "1"), ("KWD", "0.001")])
def test_a_currency_has_its_minor_unit(currency: str, unit: str) -> None:
    assert minor_unit(currency) == Decimal(unit)


def test_an_unknown_currency_is_refused_with_its_field() -> None:
    with pytest.raises(InvalidInput, match=r"^currency: 'USX' is no ISO 4217"):
        check_currency("USX")


def test_currencies_never_mix() -> None:
    with pytest.raises(InvalidInput, match="EUR cannot be added to USD"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")


def test_a_conversion_is_rounded_half_to_even_in_the_target_currency() -> None:
    assert Money(Decimal("10.00"), "EUR").converted(Decimal("163.25"), "JPY") == Money(Decimal(1632), "JPY")


@pytest.mark.parametrize("text", ["", "12,50", "NaN", "Infinity", "1e", "ten"])
def test_what_is_no_amount_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^value: "):
        parse_amount(text, field="value")


def test_a_split_gives_leftover_units_to_the_largest_remainders() -> None:
    # 10.00 by 1:1:1 is 3.333.. each: 3.33 three times leaves one cent, all remainders tie, the first key gets it.
    shares = split_by_weight(Decimal("10.00"), {"a": Decimal(1), "b": Decimal(1), "c": Decimal(1)}, Decimal("0.01"))
    assert shares == {"a": Decimal("3.34"), "b": Decimal("3.33"), "c": Decimal("3.33")}


def test_a_split_of_a_refund_is_exact_too() -> None:
    shares = split_by_weight(Decimal("-0.01"), {"a": Decimal(1), "b": Decimal(2)}, Decimal("0.01"))
    assert sum(shares.values()) == Decimal("-0.01")


@given(
    st.integers(-(10**12), 10**12),
    st.dictionaries(st.text(max_size=3), st.decimals(0, 1000, places=4), min_size=1).filter(lambda w: sum(w.values())),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_shares_sum_to_the_whole_and_are_off_by_less_than_a_unit(
    units: int, weights: dict[str, Decimal], currency: str
) -> None:
    unit = minor_unit(currency)
    total = units * unit
    shares = split_by_weight(total, weights, unit)
    assert sum(shares.values()) == total
    whole = sum(weights.values())
    assert all(abs(shares[key] - total * weights[key] / whole) <= unit for key in weights)
