"""Numbers as pages write them: below zero with the minus sign that reports have, nothing as a dash."""

from decimal import Decimal

from castline.report.numbers import format_value
from castline.web.pages.render import show_money, show_rate


def test_what_is_below_zero_has_the_minus_of_the_reports() -> None:
    assert show_rate(Decimal(-1)) == "\N{MINUS SIGN}100.0 %"
    assert show_money(Decimal("-1234.5"), "USD") == "\N{MINUS SIGN}1,234.50 USD"
    assert format_value(Decimal("-1234.5"), "money", "USD") == "\N{MINUS SIGN}1,234.50"


def test_what_is_not_known_is_a_dash() -> None:
    assert (show_rate(None), show_money(None, "USD")) == ("\N{EM DASH}", "\N{EM DASH}")
