"""A second, plain engine over random worlds: no figure may differ."""

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from castline.base.money import split_by_weight
from castline.model.roi import ExchangeRate, RoiFigures
from castline.roi.figures import RoiFacts, compute_figures
from castline.roi.rates import Rates
from castline.store.money.attribution import OrderCredit, OrderRefund
from make import make_id
from make_money import MARCH, make_campaign

DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}
CAMPAIGNS = [make_id(1), make_id(2), make_id(3), make_id(4)]
SPONSORS = [make_id(7), make_id(6), None]
World = tuple[RoiFacts, list[ExchangeRate]]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    home = draw(st.sampled_from(sorted(DIGITS)))
    parts: list[OrderCredit] = []
    for number in range(draw(st.integers(0, 8))):
        parts += draw(orders(number))
    refunds = draw(st.lists(refund_rows(), max_size=6, unique_by=lambda item: item.refund_id))
    refunds.sort(key=lambda item: (item.occurred_at, item.refund_id))
    pairs = list(combinations(sorted(DIGITS), 2)) + [pair[::-1] for pair in combinations(sorted(DIGITS), 2)]
    keys = draw(st.sets(st.tuples(st.sampled_from(pairs), st.integers(0, 20)), max_size=25))
    rates = [
        ExchangeRate(pair[0], pair[1], date(2026, 3, 1) + timedelta(days=day), draw(rate_values))
        for pair, day in sorted(keys)
    ]
    unit = Decimal(1).scaleb(-DIGITS[home])
    sponsors = {(item.order_id, item.sponsor_id) for item in parts if item.sponsor_id and item.order_id}
    facts = RoiFacts(
        campaign=make_campaign(currency=home, campaign_value=draw(st.integers(0, 10**6)) * unit),
        as_of=datetime(2026, 6, 1, tzinfo=UTC),
        spend=draw(st.integers(0, 10**6)) * unit,
        impressions=draw(st.integers(0, 10**6)),
        credits=parts,
        refunds=refunds,
        order_sponsors=dict(Counter(order_id for order_id, _ in sponsors if order_id)),
        rates=Rates(rates),
        model_version="v",
    )
    return facts, rates


rate_values = st.decimals("0.000001", "1000", places=6, allow_nan=False)


@st.composite
def orders(draw: st.DrawFn, number: int) -> list[OrderCredit]:
    others = draw(st.lists(st.sampled_from(CAMPAIGNS[1:]), unique=True))
    weights = {key: Decimal(draw(st.integers(1, 9))) for key in [CAMPAIGNS[0], *others]}
    shares = split_by_weight(Decimal(1), weights, Decimal("1e-10"))
    currency = draw(st.none() | st.sampled_from(sorted(DIGITS)))
    at = MARCH + timedelta(days=draw(st.integers(0, 20)), seconds=number)
    method, tier = draw(st.sampled_from([("promo_code", "confirmed"), ("pixel", "confirmed"), ("pixel", "modeled")]))
    kind = draw(st.sampled_from(["purchase", "purchase", "signup", "visit"]))
    amount = draw(st.decimals(0, 10**5, places=4, allow_nan=False))
    order_id = draw(st.sampled_from([None, str(number), str(number % 3)]))
    sponsor = draw(st.sampled_from(SPONSORS))
    return [
        OrderCredit(
            conversion_id=make_id(100 + number),
            campaign_id=key,
            method=method,  # type: ignore[arg-type]
            tier=tier,  # type: ignore[arg-type]
            credit=shares[key],
            occurred_at=at,
            conversion_type=kind,  # type: ignore[arg-type]
            amount=None if currency is None else amount,
            currency=currency,
            sponsor_id=sponsor,
            order_id=order_id,
            model_version="v",
        )
        for key in sorted(shares)
    ]


@st.composite
def refund_rows(draw: st.DrawFn) -> OrderRefund:
    return OrderRefund(
        refund_id=make_id(draw(st.integers(1, 2**60))),
        sponsor_id=draw(st.sampled_from(SPONSORS)),
        order_id=str(draw(st.integers(0, 8))),
        occurred_at=MARCH + timedelta(days=draw(st.integers(0, 60))),
        amount=-draw(st.decimals("0.01", 10**5, places=4, allow_nan=False)),
        currency=draw(st.sampled_from(sorted(DIGITS))),
        reason="refund",
    )


def half_even(number: Fraction, digits: int) -> Fraction:
    """`round` of a Fraction is half to even."""
    return Fraction(round(number * 10**digits), 10**digits)


def slow_share(amount: Decimal, digits: int, parts: list[OrderCredit]) -> Fraction:
    """The first campaign's whole minor units: hand out floors, then single units to the largest remainders."""
    units = int(half_even(Fraction(amount), digits) * 10**digits)
    exact = {item.campaign_id: units * Fraction(item.credit) for item in parts}
    given_units = {key: math.floor(value) for key, value in exact.items()}
    waiting = sorted(exact, key=lambda key: (given_units[key] - exact[key], str(key)))
    while sum(given_units.values()) < units:
        given_units[waiting.pop(0)] += 1
    return Fraction(given_units[CAMPAIGNS[0]], 10**digits)


def slow_convert(amount: Fraction, pair: tuple[str, str], day: date, rates: list[ExchangeRate]) -> Fraction | None:
    if pair[0] == pair[1]:
        return amount
    for back in range(8):
        today = [item for item in rates if item.rate_on == day - timedelta(days=back)]
        for item in today:
            if (item.base, item.quote) == pair:
                return half_even(amount * Fraction(item.rate), DIGITS[pair[1]])
        for item in today:
            if (item.quote, item.base) == pair:
                return half_even(amount / Fraction(item.rate), DIGITS[pair[1]])
    return None


def slow_lines(facts: RoiFacts, rates: list[ExchangeRate]) -> list[tuple[OrderCredit, list[Fraction | None]]]:
    """Each conversion with the money it brought and gave back in the campaign's currency; None where no rate is."""
    home = facts.campaign.currency
    groups: dict[object, list[OrderCredit]] = {}
    for item in facts.credits:
        groups.setdefault(item.conversion_id, []).append(item)
    taken: set[object] = set()
    lines = []
    for group in sorted(groups.values(), key=lambda items: (items[0].occurred_at, items[0].conversion_id)):
        first = group[0]
        day = first.occurred_at.astimezone(UTC).date()
        money: list[Fraction | None] = [Fraction(0)]
        if first.amount is not None and first.currency is not None:
            share = slow_share(first.amount, DIGITS[first.currency], group)
            money = [slow_convert(share, (first.currency, home), day, rates)]
        for refund in facts.refunds:
            if refund.refund_id in taken or first.conversion_type == "visit" or refund.order_id != first.order_id:
                continue
            rivals = [
                items[0]
                for items in groups.values()
                if items[0].order_id == refund.order_id and items[0].conversion_type != "visit"
            ]
            is_exact = refund.sponsor_id == first.sponsor_id
            has_exact = any(item.sponsor_id == refund.sponsor_id for item in rivals)
            is_loose = (
                None in (refund.sponsor_id, first.sponsor_id) and facts.order_sponsors.get(refund.order_id, 0) < 2
            )
            if is_exact or (is_loose and not has_exact):
                taken.add(refund.refund_id)
                share = slow_share(refund.amount, DIGITS[refund.currency], group)
                money.append(slow_convert(share, (refund.currency, home), day, rates))
        lines.append((first, money))
    return lines


def slow_figures(facts: RoiFacts, rates: list[ExchangeRate]) -> dict[str, object]:
    lines = slow_lines(facts, rates)
    orders = [(first, money) for first, money in lines if first.conversion_type != "visit"]
    paid = [(first, [part for part in money if part is not None]) for first, money in orders if None not in money]

    def add(tier: str, part: slice) -> Fraction:
        return sum((sum(money[part], Fraction(0)) for first, money in paid if first.tier == tier), Fraction(0))

    def count(tier: str) -> Fraction:
        return sum((Fraction(first.credit) for first, _ in orders if first.tier == tier), Fraction(0))

    gross, net = add("confirmed", slice(0, 1)), add("confirmed", slice(0, None))
    cost, spend, credited = Fraction(facts.campaign.campaign_value), Fraction(facts.spend), count("confirmed")
    worth = [first.credit for first, _ in paid if first.tier == "confirmed" and first.amount is not None]
    valued = sum(map(Fraction, worth), Fraction(0))
    digits = DIGITS[facts.campaign.currency]
    return {
        "credited_orders": credited,
        "valued_orders": valued,
        "gross_revenue": gross,
        "refunds": net - gross,
        "net_revenue": net,
        "roi_rate": half_even((net - cost) / cost, 6) if cost else None,
        "roas": half_even(net / spend, 6) if spend else None,
        "cost_per_acquisition": half_even(spend / credited, digits) if credited else None,
        "cost_per_mille": half_even(spend * 1000 / facts.impressions, digits) if facts.impressions else None,
        "average_order_value": half_even(gross / valued, digits) if valued else None,
        "break_even_orders": math.ceil(cost / (gross / valued)) if gross else None,
        "modeled_orders": count("modeled"),
        "modeled_net_revenue": add("modeled", slice(0, None)),
        "unconverted_count": len(orders) - len(paid),
        "visit_count": len(lines) - len(orders),
    }


@given(worlds())
@settings(max_examples=300)
def test_two_engines_agree_to_the_last_digit(world: World) -> None:
    facts, rates = world
    fast = compute_figures(facts)
    assert {name: _exact(getattr(fast, name)) for name in slow_figures(facts, rates)} == slow_figures(facts, rates)
    _check_parts(fast)


def _check_parts(fast: RoiFigures) -> None:
    confirmed = [item for item in fast.methods if item.tier == "confirmed"]
    assert sum((item.net_revenue for item in confirmed), Decimal(0)) == fast.net_revenue
    assert sum((item.credited_orders for item in confirmed), Decimal(0)) == fast.credited_orders


def _exact(number: object) -> object:
    return Fraction(number) if isinstance(number, Decimal) else number


@given(st.data())
@settings(max_examples=100)
def test_the_campaigns_of_an_order_get_its_whole_amount(data: st.DataObject) -> None:
    parts = data.draw(orders(1))
    amount = parts[0].amount
    if amount is None or parts[0].currency is None or parts[0].conversion_type == "visit":
        return
    found = Decimal(0)
    for key in {item.campaign_id for item in parts}:
        facts = RoiFacts(
            campaign=make_campaign(campaign_id=key, currency=parts[0].currency, campaign_value=Decimal(0)),
            as_of=datetime(2026, 6, 1, tzinfo=UTC),
            spend=Decimal(0),
            impressions=0,
            credits=parts,
            refunds=[],
            order_sponsors={},
            rates=Rates([]),
            model_version="v",
        )
        figures = compute_figures(facts)
        found += figures.net_revenue + figures.modeled_net_revenue
    assert Fraction(found) == half_even(Fraction(amount), DIGITS[parts[0].currency])
