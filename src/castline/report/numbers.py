"""Values as people read them. Digits come from the exact value; nothing is computed here."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from castline.base.money import Money
from castline.model.figures import Missing, Term, Unit, Value

NO_VALUE: Final = "\N{EM DASH}"
MINUS: Final = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Scale:
    """How many digits a unit shows after the point, and what stands behind them."""

    digits: int
    suffix: str = ""
    factor: int = 1


SCALES: Final[dict[Unit, Scale]] = {
    "share": Scale(2),
    "rate": Scale(1, "\N{NO-BREAK SPACE}%", 100),
    "ratio": Scale(2, "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}"),
}


def format_value(value: Value, unit: Unit, currency: str) -> str:
    """The value for reading: `12,345`, `1,234.50`, `46.7 %`, `2 Mar 2026`; a dash where there is none."""
    if isinstance(value, Missing):
        return NO_VALUE
    if isinstance(value, datetime):
        return f"{_day(value)} {value:%H:%M} UTC"
    if isinstance(value, date):
        return _day(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Term):
        return value.word
    return _number(Decimal(value), unit, currency).replace("-", MINUS)


def _number(value: Decimal, unit: Unit, currency: str) -> str:
    if unit == "money":
        return f"{Money(value, currency).rounded().amount:,f}"
    scale = SCALES.get(unit, Scale(0))
    shown = (value * scale.factor).quantize(Decimal(1).scaleb(-scale.digits), ROUND_HALF_EVEN)
    if unit == "share":  # a share of an order shows its fraction only where it has one
        return f"{shown:,f}".rstrip("0").rstrip(".")
    return f"{shown:,f}{scale.suffix}"


def _day(moment: date) -> str:
    return f"{moment.day} {moment:%b %Y}"
