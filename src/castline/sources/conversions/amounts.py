"""Amounts as people type them: with the sign or the code of a currency, groups of thousands, a point or a comma.

What could be two amounts, or of two currencies, is refused: an amount is never guessed.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from castline.base.errors import InvalidInput
from castline.base.money import CURRENCIES, minor_unit

_DOLLARS: Final = (
    "USD ARS AUD BBD BMD BND BSD BZD CAD CLP COP CVE DOP FJD GYD HKD JMD KYD LRD MXN NAD NIO NZD SBD SGD SRD TTD TWD"
    " UYU XCD"
)
# Sign -> the currencies that write it; a sign of several tells none by itself, one of one tells it.
_SIGNS: Final = {
    sign: frozenset(codes.split())
    for sign, codes in {
        "$": _DOLLARS,
        "US$": "USD",
        "A$": "AUD",
        "AU$": "AUD",
        "C$": "CAD NIO",
        "CA$": "CAD",
        "HK$": "HKD",
        "MX$": "MXN",
        "NT$": "TWD",
        "NZ$": "NZD",
        "R$": "BRL",
        "S$": "SGD",
        "€": "EUR",
        "£": "GBP EGP FKP GIP LBP SDG SHP SSP SYP",
        "¥": "JPY CNY",
        "円": "JPY",
        "元": "CNY HKD TWD",
        "₩": "KRW KPW",
        "₹": "INR",
        "₽": "RUB",
        "₺": "TRY",
        "TL": "TRY",
        "₴": "UAH",
        "₫": "VND",
        "₦": "NGN",
        "₱": "PHP",
        "₪": "ILS",
        "฿": "THB",
        "₡": "CRC",
        "₲": "PYG",
        "₵": "GHS",
        "₸": "KZT",
        "₾": "GEL",
        "₼": "AZN",
        "₮": "MNT",
        "zł": "PLN",
        "Kč": "CZK",
        "Ft": "HUF",
        "lei": "RON MDL",
        "kr": "SEK DKK ISK NOK",
        "Fr": "CHF CDF XAF XOF XPF",
        "Rp": "IDR",
        "RM": "MYR",
        "R": "ZAR",
    }.items()
}
# £ is told for the pound sterling everywhere; the others that write it are taken where the row names them.
_TOLD: Final = {"£": "GBP"}
_USUAL: Final = {"USD", "CAD", "AUD", "JPY", "CNY", "SEK", "NOK", "DKK", "CHF"}  # named first where a sign is of many
_SIGN: Final = r"[^\W\d_]{1,4}\.?|[^\W\d_]{0,3}[^\w\s.,'\u2019+()\u2212-]"
_WRITTEN: Final = re.compile(
    rf"(?P<minus>[+\u2212-]?)\s*(?P<before>{_SIGN})?\s*(?P<inner>[+\u2212-]?)(?P<digits>\d(?:.*\d)?)\s*(?P<after>{_SIGN})?"
    rf"(?:\s+(?P<last>[A-Z]{{3}}))?"
)
_WIDE: Final = 0xFEE0  # from a full-width form, as Japanese exports have them, to its ASCII character
_PLAINER: Final = {
    **{code: chr(code - _WIDE) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0xA0, 0x2009, 0x202F, 0x3000), " "),
    0xFFE5: "¥",
    0xFFE1: "£",
}
_IN_BRACKETS: Final = re.compile(r"\(([^()+\u2212-]+)\)")  # how books write what is below zero
_PLAIN: Final = re.compile(r"\d+(\.\d+)?")
_GROUPED: Final = re.compile(r"(\d{1,3})((?:([.,' \u2019])\d{3})(?:\3\d{3})*)(?:([.,])(\d+))?")
_COMMA: Final = re.compile(r"(\d+),(\d+)")
_THREE: Final = 3


@dataclass(frozen=True, slots=True)
class MoneyText:
    """A typed amount, taken apart: digits with separators, whether it is below zero, and its signs of currency."""

    text: str
    digits: str
    is_negative: bool
    signs: tuple[str, ...]


def parse_money_text(text: str, *, field: str) -> MoneyText:
    """The parts of `$1,234.50`, `1.234,50 €`, `EUR 12`, `-$5`, `(5.00)` or `$12.50 USD`. Raises InvalidInput."""
    plain = text.translate(_PLAINER).strip()
    brackets = _IN_BRACKETS.fullmatch(plain)
    found = _WRITTEN.fullmatch(brackets[1].strip() if brackets else plain)
    if found is None or (found["minus"] and found["inner"]):
        raise InvalidInput(field=field, detail=f"{text[:40]!r} is no amount, such as 99.95")
    signs = [found[name] for name in ("before", "after", "last") if found[name]]
    for sign in signs:
        if not _currencies_of(sign):
            detail = f"{text[:40]!r}: {sign!r} is no sign of a currency; write 99.95, and USD in a column `currency`"
            raise InvalidInput(field=field, detail=detail)
    minus = found["minus"] or found["inner"]
    return MoneyText(text, found["digits"], bool(brackets) or minus in {"-", "\u2212"}, tuple(signs))


def choose_currency(money: MoneyText, named: str | None, default: str | None, *, field: str) -> str | None:
    """The currency of the amount: that which the row names, else the one its sign tells, else the default.

    Raises InvalidInput where the sign is not of that currency, or is of several and nothing says which.
    """
    if not money.signs:
        return named or default
    fitting = frozenset.intersection(*(_currencies_of(sign) for sign in money.signs))
    chosen = named or _told(money.signs, fitting) or default
    if chosen is None and fitting:
        some = ", ".join(sorted(fitting, key=lambda code: (code not in _USUAL, code))[:4])
        detail = f"is missing: {money.signs[0]!r} is written for {some}; add a column `currency`, or give --currency"
        raise InvalidInput(field="currency", detail=detail)
    if chosen not in fitting:
        whose = f"the currency {named or default} of the row" if fitting else "itself"
        detail = f"{money.text[:40]!r} contradicts {whose}; correct the one that is wrong"
        raise InvalidInput(field=field, detail=detail)
    return chosen


def parse_digits(money: MoneyText, currency: str | None, *, field: str) -> Decimal:
    """The number, with a decimal point or comma and groups of thousands.

    One separator before exactly three digits is both in the world: 1,234 is refused, unless the currency decides: one
    without a minor unit has no fractions, and one with three decimals writes 1.234. Raises InvalidInput.
    """
    number = _parse_number(money, currency, field)
    return -number if money.is_negative else number


def _parse_number(money: MoneyText, currency: str | None, field: str) -> Decimal:
    text = money.digits
    grouped = _GROUPED.fullmatch(text)
    if grouped and grouped[3] != grouped[4]:
        unit = None if currency is None else minor_unit(currency)
        is_single = len(grouped[2]) == _THREE + 1 and grouped[4] is None and grouped[3] in ".,"
        if not is_single or (unit == 1 and grouped[1] != "0"):
            digits = re.sub(r"\D", "", grouped[2])
            return Decimal(f"{grouped[1]}{digits}.{grouped[5] or '0'}")
        if grouped[1] != "0" and not (unit == Decimal("0.001") and grouped[3] == "."):
            detail = f"{money.text[:40]!r} could be one thousand or a fraction; write it plainly, such as 1234.00"
            raise InvalidInput(field=field, detail=detail)
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if comma := _COMMA.fullmatch(text):
        return Decimal(f"{comma[1]}.{comma[2]}")
    raise InvalidInput(field=field, detail=f"{money.text[:40]!r} is no amount, such as 99.95")


def _currencies_of(sign: str) -> frozenset[str]:
    if sign in CURRENCIES:
        return frozenset({sign})
    return _SIGNS.get(sign.removesuffix("."), frozenset())


def _told(signs: tuple[str, ...], fitting: frozenset[str]) -> str | None:
    if len(fitting) == 1:
        return next(iter(fitting))
    return next((_TOLD[sign] for sign in signs if sign in _TOLD and _TOLD[sign] in fitting), None)
