"""A world with a known truth: shows, listeners, requests, orders. The same seed, end and size give the same world."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from castline.demo.audience import Audience, Ints, make_audience
from castline.demo.commerce import Order, Rate, Refund, Shop, counted_requests, make_orders, make_rates, make_refunds
from castline.demo.plan import CampaignPlan, WorldPlan, load_plan
from castline.demo.shows import MadeShow, make_shows
from castline.demo.traffic import (
    FATES,
    REQUESTS_PER_VISIT,
    Requests,
    add_watches,
    join,
    make_requests,
    make_strangers,
)
from castline.demo.visits import DAY_SECONDS, make_visits

DAY_COUNT: Final = 90
_VISITS_PER_HOUSEHOLD: Final = 14
_STRANGER_SHARE: Final = 0.08  # of the counted downloads: crawlers, nameless clients, requests for what is no episode
MALFORMED_EVERY: Final = 2_500  # of the log's lines, one in so many is broken


@dataclass(frozen=True, slots=True)
class CampaignTruth:
    """What a campaign truly brought, in its own currency."""

    name: str
    order_count: int
    ads_delivered: int
    gross_revenue: Decimal
    refunds: Decimal
    net_revenue: Decimal
    roi_rate: Decimal


@dataclass(frozen=True, slots=True)
class Truth:
    """What every exact figure of the world must be.

    `requests` counts the well-formed lines by fate, `downloads` the counted ones by (show, episode guid, UTC day).
    """

    received_count: int
    malformed_count: int
    requests: dict[str, int]
    downloads: dict[tuple[str, str, date], int]
    campaigns: tuple[CampaignTruth, ...]

    @property
    def download_count(self) -> int:
        return self.requests["counted"]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that the outside world will say, and the truth behind it."""

    seed: int
    first_on: date
    plan: WorldPlan
    shows: tuple[MadeShow, ...]
    audience: Audience
    requests: Requests
    orders: tuple[Order, ...]
    refunds: tuple[Refund, ...]
    rates: tuple[Rate, ...]
    truth: Truth = field(repr=False)

    @property
    def last_on(self) -> date:
        """The last of the ninety days."""
        return self.first_on + timedelta(days=DAY_COUNT - 1)

    @property
    def agent_texts(self) -> tuple[str, ...]:
        """The user agents that a request's `agent` points into."""
        return (*(agent.text for agent in self.plan.agents), *self.plan.crawlers.texts, self.plan.crawlers.watch)


def make_world(*, seed: int, last_on: date, line_count: int) -> World:
    """The world whose ninety days end with `last_on`, with about `line_count` log lines."""
    plan, rng = load_plan(), np.random.default_rng(seed)
    first_on = last_on - timedelta(days=DAY_COUNT - 1)
    midnights = _midnights(first_on)
    shows = make_shows(plan.shows, rng, first_on, DAY_COUNT)
    visit_count = max(round(line_count / REQUESTS_PER_VISIT), 1)
    audience = make_audience(plan, rng, max(visit_count // _VISITS_PER_HOUSEHOLD, 50))
    requests = _make_traffic(plan, shows, audience, (visit_count, midnights, rng))
    heard = _heard_requests(shows, requests)
    shop = Shop(plan, audience, heard, int(midnights[0]), DAY_COUNT, rng)
    orders = make_orders(shop)
    refunds = make_refunds(shop, orders)
    rates = make_rates(plan, rng, first_on, DAY_COUNT)
    return World(
        seed=seed,
        first_on=first_on,
        plan=plan,
        shows=tuple(shows),
        audience=audience,
        requests=requests,
        orders=tuple(orders),
        refunds=tuple(refunds),
        rates=tuple(rates),
        truth=Truth(
            received_count=len(requests) + len(requests) // MALFORMED_EVERY,
            malformed_count=len(requests) // MALFORMED_EVERY,
            requests={fate: int((requests.fate == index).sum()) for index, fate in enumerate(FATES)},
            downloads=_count_downloads(shows, requests),
            campaigns=_count_money(plan, orders, refunds, rates, _count_ads(plan, heard, int(midnights[0]))),
        ),
    )


def _midnights(first_on: date) -> Ints:
    first = int(datetime.combine(first_on, time(), UTC).timestamp())
    return np.arange(DAY_COUNT, dtype=np.int64) * DAY_SECONDS + first


def _make_traffic(
    plan: WorldPlan, shows: list[MadeShow], audience: Audience, want: tuple[int, Ints, np.random.Generator]
) -> Requests:
    visit_count, midnights, rng = want
    visits = make_visits(shows, audience, rng, (visit_count, midnights))
    asked = make_requests(shows, audience, visits, midnights, rng)
    crawlers = range(len(plan.agents), len(plan.agents) + len(plan.crawlers.texts))
    has_watch = np.array([agent.watch for agent in plan.agents])
    counted = counted_requests(asked)
    sample = counted.chosen(rng.random(len(counted)) < _STRANGER_SHARE)
    parts = [asked, add_watches(asked, has_watch, crawlers.stop, rng), make_strangers(sample, crawlers, rng)]
    return join(parts).sorted_by_time()


def _heard_requests(shows: list[MadeShow], requests: Requests) -> Requests:
    """The downloads that held their episode's advertisement: all but those that were broken off before it."""
    counted = counted_requests(requests)
    first = np.cumsum([0, *(len(show.episodes) for show in shows)])
    sizes = np.array([episode.audio_bytes for show in shows for episode in show.episodes])
    return counted.chosen(counted.sent_bytes >= sizes[first[counted.show] + counted.path])


def _count_ads(plan: WorldPlan, heard: Requests, first_at: int) -> list[int]:
    """How often each campaign's advertisement was sent on the days of its flight."""
    slugs = [show.slug for show in plan.shows]
    days = (heard.at - first_at) // DAY_SECONDS
    counts = []
    for campaign in plan.campaigns:
        first, end = campaign.flight_days
        is_its_own = (heard.show == slugs.index(campaign.show)) & np.isin(heard.path, np.array(campaign.episodes) - 1)
        counts.append(int((is_its_own & (days >= first) & (days < end)).sum()))
    return counts


def _count_downloads(shows: list[MadeShow], requests: Requests) -> dict[tuple[str, str, date], int]:
    counted = counted_requests(requests)
    keys = np.stack([counted.show, counted.path, counted.at // DAY_SECONDS])
    kinds, counts = np.unique(keys, axis=1, return_counts=True)
    epoch = date(1970, 1, 1)
    return {
        (shows[show].plan.slug, shows[show].episodes[path].guid, epoch + timedelta(days=int(day))): int(count)
        for (show, path, day), count in zip(kinds.T, counts, strict=True)
    }


def _count_money(
    plan: WorldPlan, orders: list[Order], refunds: list[Refund], rates: list[Rate], ads: list[int]
) -> tuple[CampaignTruth, ...]:
    table = {(rate.base, rate.quote, rate.on): rate.rate for rate in rates}
    given: Counter[int] = Counter()
    gross: dict[int, Decimal] = {}
    back: dict[int, Decimal] = {}
    for order in orders:
        if order.campaign is not None and order.value is not None:
            given[order.campaign] += 1
            value = order.value * _rate(plan, table, order)
            gross[order.campaign] = gross.get(order.campaign, Decimal(0)) + value
    for refund in refunds:
        if refund.order.campaign is not None:
            amount = refund.amount * _rate(plan, table, refund.order)
            back[refund.order.campaign] = back.get(refund.order.campaign, Decimal(0)) + amount
    return tuple(
        _campaign_truth(campaign, (given[index], ads[index]), gross.get(index, Decimal(0)), back.get(index, Decimal(0)))
        for index, campaign in enumerate(plan.campaigns)
    )


def _campaign_truth(campaign: CampaignPlan, counts: tuple[int, int], gross: Decimal, back: Decimal) -> CampaignTruth:
    net = gross + back
    return CampaignTruth(campaign.name, *counts, gross, back, net, (net - campaign.value) / campaign.value)


def _rate(plan: WorldPlan, table: dict[tuple[str, str, date], Decimal], order: Order) -> Decimal:
    """Of the order's own day, also for its refund."""
    if order.campaign is None or order.currency is None:
        raise ValueError(order.order_id)
    wanted = plan.campaigns[order.campaign].currency
    return Decimal(1) if order.currency == wanted else table[order.currency, wanted, order.at.date()]
