"""Campaigns as the pages show them: what was delivered, what it cost, what it brought."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from castline.model.campaign import Campaign
from castline.model.roi import RoiFigures
from castline.model.vocab import CampaignStatus
from castline.roi.books import Books
from castline.roi.compute import compute_from_books
from castline.store.campaigns import load_campaigns, load_placements, load_sponsors
from castline.store.overview import load_credited_campaigns
from castline.store.pool import Connection
from castline.store.shows import load_podcasts
from castline.web.query import MetricQuery


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One campaign: figures are of its whole flight until now, whatever days the page is about."""

    campaign_id: UUID
    name: str
    show: str
    sponsor: str
    status: CampaignStatus
    start_date: datetime
    end_date: datetime
    currency: str
    cost: Decimal
    delivered: int
    contracted: int | None
    credited_orders: Decimal
    net_revenue: Decimal
    roi_rate: Decimal | None
    roas: Decimal | None

    @property
    def delivery_rate(self) -> float | None:
        """Delivered / contracted, None where nothing was contracted."""
        return self.delivered / self.contracted if self.contracted else None


@dataclass(frozen=True, slots=True)
class Earned:
    """What conversions of some days brought: orders over all campaigns, net revenue by currency."""

    orders: Decimal
    net_revenue: dict[str, Decimal]


NOTHING: Final = Earned(Decimal(0), {})


def load_campaign_rows(
    connection: Connection, owner_id: UUID, query: MetricQuery, books: Books
) -> tuple[CampaignRow, ...]:
    """The campaigns whose flight touches the days, newest first."""
    shows = {show.podcast_id: show.title for show in load_podcasts(connection, owner_id)}
    sponsors = {sponsor.sponsor_id: sponsor.name for sponsor in load_sponsors(connection, owner_id)}
    contracted: dict[UUID, list[int]] = defaultdict(list)
    for placement in load_placements(connection, owner_id):
        contracted[placement.campaign_id].append(placement.contracted_impressions or 0)
    rows = []
    for campaign in load_campaigns(connection, owner_id):
        if not _is_asked_for(campaign, query):
            continue
        figures = compute_from_books(books, campaign)
        names = (shows[campaign.podcast_id], sponsors[campaign.sponsor_id])
        rows.append(_row(campaign, figures, names, sum(contracted[campaign.campaign_id]) or None))
    return tuple(rows)


def _is_asked_for(campaign: Campaign, query: MetricQuery) -> bool:
    is_of_show = query.podcast_id in {None, campaign.podcast_id}
    return is_of_show and campaign.start_date < query.period.end_at and campaign.end_date > query.period.start_at


def _row(campaign: Campaign, figures: RoiFigures, names: tuple[str, str], contracted: int | None) -> CampaignRow:
    return CampaignRow(
        campaign_id=campaign.campaign_id,
        name=campaign.name,
        show=names[0],
        sponsor=names[1],
        status=campaign.status,
        start_date=campaign.start_date,
        end_date=campaign.end_date,
        currency=figures.currency,
        cost=figures.cost,
        delivered=figures.impressions,
        contracted=contracted,
        credited_orders=figures.credited_orders,
        net_revenue=figures.net_revenue,
        roi_rate=figures.roi_rate,
        roas=figures.roas,
    )


def ends_of(query: MetricQuery) -> list[datetime]:
    """Where the days begin and end, and then those that they are compared with."""
    return [end for part in (query, query.previous) if part for end in (part.period.start_at, part.period.end_at)]


def compute_earned(
    connection: Connection, owner_id: UUID, query: MetricQuery, books: Books
) -> tuple[Earned, Earned | None]:
    """What the days brought, and what those that they are compared with did.

    It is the growth of each campaign's figures from where the days begin to where they end.
    """
    ends = [min(end, books.as_of) for end in ends_of(query)]
    parts = list(zip(ends[::2], ends[1::2], strict=True))
    credited = load_credited_campaigns(connection, owner_id, min(ends), max(ends))
    earned = [NOTHING for _ in parts]
    for campaign in load_campaigns(connection, owner_id):
        if campaign.campaign_id not in credited or query.podcast_id not in {None, campaign.podcast_id}:
            continue
        for place, span in enumerate(parts):
            start, end = (compute_from_books(books, campaign, as_of=moment) for moment in span)
            earned[place] = _grown(earned[place], start, end)
    return earned[0], earned[1] if query.previous else None


def _grown(earned: Earned, start: RoiFigures, end: RoiFigures) -> Earned:
    revenue = dict(earned.net_revenue)
    revenue[end.currency] = revenue.get(end.currency, Decimal(0)) + end.net_revenue - start.net_revenue
    return Earned(earned.orders + end.credited_orders - start.credited_orders, revenue)


def find_currency(rows: Sequence[CampaignRow], earned: Earned) -> str | None:
    """The currency that most campaigns have; amounts of others are never converted silently. None without campaigns."""
    counts = Counter([row.currency for row in rows] or list(earned.net_revenue))
    return max(counts, key=lambda code: (counts[code], code)) if counts else None


def compute_joint_roi(rows: Sequence[CampaignRow], currency: str) -> Decimal | None:
    """(net revenue - cost) / cost over the campaigns of a currency; None where they cost nothing."""
    net = sum((row.net_revenue for row in rows if row.currency == currency), Decimal(0))
    cost = sum((row.cost for row in rows if row.currency == currency), Decimal(0))
    return (net - cost) / cost if cost else None
