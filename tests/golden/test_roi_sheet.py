"""A campaign's return, worked out by hand."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid5

from castline.model.campaign import Placement
from castline.model.roi import ExchangeRate, MethodFigures, RoiFigures
from castline.roi.figures import RoiFacts, compute_figures
from castline.roi.rates import Rates
from castline.roi.spend import Delivery, compute_spend
from castline.store.money.attribution import OrderCredit, OrderRefund
from make import make_id
from make_money import MARCH, make_campaign

AFTER = datetime(2026, 6, 1, tzinfo=UTC)
SPRING, SUMMER, AUTUMN = make_id(1), make_id(2), make_id(3)
THIRD = Decimal("0.3333333333")


def credit(number: int, day: int, amount: str | None, currency: str | None, **changes: Any) -> OrderCredit:
    facts: dict[str, Any] = {
        "conversion_id": make_id(100 + number),
        "campaign_id": SPRING,
        "method": "promo_code",
        "tier": "confirmed",
        "credit": Decimal(1),
        "occurred_at": MARCH + timedelta(days=day - 1, hours=12),
        "conversion_type": "purchase",
        "amount": None if amount is None else Decimal(amount),
        "currency": currency,
        "sponsor_id": make_id(7),
        "order_id": str(number),
        "model_version": "equal-30d.1",
    }
    return OrderCredit(**facts | changes)


def refund(number: int, day: int, amount: str, currency: str, reason: str = "refund") -> OrderRefund:
    key = uuid5(make_id(number), f"{day} {amount}")
    return OrderRefund(key, make_id(7), str(number), MARCH + timedelta(days=day - 1), Decimal(amount), currency, reason)


def rate(pair: str, day: int, value: str) -> ExchangeRate:
    return ExchangeRate(pair[:3], pair[3:], date(2026, 3, day), Decimal(value))


def figures(told: Iterable[OrderCredit], refunds: Iterable[OrderRefund], rates: Iterable[ExchangeRate]) -> RoiFigures:
    return compute_figures(
        RoiFacts(
            campaign=make_campaign(),
            as_of=AFTER,
            spend=Decimal("1500.00"),
            impressions=12_000,
            credits=list(told),
            refunds=list(refunds),
            order_sponsors={},
            rates=Rates(rates),
            model_version="equal-30d.1",
        )
    )


# order  what                                    credit        gross USD  why
# 1      99.95 USD, code                         1             99.95
# 2      100.00 USD, household, three campaigns  0.3333333334  33.34      3333.333.. cents each; the odd cent
#                                                                         goes to the remainder .333334
# 3      200.00 EUR, code, 10 March              1             217.10     200 x 1.0855
# 4      12,345 JPY, code, Sunday 15 March       1             82.65      12345 / 149.37 = 82.647.., Friday's rate
# 5      10.000 KWD, code                        1             -          no rate: left out of the money
# 6      80.00 USD, household of five agents     1 (modeled)   80.00      stands beside
# visit                                          1             -          no order
SHARE = {"method": "pixel", "order_id": "2"}
TOLD = (
    credit(1, 5, "99.95", "USD"),
    credit(2, 6, "100.00", "USD", credit=THIRD + Decimal("1e-10"), **SHARE),
    credit(2, 6, "100.00", "USD", credit=THIRD, campaign_id=SUMMER, **SHARE),
    credit(2, 6, "100.00", "USD", credit=THIRD, campaign_id=AUTUMN, **SHARE),
    credit(3, 10, "200.00", "EUR"),
    credit(4, 15, "12345", "JPY"),
    credit(5, 16, "10.000", "KWD"),
    credit(6, 17, "80.00", "USD", method="pixel", tier="modeled"),
    credit(7, 18, None, None, method="utm", conversion_type="visit", order_id=None),
)
GIVEN_BACK = (
    refund(1, 8, "-99.95", "USD", "chargeback"),
    refund(1, 9, "99.95", "USD", "reversal"),
    refund(3, 20, "-50.00", "EUR"),
)
RATES = (rate("EURUSD", 10, "1.0855"), rate("EURUSD", 20, "1.20"), rate("USDJPY", 13, "149.37"))
SHEET = figures(TOLD, GIVEN_BACK, RATES)


def test_the_sheet_is_of_the_campaign_its_flight_and_its_moment() -> None:
    assert (SHEET.campaign_id, SHEET.period, SHEET.as_of) == (SPRING, make_campaign().flight, AFTER)
    assert (SHEET.currency, SHEET.cost, SHEET.spend) == ("USD", Decimal("1500.00"), Decimal("1500.00"))
    assert (SHEET.impressions, SHEET.model_version) == (12_000, "equal-30d.1")


def test_the_sheet_s_orders_are_counted() -> None:
    # confirmed: 1 + 0.3333333334 + 1 + 1 + 1; of known value: all but order 5
    assert (SHEET.credited_orders, SHEET.valued_orders) == (Decimal("4.3333333334"), Decimal("3.3333333334"))
    assert (SHEET.modeled_orders, SHEET.unconverted_count, SHEET.visit_count) == (Decimal(1), 1, 1)


def test_the_sheet_s_money_adds_up() -> None:
    # gross 99.95 + 33.34 + 217.10 + 82.65 = 433.04
    # refunds: 50.00 EUR of order 3 on 20 March, at the rate of 10 March: 54.275, half to even 54.28;
    #          order 1 charged back and reversed: -99.95 + 99.95
    # net 433.04 - 54.28 = 378.76
    assert SHEET.gross_revenue == Decimal("433.04")
    assert SHEET.refunds == Decimal("-54.28")
    assert SHEET.net_revenue == Decimal("378.76")
    assert SHEET.modeled_net_revenue == Decimal("80.00")


def test_the_sheet_s_rates_are_those_of_its_sums() -> None:
    # ROI (378.76 - 1500) / 1500 = -0.747493..; ROAS 378.76 / 1500 = 0.252507
    # CPA 1500 / 4.3333333334 = 346.15; CPM 1500 x 1000 / 12000 = 125.00
    # AOV 433.04 / 3.3333333334 = 129.91; break even: 1500 / 129.911.. = 11.54.., so 12 orders
    assert (SHEET.roi_rate, SHEET.roas) == (Decimal("-0.747493"), Decimal("0.252507"))
    assert (SHEET.cost_per_acquisition, SHEET.cost_per_mille) == (Decimal("346.15"), Decimal("125.00"))
    assert (SHEET.average_order_value, SHEET.break_even_orders) == (Decimal("129.91"), 12)


def test_the_sheet_s_methods_are_its_parts() -> None:
    pixel = Decimal("0.3333333334")
    assert SHEET.methods == (
        _part("promo_code", "confirmed", (Decimal(4), Decimal(3)), "399.70", "-54.28", "345.42"),
        _part("pixel", "confirmed", (pixel, pixel), "33.34", "0.00", "33.34"),
        _part("pixel", "modeled", (Decimal(1), Decimal(1)), "80.00", "0.00", "80.00"),
    )


def _part(method: Any, tier: Any, orders: tuple[Decimal, Decimal], *money: str) -> MethodFigures:
    return MethodFigures(method, tier, *orders, *map(Decimal, money))


def test_an_order_without_a_told_value_says_nothing_of_what_an_order_is_worth() -> None:
    # two orders of 60 and a sign-up without a value: average 120 / 2 = 60; break even 1500 / 60 = 25 orders
    told = [
        credit(1, 5, "60.00", "USD"),
        credit(2, 6, "60.00", "USD"),
        credit(3, 7, None, None, conversion_type="signup"),
    ]
    found = figures(told, [], [])
    assert (found.credited_orders, found.valued_orders, found.unconverted_count) == (Decimal(3), Decimal(2), 0)
    assert (found.average_order_value, found.break_even_orders) == (Decimal("60.00"), 25)
    assert found.cost_per_acquisition == Decimal("500.00")


def test_orders_of_which_no_value_is_known_have_no_average() -> None:
    found = figures([credit(1, 5, "10.000", "KWD")], [], [])
    assert (found.credited_orders, found.valued_orders, found.unconverted_count) == (Decimal(1), Decimal(0), 1)
    assert (found.average_order_value, found.break_even_orders) == (None, None)


def test_nothing_that_is_divided_by_zero_is_measurable() -> None:
    free = compute_figures(
        RoiFacts(
            campaign=make_campaign(campaign_value=Decimal(0)),
            as_of=AFTER,
            spend=Decimal("0.00"),
            impressions=0,
            credits=[],
            refunds=[],
            order_sponsors={},
            rates=Rates([]),
            model_version="equal-30d.1",
        )
    )
    assert (free.roi_rate, free.roas, free.cost_per_acquisition, free.cost_per_mille) == (None, None, None, None)
    assert (free.average_order_value, free.break_even_orders, free.net_revenue) == (None, None, Decimal("0.00"))


def test_a_rate_older_than_a_week_is_none() -> None:
    rates = Rates([rate("EURUSD", 10, "1.1")])
    assert rates.convert(Decimal(1), "EUR", "USD", date(2026, 3, 17)) == Decimal("1.10")
    assert rates.convert(Decimal(1), "EUR", "USD", date(2026, 3, 18)) is None
    assert rates.convert(Decimal(1), "EUR", "USD", date(2026, 3, 9)) is None
    assert rates.convert(Decimal(1), "EUR", "JPY", date(2026, 3, 10)) is None


def test_a_day_s_own_inverse_goes_before_an_older_direct_rate() -> None:
    rates = Rates([rate("EURUSD", 9, "2"), rate("USDEUR", 10, "0.5"), rate("USDEUR", 9, "4")])
    assert rates.convert(Decimal(3), "EUR", "USD", date(2026, 3, 10)) == Decimal("6.00")
    assert rates.convert(Decimal(3), "EUR", "USD", date(2026, 3, 9)) == Decimal("6.00")


def placement(number: int, kind: str = "host-read", **changes: Any) -> Placement:
    facts: dict[str, Any] = {
        "placement_id": make_id(200 + number),
        "campaign_id": SPRING,
        "episode_id": make_id(300 + number),
        "kind": kind,
        "position": "mid",
        "start_seconds": None,
        "end_seconds": None,
        "air_date": MARCH + timedelta(days=number),
        "contracted_impressions": None,
        "cost": None,
        "created_at": MARCH,
        "updated_at": MARCH,
    }
    return Placement(**facts | changes)


def test_a_flat_fee_accrues_with_the_time_flown() -> None:
    # 30 days for 1500: ten days and a half are 525
    moments = [MARCH, MARCH + timedelta(days=10, hours=12), MARCH + timedelta(days=30), AFTER]
    assert [compute_spend(make_campaign(), [], Delivery({}, {}), moment) for moment in moments] == [
        Decimal("0.00"),
        Decimal("525.00"),
        Decimal("1500.00"),
        Decimal("1500.00"),
    ]


def test_placements_accrue_on_their_launch_day_and_share_what_is_not_agreed() -> None:
    # agreed 400 for the first; the rest, 1100, is split by contracted impressions 3000 : 2000 = 660 and 440
    placed = [
        placement(1, cost=Decimal(400)),
        placement(2, contracted_impressions=3000),
        placement(3, contracted_impressions=2000, air_date=None),
    ]
    delivery = Delivery({make_id(303): MARCH + timedelta(days=9, hours=6)}, {})
    days = {0: "0.00", 1: "0.00", 2: "400.00", 3: "1060.00", 9: "1060.00", 10: "1500.00"}
    found = {day: compute_spend(make_campaign(), placed, delivery, MARCH + timedelta(days=day)) for day in days}
    assert found == {day: Decimal(amount) for day, amount in days.items()}


def test_a_dynamic_placement_accrues_with_delivery_up_to_its_plan() -> None:
    # 1500 for 10,000: 2,500 delivered are 375, 12,000 no more than 1500
    placed = [placement(1, "dynamic", contracted_impressions=10_000, cost=Decimal(1500))]
    spent = [
        compute_spend(make_campaign(), placed, Delivery({}, {make_id(301): count}), AFTER) for count in (2_500, 12_000)
    ]
    assert spent == [Decimal("375.00"), Decimal("1500.00")]


def test_placements_that_cost_more_than_the_fee_are_capped_and_less_leave_the_rest_to_time() -> None:
    dear = [placement(1, cost=Decimal(2000))]
    cheap = [placement(1, cost=Decimal(900))]
    middle = MARCH + timedelta(days=15)
    assert compute_spend(make_campaign(), dear, Delivery({}, {}), AFTER) == Decimal("1500.00")
    # 900 launched, and half of the other 600
    assert compute_spend(make_campaign(), cheap, Delivery({}, {}), middle) == Decimal("1200.00")
