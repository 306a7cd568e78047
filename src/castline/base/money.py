"""Exact money: Decimal amounts, ISO 4217 currencies, splits that sum to the minor unit."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final, TypeVar

from castline.base.errors import InvalidInput

K = TypeVar("K", bound=Hashable)

# ISO 4217 active codes (list one, 2026-01-01) by number of minor digits; every code not named here has two.
_ZERO_DIGITS: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_THREE_DIGITS: Final = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO_DIGITS: Final = frozenset(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP"
    " CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES"
    " KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK"
    " NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB"
    " TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG".split()
)
CURRENCIES: Final = _ZERO_DIGITS | _TWO_DIGITS | _THREE_DIGITS


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency: 0.01 for USD, 1 for JPY, 0.001 for KWD."""
    if currency in _ZERO_DIGITS:
        return Decimal(1)
    return Decimal("0.001") if currency in _THREE_DIGITS else Decimal("0.01")


def check_currency(code: str, *, field: str = "currency") -> str:
    """The ISO 4217 code in capitals. Raises InvalidInput if there is no such currency."""
    currency = code.strip().upper()
    if currency not in CURRENCIES:
        raise InvalidInput(field=field, detail=f"{code!r} is no ISO 4217 currency code, such as USD")
    return currency


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency; amounts of different currencies never mix."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        check_currency(self.currency)
        if not self.amount.is_finite():
            raise InvalidInput(field="amount", detail="must be a finite number")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.rounded().amount:,} {self.currency}"

    def rounded(self) -> "Money":
        """The amount to the minor unit, half to even."""
        return Money(self.amount.quantize(minor_unit(self.currency), ROUND_HALF_EVEN), self.currency)

    def converted(self, rate: Decimal, currency: str) -> "Money":
        """The amount at `rate` units of `currency` per unit of this one, to the minor unit."""
        return Money(self.amount * rate, currency).rounded()

    def _same(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise InvalidInput(field="currency", detail=f"{other.currency} cannot be added to {self.currency}")
        return other.amount


def parse_amount(text: str, *, field: str) -> Decimal:
    """A finite Decimal from plain digits with an optional sign and point. Raises InvalidInput."""
    try:
        # Decimal reads underscores as Python's source does; nobody writes amounts so.
        amount = Decimal(text.strip().replace("_", "?"))
    except InvalidOperation:
        raise InvalidInput(field=field, detail=f"{text!r} is no amount, such as 99.95") from None
    if not amount.is_finite():
        raise InvalidInput(field=field, detail=f"{text!r} is no finite amount")
    return amount


def split_by_weight(total: Decimal, weights: Mapping[K, Decimal], unit: Decimal) -> dict[K, Decimal]:
    """Shares of `total` in proportion to `weights`, multiples of `unit` that sum to `total` exactly.

    `total` is a multiple of `unit` (it may be negative). Leftover units go to the largest remainders, ties to the
    smaller key by its text. Raises InvalidInput if there is no positive weight.
    """
    whole = sum(weights.values(), Decimal(0))
    if whole <= 0 or any(weight < 0 for weight in weights.values()):
        raise InvalidInput(field="weights", detail="need one positive weight and none below zero")
    units = total / unit
    exact = {key: units * weight / whole for key, weight in weights.items()}
    shares = {key: value.to_integral_value(ROUND_FLOOR) for key, value in exact.items()}
    left = int(units - sum(shares.values()))
    order = sorted(exact, key=lambda key: (shares[key] - exact[key], str(key)))
    for key in order[:left]:
        shares[key] += 1
    return {key: share * unit for key, share in shares.items()}
