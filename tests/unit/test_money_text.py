"""Amounts as people type them: what was meant comes back, and what could be two things is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from castline.base.errors import InvalidInput
from castline.base.money import CURRENCIES, minor_unit
from castline.sources.conversions.amounts import choose_currency, parse_digits, parse_money_text

SIGN_OF = {
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "JPY": "¥",
    "PLN": "zł",
    "SEK": "kr",
    "BRL": "R$",
    "CHF": "Fr.",
    "INR": "₹",
}
STYLES = [(",", "."), (".", ","), (" ", ","), ("'", "."), ("\u2019", "."), ("\u00a0", ","), ("\u202f", ","), ("", ".")]


def read(text: str, named: str | None = None, default: str | None = None) -> tuple[Decimal, str | None]:
    money = parse_money_text(text, field="value")
    currency = choose_currency(money, named, default, field="value")
    return parse_digits(money, currency, field="value"), currency


def write(amount: Decimal, style: tuple[str, str]) -> str:
    """The amount with two decimals and groups of thousands."""
    return f"{abs(amount):,.2f}".replace(",", "G").replace(".", style[1]).replace("G", style[0])


@given(
    amount=st.decimals(Decimal("-99999999.99"), Decimal("99999999.99"), places=2),
    style=st.sampled_from(STYLES),
    currency=st.sampled_from(sorted(SIGN_OF)),
    place=st.sampled_from(
        ["{minus}{sign}{digits}", "{minus}{sign} {digits}", "{sign}{minus}{digits}", "{minus}{digits} {sign}"]
    ),
    is_code=st.booleans(),
)
def test_whatever_is_written_with_its_currency_is_read_as_it_was_meant(
    amount: Decimal, style: tuple[str, str], currency: str, place: str, is_code: bool
) -> None:
    sign = currency if is_code else SIGN_OF[currency]
    text = place.format(minus="-" if amount < 0 else "", sign=sign, digits=write(amount, style))
    assert read(text, named=currency) == (amount, currency)
    if is_code:
        assert read(text) == (amount, currency)


@given(currency=st.sampled_from(sorted(CURRENCIES)), other=st.sampled_from(sorted(CURRENCIES)))
def test_a_code_that_contradicts_the_row_is_refused(currency: str, other: str) -> None:
    if currency == other:
        assert read(f"{currency} 12.50", named=other) == (Decimal("12.50"), currency)
        return
    with pytest.raises(InvalidInput, match=f"contradicts the currency {other}"):
        read(f"{currency} 12.50", named=other)


@given(st.text(max_size=20), st.sampled_from([None, "USD", "JPY", "KWD"]))
def test_any_text_is_an_amount_or_refused(text: str, named: str | None) -> None:
    try:
        amount, _ = read(text, named)
    except InvalidInput:
        return
    assert amount.is_finite()


@given(st.integers(1, 999), st.integers(0, 999), st.sampled_from(",."), st.sampled_from(sorted(CURRENCIES)))
def test_one_separator_before_three_digits_is_read_only_where_the_currency_decides(
    head: int, tail: int, separator: str, currency: str
) -> None:
    text, unit = f"{head}{separator}{tail:03}", minor_unit(currency)
    if unit == 1:
        assert read(text, currency) == (Decimal(head * 1000 + tail), currency)
    elif unit == Decimal("0.001") and separator == ".":
        assert read(text, currency) == (Decimal(text), currency)
    else:
        with pytest.raises(InvalidInput, match="one thousand or a fraction"):
            read(text, currency)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("US$1,234.50", ("1234.50", "USD")),
        ("R$ 1.234,50", ("1234.50", "BRL")),
        ("CHF 1'234.50", ("1234.50", "CHF")),
        ("(12.50 EUR)", ("-12.50", "EUR")),
        ("\u2212€5", ("-5", "EUR")),
        ("１，２３４．５０円", ("1234.50", "JPY")),
        ("₹1,00,000.00", None),
        ("￥1,200 JPY", ("1200", "JPY")),
        ("12%", None),
        ("12 apples", None),
        ("$5 EUR", None),
        ("--5 €", None),
        ("€", None),
        ("5²", None),
        ("all 12", None),
    ],
)
def test_forms_of_the_world(text: str, meant: tuple[str, str] | None) -> None:
    if meant is None:
        with pytest.raises(InvalidInput):
            read(text)
    else:
        assert read(text) == (Decimal(meant[0]), meant[1])
