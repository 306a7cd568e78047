"""Amounts of one currency in another, at the rate of a day. Method: docs/method/money.md"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

from castline.base.money import minor_unit
from castline.model.roi import ExchangeRate

STALE_DAYS: Final = 7  # central banks publish no rates on weekends and holidays; a week's silence is an error
_DIGITS: Final = 60  # an amount of 14 digits times a rate of 24 is exact, and a quotient is rounded once


class Rates:
    """The rates on record, asked by pair and day."""

    def __init__(self, rates: Iterable[ExchangeRate]) -> None:
        self._rates = {(rate.base, rate.quote, rate.rate_on): rate.rate for rate in rates}

    def convert(self, amount: Decimal, currency: str, wanted: str, day: date) -> Decimal | None:
        """The amount in the wanted currency, to its minor unit, half to even; None for want of a rate.

        The rate is the day's own, else the last one of the seven days before; on one day the pair as asked goes before
        its inverse. There is no detour over a third currency.
        """
        if currency == wanted:
            return amount.quantize(minor_unit(wanted), ROUND_HALF_EVEN)
        for back in range(STALE_DAYS + 1):
            on = day - timedelta(days=back)
            if (rate := self._rates.get((currency, wanted, on))) is not None:
                return _to_minor_unit(amount, rate, Decimal(1), wanted)
            if (rate := self._rates.get((wanted, currency, on))) is not None:
                return _to_minor_unit(amount, Decimal(1), rate, wanted)
        return None


def _to_minor_unit(amount: Decimal, factor: Decimal, divisor: Decimal, currency: str) -> Decimal:
    with localcontext(prec=_DIGITS):
        return (amount * factor / divisor).quantize(minor_unit(currency), ROUND_HALF_EVEN)
