"""What listeners bought: orders, refunds and rates, each order made for a campaign or for none.

Values in a campaign's own currency have cents. Values in another one are whole units, and rates have two digits (none
for the yen), so that the truth to the cent rests on no rule for rounding.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from castline.base.money import minor_unit
from castline.demo.audience import Audience, Ints, make_address
from castline.demo.plan import CampaignPlan, MoneyPlan, WorldPlan
from castline.demo.traffic import FATES, Requests
from castline.demo.visits import DAY_SECONDS

_HOUR: Final = 3_600
_WINDOW_DAYS: Final = 20  # orders follow within this time, well inside the 30 days of attribution
_STRANGER_SHARE: Final = 0.4  # orders of a household campaign's sponsor that no listener made
_RECENT_DAYS: Final = 20  # whoever comes by pixel heard an episode so lately
_BUYING_SHARE: Final = 0.1  # of those who come by pixel
_NAMED_SHARE: Final = 0.2  # of the orders with a tracking id, how many name the campaign itself instead
_TOLD_TWICE_SHARE: Final = 0.15
_API_SHARE: Final = 0.6  # those told twice among them


@dataclass(frozen=True, slots=True)
class Told:
    """How the news of an order travels (`routes`: api, csv, pixel), and what it says of where the order came from.

    `keys` are code, utm_source, utm_medium, utm_campaign, tracking_id.
    """

    routes: tuple[str, ...]
    keys: dict[str, str] = field(default_factory=dict)
    names_campaign: bool = False
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order, or a visit of the sponsor's page; `campaign` is whose listeners made it, None when nobody's."""

    order_id: str
    sponsor: str
    campaign: int | None
    at: datetime
    value: Decimal | None
    currency: str | None
    told: Told

    @property
    def is_visit(self) -> bool:
        """Whether somebody only looked."""
        return self.value is None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money given back on an order, or, above zero, a chargeback that was reversed."""

    order: Order
    at: datetime
    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Units of `quote` per unit of `base` on a day."""

    base: str
    quote: str
    on: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Shop:
    """What orders are drawn from: the counted requests that carried a campaign, and the clock."""

    plan: WorldPlan
    audience: Audience
    counted: Requests
    first_at: int
    day_count: int
    rng: np.random.Generator

    def exposed(self, campaign: CampaignPlan) -> Requests:
        """The counted downloads of the campaign's episodes that leave a day for an order before the flight ends."""
        show = [item.slug for item in self.plan.shows].index(campaign.show)
        heard = np.isin(self.counted.path, np.array(campaign.episodes) - 1) & (self.counted.show == show)
        return self.counted.chosen(heard & (self.counted.at < self.end_of(campaign) - DAY_SECONDS))

    def end_of(self, campaign: CampaignPlan) -> int:
        """The epoch second at which the campaign's flight ends, or the world before it."""
        return self.first_at + min(campaign.flight_days[1], self.day_count) * DAY_SECONDS

    def stranger(self) -> str:
        """An address where nobody listens."""
        names = list(self.plan.networks)
        known = set(self.audience.addresses)
        while True:
            address, _ = make_address(self.plan.networks[names[int(self.rng.integers(len(names)))]], self.rng)
            if address not in known:
                return address


def make_orders(shop: Shop) -> list[Order]:
    """Every order and visit of the world, oldest first."""
    orders: list[Order] = []
    for index, campaign in enumerate(shop.plan.campaigns):
        for money in campaign.orders:
            orders += _make_campaign_orders(shop, index, money)
        orders += _make_pixel_hits(shop, index) if campaign.visit_count else []
        orders += _make_bystanders(shop, campaign)
    orders.sort(key=lambda order: (order.at, order.order_id))
    return orders


def _make_campaign_orders(shop: Shop, index: int, money: MoneyPlan) -> list[Order]:
    campaign = shop.plan.campaigns[index]
    heard = _draw_listeners(shop, campaign, money.order_count)
    times = _draw_times(shop, campaign, heard)
    prefix = f"{campaign.sponsor[:3].upper()}-{money.currency}"
    return [
        Order(
            order_id=f"{prefix}-{number:04}",
            sponsor=campaign.sponsor,
            campaign=index,
            at=_moment(at),
            value=_draw_value(shop.rng, campaign, money),
            currency=money.currency,
            told=_draw_told(shop, campaign, int(household)),
        )
        for number, (at, household) in enumerate(zip(times, heard.address // 2, strict=True), start=1)
    ]


def _draw_listeners(shop: Shop, campaign: CampaignPlan, count: int) -> Requests:
    """Downloads of people who then buy, one per household."""
    exposed = shop.exposed(campaign)
    _, first = np.unique(exposed.address // 2, return_index=True)
    chosen = _draw_households(shop, exposed, count)
    return exposed.chosen(first[np.isin(exposed.address[first] // 2, chosen)])


def _draw_households(shop: Shop, exposed: Requests, count: int) -> Ints:
    """Households with a download among `exposed` in which one person listens."""
    people = np.bincount(shop.audience.household)
    homes = np.unique(exposed.address // 2)
    alone = homes[people[homes] == 1]
    chosen: Ints = shop.rng.permutation(alone)[:count]
    return chosen


def _draw_times(shop: Shop, campaign: CampaignPlan, heard: Requests) -> Ints:
    """Within twenty days of the download, and before the flight ends."""
    wait = shop.rng.exponential(4 * DAY_SECONDS, len(heard)).astype(np.int64) + _HOUR
    latest = np.minimum(heard.at + _WINDOW_DAYS * DAY_SECONDS, shop.end_of(campaign) - 1)
    times: Ints = np.minimum(heard.at + wait, latest)
    return times


def _draw_value(rng: np.random.Generator, campaign: CampaignPlan, money: MoneyPlan) -> Decimal:
    whole = Decimal(int(rng.integers(money.low, money.high)))
    if money.currency != campaign.currency or minor_unit(money.currency) == 1:
        return whole
    return whole + Decimal(int(rng.integers(0, 100))) / 100


def _draw_told(shop: Shop, campaign: CampaignPlan, household: int) -> Told:
    """The order brings the campaign's key, or with a household campaign only the address it came from."""
    if campaign.method == "pixel":
        return Told(("api",), address=shop.audience.addresses[2 * household + int(shop.rng.integers(2))])
    if campaign.method == "custom" and shop.rng.random() < _NAMED_SHARE:
        return Told(("api",), names_campaign=True)
    drawn = shop.rng.random()
    routes = ("api", "csv") if drawn < _TOLD_TWICE_SHARE else ("api",) if drawn < _API_SHARE else ("csv",)
    # A code that got out is used by people who never heard it.
    return Told(routes, campaign.keys, address=shop.stranger() if campaign.leaked else None)


def _make_pixel_hits(shop: Shop, index: int) -> list[Order]:
    """What browsers tell by pixel: visits and orders, on the day after the last, of recent listeners."""
    campaign = shop.plan.campaigns[index]
    heard = shop.exposed(campaign)
    recent = heard.chosen(heard.at > shop.end_of(campaign) - _RECENT_DAYS * DAY_SECONDS)
    households = _draw_households(shop, recent, campaign.visit_count)
    order_count = round(len(households) * _BUYING_SHARE)
    money = MoneyPlan(campaign.currency, order_count, *campaign.pixel_value)
    return [
        Order(
            order_id=f"{campaign.sponsor[:3].upper()}-web-{number:04}",
            sponsor=campaign.sponsor,
            campaign=index,
            at=_moment(shop.first_at + shop.day_count * DAY_SECONDS),
            value=_draw_value(shop.rng, campaign, money) if number <= order_count else None,
            currency=campaign.currency if number <= order_count else None,
            told=Told(("pixel",), address=shop.audience.addresses[2 * int(household)]),
        )
        for number, household in enumerate(households, start=1)
    ]


def _make_bystanders(shop: Shop, campaign: CampaignPlan) -> list[Order]:
    """Orders of the sponsor's that no campaign brought: other codes, and households where nobody listens."""
    count = round(sum(item.order_count for item in campaign.orders) * _STRANGER_SHARE)
    first, last = shop.first_at + campaign.flight_days[0] * DAY_SECONDS, shop.end_of(campaign)
    return [
        Order(
            order_id=f"{campaign.sponsor[:3].upper()}-other-{number:04}",
            sponsor=campaign.sponsor,
            campaign=None,
            at=_moment(int(at)),
            value=_draw_value(shop.rng, campaign, campaign.orders[0]),
            currency=campaign.orders[0].currency,
            told=Told(("api",), address=shop.stranger())
            if campaign.method == "pixel"
            else Told(("csv",), {"code": "SUMMER10"}),
        )
        for number, at in enumerate(shop.rng.integers(first, last, count), start=1)
    ]


def make_refunds(shop: Shop, orders: list[Order]) -> list[Refund]:
    """Refunds of a share of each campaign's orders, and chargebacks, of which every second one is reversed."""
    refunds: list[Refund] = []
    for index, campaign in enumerate(shop.plan.campaigns):
        bought = [order for order in orders if order.campaign == index and not order.is_visit]
        count = round(len(bought) * campaign.refund_rate)
        for number, place in enumerate(shop.rng.permutation(len(bought))[: count + campaign.chargeback_count]):
            refunds += _give_back(shop, campaign, bought[int(place)], number - count)
    refunds.sort(key=lambda refund: (refund.at, refund.order.order_id))
    return refunds


def _give_back(shop: Shop, campaign: CampaignPlan, order: Order, chargeback: int) -> list[Refund]:
    value = order.value or Decimal(0)
    end = shop.first_at + shop.day_count * DAY_SECONDS - 1
    at = min(order.at + timedelta(hours=int(shop.rng.integers(5, 200))), _moment(end))
    if chargeback >= 0:
        taken = Refund(order, at, -value, "chargeback")
        return [taken] if chargeback % 2 == 0 else [taken, Refund(order, at + timedelta(hours=1), value, "reversal")]
    unit = minor_unit(campaign.currency)
    is_part = order.currency == campaign.currency and shop.rng.random() < 0.5  # noqa: PLR2004
    return [Refund(order, at, -(value / 3).quantize(unit) if is_part else -value, "refund")]


def make_rates(plan: WorldPlan, rng: np.random.Generator, first_on: date, day_count: int) -> list[Rate]:
    """One rate a day and pair, moving by a hundredth (of the yen by a whole one) at a time."""
    rates: list[Rate] = []
    for pair, begin in plan.rates.items():
        base, quote = pair.split("/")
        step = max(minor_unit(quote), Decimal("0.01"))
        moves = rng.integers(-1, 2, day_count)
        for day, moved in enumerate(np.cumsum(moves)):
            # The walk is folded back, so that ninety days of bad luck do not make a currency worthless.
            folded = Decimal(abs((int(moved) + 6) % 24 - 12) - 6)
            rates.append(Rate(base, quote, first_on + timedelta(days=day), begin + folded * step))
    return rates


def counted_requests(requests: Requests) -> Requests:
    """The requests that are downloads."""
    return requests.chosen(requests.fate == FATES.index("counted"))


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(int(at), UTC)
