"""The arithmetic of a report done a second time, by other code and in fractions, before anybody sees the first."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from itertools import pairwise

from castline.base.errors import EXIT_QUALITY, Terminal
from castline.base.money import minor_unit
from castline.model.figures import PlayedAds, ReportFigures
from castline.model.roi import RoiFigures

Number = int | Decimal


class FiguresDiffer(Terminal):
    """The report's figures do not agree with their inputs: {detail}"""

    fix = "Nothing was written. This is a defect of castline, or the figures were changed by hand."
    exit_code = EXIT_QUALITY


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not what its inputs give."""

    name: str
    stated: str
    computed: str

    def __str__(self) -> str:
        return f"{self.name} says {self.stated}, its inputs give {self.computed}"


def check_arithmetic(figures: ReportFigures) -> None:
    """Every sum, product and rate agrees with a second computation. Raises FiguresDiffer."""
    if found := recompute(figures):
        raise FiguresDiffer(detail="; ".join(map(str, found)))


def recompute(figures: ReportFigures) -> list[Difference]:
    """Where the figures differ from a second computation out of their parts; empty if nowhere."""
    found = [*_sums(figures), *_rates(figures.roi), *_audience(figures), *_played(figures)]
    return [difference for difference in found if difference is not None]


def _sums(figures: ReportFigures) -> Iterator[Difference | None]:
    roi = figures.roi
    for item in roi.methods:
        part = f"methods.{item.tier}.{item.method}.net_revenue"
        yield _differ(part, item.net_revenue, Fraction(item.gross_revenue) + Fraction(item.refunds))
    confirmed = [item for item in roi.methods if item.tier == "confirmed"]
    modeled = [item for item in roi.methods if item.tier == "modeled"]
    for name, stated, parts in (
        ("credited_orders", roi.credited_orders, [item.credited_orders for item in confirmed]),
        ("valued_orders", roi.valued_orders, [item.valued_orders for item in confirmed]),
        ("gross_revenue", roi.gross_revenue, [item.gross_revenue for item in confirmed]),
        ("refunds", roi.refunds, [item.refunds for item in confirmed]),
        ("net_revenue", roi.net_revenue, [roi.gross_revenue, roi.refunds]),
        ("modeled_orders", roi.modeled_orders, [item.credited_orders for item in modeled]),
        ("modeled_net_revenue", roi.modeled_net_revenue, [item.net_revenue for item in modeled]),
    ):
        yield _differ(name, stated, sum(map(Fraction, parts), Fraction(0)))
    counts = figures.conversions
    ends = counts.credited_here + counts.credited_elsewhere + counts.unattributed
    yield _differ("conversions.order_count", counts.order_count, Fraction(ends))
    if not roi.has_conversions:
        yield _differ("conversions.record_count", counts.record_count, Fraction(0))
        yield _differ("visit_count", roi.visit_count, Fraction(0))
        for item in roi.methods:
            yield _differ(f"methods.{item.tier}.{item.method}.credited_orders", item.credited_orders, Fraction(0))


def _rates(roi: RoiFigures) -> Iterator[Difference | None]:
    net, cost, spend = Fraction(roi.net_revenue), Fraction(roi.cost), Fraction(roi.spend)
    orders = Fraction(roi.credited_orders)
    unit = minor_unit(roi.currency)
    yield _differ("roi_rate", roi.roi_rate, _divide(net - cost, cost) if roi.has_conversions else None)
    yield _differ("roas", roi.roas, _divide(net, spend) if roi.has_conversions else None)
    yield _differ("cost_per_acquisition", roi.cost_per_acquisition, _divide(spend, orders), unit)
    yield _differ("cost_per_mille", roi.cost_per_mille, _divide(spend * 1000, Fraction(roi.impressions)), unit)
    average = _divide(Fraction(roi.gross_revenue), Fraction(roi.valued_orders))
    yield _differ("average_order_value", roi.average_order_value, average, unit)
    yield _differ("break_even_orders", roi.break_even_orders, _whole_orders(cost, average))


def _audience(figures: ReportFigures) -> Iterator[Difference | None]:
    for dimension in ("app", "country", "device"):
        parts = [item.downloads for item in figures.audience if item.dimension == dimension]
        yield _differ(f"audience.{dimension}", figures.audience_base, Fraction(sum(parts)))


def _played(figures: ReportFigures) -> Iterator[Difference | None]:
    """Whoever came further came to every step before."""
    played = figures.played_ads
    if isinstance(played, PlayedAds):
        steps = (played.plays, played.first_quarter, played.half, played.third_quarter, played.complete)
        for before, step in pairwise(steps):
            yield _differ("played_ads", step, Fraction(min(before, step)))


def _whole_orders(cost: Fraction, average: Fraction | None) -> Fraction | None:
    return Fraction(-(-cost // average)) if average else None


def _divide(part: Fraction, whole: Fraction) -> Fraction | None:
    return part / whole if whole else None


def _differ(
    name: str, stated: Number | None, computed: Fraction | None, unit: Decimal | None = None
) -> Difference | None:
    """None if the stated number is the computed one at the digits that it states, and at least at `unit`."""
    if stated is None or computed is None:
        same = stated is None and computed is None
        return (
            None if same else Difference(name, _write(stated), "no value" if computed is None else _decimal(computed))
        )
    exponent = Decimal(stated).as_tuple().exponent
    step = Decimal(1).scaleb(int(exponent)) if unit is None else min(unit, Decimal(1).scaleb(int(exponent)))
    error = abs(Fraction(stated) - computed)
    if error * 2 <= Fraction(step) or not error:
        return None
    return Difference(name, _write(stated), _decimal(computed))


def _write(stated: Number | None) -> str:
    return "no value" if stated is None else f"{Decimal(stated):f}"


def _decimal(value: Fraction) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return f"{exact.quantize(Decimal('0.000001'), ROUND_HALF_EVEN).normalize():f}"
