"""The arithmetic of a campaign's return: exact, from credits, refunds and rates. Method: docs/method/roi.md"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, localcontext
from itertools import groupby
from typing import Final, get_args
from uuid import UUID

from castline.base.money import minor_unit, split_by_weight
from castline.model.campaign import Campaign
from castline.model.roi import MethodFigures, RoiFigures
from castline.model.vocab import AttributionMethod, AttributionTier
from castline.roi.rates import Rates
from castline.roi.sums import OrderSum
from castline.store.money.attribution import OrderCredit, OrderRefund

_RATE: Final = Decimal("0.000001")
_DIGITS: Final = 60
_METHODS: Final = get_args(AttributionMethod)


@dataclass(frozen=True, slots=True)
class RoiFacts:
    """What a campaign's figures are computed from.

    `sums` are of orders that need no more looking at. `credits` hold every part of each other order that the campaign
    has a part in, so that amounts are split as a whole;
    `order_sponsors` how many sponsors have an order of each number, which decides whether a refund that names no
    sponsor can be told to belong. Without `has_conversions` the account was told of none before `as_of`.
    """

    campaign: Campaign
    as_of: datetime
    spend: Decimal
    impressions: int
    credits: Sequence[OrderCredit]
    refunds: Sequence[OrderRefund]
    order_sponsors: Mapping[str, int]
    rates: Rates
    model_version: str
    sums: Sequence[OrderSum] = ()
    has_conversions: bool = True


@dataclass(slots=True)
class _Sum:
    orders: Decimal = Decimal(0)
    valued: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    refunds: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Part:
    """The campaign's part of one order, in the campaign's currency; `money` is None for want of an exchange rate."""

    mine: OrderCredit
    money: tuple[Decimal, Decimal] | None


@dataclass(slots=True)
class _Totals:
    sums: dict[tuple[AttributionTier, AttributionMethod], _Sum] = field(default_factory=dict)
    unconverted_count: int = 0
    visit_count: int = 0


def compute_figures(facts: RoiFacts) -> RoiFigures:
    """Every figure of the campaign; the headline is the confirmed tier's (ruling 10d)."""
    totals = _add_up(facts)
    methods = tuple(
        _method_figures((tier, method), totals.sums[tier, method], minor_unit(facts.campaign.currency))
        for tier in get_args(AttributionTier)
        for method in _METHODS
        if (tier, method) in totals.sums
    )
    confirmed = [item for item in methods if item.tier == "confirmed"]
    modeled = [item for item in methods if item.tier == "modeled"]
    orders = _plain(sum((item.credited_orders for item in confirmed), Decimal(0)))
    valued = _plain(sum((item.valued_orders for item in confirmed), Decimal(0)))
    gross = sum((item.gross_revenue for item in confirmed), Decimal(0))
    refunds = sum((item.refunds for item in confirmed), Decimal(0))
    cost, unit = facts.campaign.campaign_value, minor_unit(facts.campaign.currency)
    net = gross + refunds
    return RoiFigures(
        campaign_id=facts.campaign.campaign_id,
        period=facts.campaign.flight,
        as_of=facts.as_of,
        currency=facts.campaign.currency,
        cost=cost.quantize(unit),
        spend=facts.spend,
        impressions=facts.impressions,
        credited_orders=orders,
        valued_orders=valued,
        gross_revenue=gross.quantize(unit),
        refunds=refunds.quantize(unit),
        net_revenue=net.quantize(unit),
        roi_rate=_divide(net - cost, cost, _RATE) if facts.has_conversions else None,
        roas=_divide(net, facts.spend, _RATE) if facts.has_conversions else None,
        cost_per_acquisition=_divide(facts.spend, orders, unit),
        cost_per_mille=_divide(facts.spend * 1000, Decimal(facts.impressions), unit),
        average_order_value=_divide(gross, valued, unit),
        break_even_orders=_count_break_even(cost, gross, valued),
        modeled_orders=_plain(sum((item.credited_orders for item in modeled), Decimal(0))),
        modeled_net_revenue=sum((item.net_revenue for item in modeled), Decimal(0)).quantize(unit),
        unconverted_count=totals.unconverted_count,
        visit_count=totals.visit_count,
        methods=methods,
        model_version=facts.model_version,
        has_conversions=facts.has_conversions,
    )


def _add_up(facts: RoiFacts) -> _Totals:
    totals = _Totals()
    for item in facts.sums:
        _add_sum(totals, item, minor_unit(facts.campaign.currency))
    refunds = _refunds_by_order(facts)
    for conversion_id, parts in groupby(facts.credits, key=lambda item: item.conversion_id):
        part = _take_part(facts, list(parts), refunds.get(conversion_id, ()))
        if part.mine.conversion_type == "visit":
            totals.visit_count += 1
            continue
        total = totals.sums.setdefault((part.mine.tier, part.mine.method), _Sum())
        total.orders += part.mine.credit
        if part.money is None:
            totals.unconverted_count += 1
        else:
            total.valued += part.mine.credit if part.mine.amount is not None else 0
            total.gross += part.money[0]
            total.refunds += part.money[1]
    return totals


def _add_sum(totals: _Totals, item: OrderSum, unit: Decimal) -> None:
    totals.visit_count += item.visit_count
    totals.unconverted_count += item.unconverted_count
    if item.order_count:
        total = totals.sums.setdefault((item.tier, item.method), _Sum())
        total.orders += item.orders
        total.valued += item.valued
        total.gross += item.gross_units * unit


def _take_part(facts: RoiFacts, parts: list[OrderCredit], refunds: Sequence[OrderRefund]) -> _Part:
    """The campaign's part: amounts are split in their own currency by the credits, and each share is converted.

    Refunds are split by the same credits and converted at the order's own day. Without one of the rates the whole
    order is left out of the money.
    """
    mine = next(item for item in parts if item.campaign_id == facts.campaign.campaign_id)
    day = mine.occurred_at.astimezone(UTC).date()
    gross = _share(facts, parts, mine.amount, mine.currency)
    money = [Decimal(0) if gross is None else facts.rates.convert(*gross, facts.campaign.currency, day)]
    for refund in refunds:
        share = _share(facts, parts, refund.amount, refund.currency)
        money.append(Decimal(0) if share is None else facts.rates.convert(*share, facts.campaign.currency, day))
    known = [amount for amount in money if amount is not None]
    if len(known) < len(money):
        return _Part(mine, None)
    return _Part(mine, (known[0], sum(known[1:], Decimal(0))))


def _share(
    facts: RoiFacts, parts: list[OrderCredit], amount: Decimal | None, currency: str | None
) -> tuple[Decimal, str] | None:
    if amount is None or currency is None:
        return None
    unit = minor_unit(currency)
    if len(parts) == 1:
        return amount.quantize(unit, ROUND_HALF_EVEN), currency
    weights = {item.campaign_id: item.credit for item in parts}
    shares = split_by_weight(amount.quantize(unit, ROUND_HALF_EVEN), weights, unit)
    return shares[facts.campaign.campaign_id], currency


def _refunds_by_order(facts: RoiFacts) -> dict[UUID, list[OrderRefund]]:
    """The refunds of each order. A refund belongs to one order: the first of its number that its sponsor allows."""
    if not facts.refunds:
        return {}
    orders: dict[str, list[OrderCredit]] = {}
    for item in sorted(facts.credits, key=lambda item: (item.occurred_at, item.conversion_id)):
        if item.order_id is not None and item.conversion_type != "visit":
            orders.setdefault(item.order_id, []).append(item)
    found: dict[UUID, list[OrderRefund]] = {}
    for refund in facts.refunds:
        candidates = orders.get(refund.order_id, [])
        exact = [item for item in candidates if item.sponsor_id == refund.sponsor_id]
        if not exact and facts.order_sponsors.get(refund.order_id, 0) <= 1:
            exact = [item for item in candidates if item.sponsor_id is None or refund.sponsor_id is None]
        if exact:
            found.setdefault(exact[0].conversion_id, []).append(refund)
    return found


def _method_figures(part: tuple[AttributionTier, AttributionMethod], total: _Sum, unit: Decimal) -> MethodFigures:
    return MethodFigures(
        method=part[1],
        tier=part[0],
        credited_orders=_plain(total.orders),
        valued_orders=_plain(total.valued),
        gross_revenue=total.gross.quantize(unit),
        refunds=total.refunds.quantize(unit),
        net_revenue=(total.gross + total.refunds).quantize(unit),
    )


def _divide(part: Decimal, whole: Decimal, unit: Decimal) -> Decimal | None:
    """The quotient to `unit`, half to even; None where it is not measurable."""
    if not whole:
        return None
    with localcontext(prec=_DIGITS):
        return (part / whole).quantize(unit, ROUND_HALF_EVEN)


def _count_break_even(cost: Decimal, gross: Decimal, orders: Decimal) -> int | None:
    """How many orders of the average value bring the cost back; None where no order brings anything."""
    if not gross or not orders:
        return None
    with localcontext(prec=_DIGITS):
        return int((cost * orders / gross).to_integral_value(ROUND_CEILING))


def _plain(amount: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    return Decimal(f"{amount.normalize():f}")
