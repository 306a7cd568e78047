"""What the figures of some campaigns are computed from, fetched for all of them at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import polars as pl

from castline.base.period import Period
from castline.measure.figures.query import run_query
from castline.model.campaign import Campaign, Placement
from castline.model.query import ask_days
from castline.roi.day_sums import DaySums
from castline.roi.rates import STALE_DAYS, Rates
from castline.roi.sums import OrderSum, add_up, read_credits
from castline.store.entities.campaigns import load_placements
from castline.store.entities.shows import load_episodes
from castline.store.money.attribution import (
    OrderCredit,
    OrderRefund,
    count_order_sponsors,
    export_order_credits,
    load_order_credits,
    load_order_refunds,
)
from castline.store.money.conversions import find_first_conversion, load_rates
from castline.store.pool import Connection

Key = TypeVar("Key")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Books:
    """Credits, refunds, placements and downloads of some campaigns until `as_of`.

    `moments` are those that figures can be asked of, in order, the last of them `as_of`. `sums` are by campaign and
    hold the orders without a refund, added up by the spans between the moments. `credits` are by campaign and hold
    every part of each other order that it has a part in, `refunds` are by order number. `conversions_from` is the first
    that the account was told of, None where it never was told of any.
    """

    as_of: datetime
    moments: Sequence[datetime]
    sums: Mapping[UUID, Sequence[OrderSum]]
    credits: Mapping[UUID, Sequence[OrderCredit]]
    refunds: Mapping[str, Sequence[OrderRefund]]
    order_sponsors: Mapping[str, int]
    rates: Rates
    placements: Mapping[UUID, Sequence[Placement]]
    downloads: Mapping[UUID, DaySums]
    published: Mapping[UUID, datetime]
    conversions_from: datetime | None


def load_books(
    connection: Connection,
    owner_id: UUID,
    campaigns: Sequence[Campaign],
    *,
    as_of: datetime,
    earlier: Sequence[datetime] = (),
) -> Books:
    """The books of the campaigns, to be asked of `as_of` and of the earlier moments: a handful of queries."""
    campaign_ids = [campaign.campaign_id for campaign in campaigns]
    moments = sorted({as_of, *(moment for moment in earlier if moment < as_of)})
    refunds = load_order_refunds(connection, owner_id, as_of)
    order_ids = sorted({refund.order_id for refund in refunds})
    credited = load_order_credits(connection, owner_id, campaign_ids, order_ids, as_of) if order_ids else []
    told = read_credits(export_order_credits(connection, owner_id, campaign_ids, as_of))
    rates = _load_rates(connection, owner_id, told, credited)
    sums = add_up(told, campaigns, moments, rates)
    podcast_ids = sorted({campaign.podcast_id for campaign in campaigns})
    return Books(
        as_of=as_of,
        moments=moments,
        sums=_group((item.campaign_id, item) for item in sums),
        credits=_by_campaign(credited, set(campaign_ids)),
        refunds=_group((refund.order_id, refund) for refund in refunds),
        order_sponsors=count_order_sponsors(connection, owner_id, order_ids),
        rates=rates,
        placements=_load_placements(connection, owner_id, campaign_ids),
        downloads=_load_downloads(connection, owner_id, campaigns, as_of),
        published={
            item.episode_id: item.publish_date
            for podcast_id in podcast_ids
            for item in load_episodes(connection, owner_id, podcast_id)
        },
        conversions_from=find_first_conversion(connection, owner_id),
    )


def _by_campaign(credited: Sequence[OrderCredit], wanted: set[UUID]) -> dict[UUID, list[OrderCredit]]:
    """Every part of each order for each campaign that has one; an order's parts stay together."""
    found: dict[UUID, list[OrderCredit]] = defaultdict(list)
    for parts in _group((item.conversion_id, item) for item in credited).values():
        for item in parts:
            if item.campaign_id in wanted:
                found[item.campaign_id].extend(parts)
    return found


def _load_placements(
    connection: Connection, owner_id: UUID, campaign_ids: Sequence[UUID]
) -> dict[UUID, list[Placement]]:
    only = campaign_ids[0] if len(campaign_ids) == 1 else None
    return _group((item.campaign_id, item) for item in load_placements(connection, owner_id, only))


def _load_downloads(
    connection: Connection, owner_id: UUID, campaigns: Sequence[Campaign], as_of: datetime
) -> dict[UUID, DaySums]:
    """By show, over all the flights so far."""
    flown = [item for item in campaigns if item.start_date < as_of]
    if not flown:
        return {}
    period = Period(min(item.start_date for item in flown), min(max(item.end_date for item in flown), as_of))
    shows = sorted({item.podcast_id for item in flown})
    queries = ask_days(period, "downloads", ("show", "episode"), shows)
    rows = (row for query in queries for row in run_query(connection, owner_id, query).rows)
    by_show = _group((row.members[0], row) for row in rows)
    return {UUID(podcast_id): DaySums(found) for podcast_id, found in by_show.items()}


def _load_rates(connection: Connection, owner_id: UUID, told: pl.DataFrame, credited: Sequence[OrderCredit]) -> Rates:
    days = [item.occurred_at.astimezone(UTC).date() for item in credited]
    days += told.select(pl.from_epoch("at", "us").dt.date().unique())["at"].to_list()
    # A refund may come in another currency than its order, so rates are loaded even where every order is at home.
    if not days:
        return Rates([])
    first_on, end_on = min(days) - timedelta(days=STALE_DAYS), max(days) + timedelta(days=1)
    return Rates(load_rates(connection, owner_id, first_on=first_on, end_on=end_on))


def _group(pairs: Iterable[tuple[Key, Item]]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for key, item in pairs:
        groups.setdefault(key, []).append(item)
    return groups
