"""Campaigns as the pages show them: what was delivered, what it cost, what it brought."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from castline.base.period import Period
from castline.model.campaign import Campaign
from castline.model.figures import MeasuredDays
from castline.model.roi import NO_CONVERSION, RoiFigures
from castline.model.vocab import CampaignStatus
from castline.report.delivery import CampaignDelivery, Delivered, Listening, add_up_delivery, deliver_placement
from castline.report.layout import NOT_MEASURED
from castline.report.listening import Ads, load_ads
from castline.roi.books import Books
from castline.roi.compute import compute_from_books
from castline.roi.day_sums import DaySums
from castline.store.entities.campaigns import load_campaigns, load_sponsors
from castline.store.entities.shows import load_podcasts
from castline.store.listening.downloads import load_waterfall
from castline.store.listening.overview import load_credited_campaigns
from castline.store.pool import Connection
from castline.web.query import MetricQuery


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """One campaign: figures are of its whole flight until now, whatever days the page is about.

    `unmeasured` says why nothing is known of what was delivered, and `unearned` why nothing of what that brought;
    empty where something is.
    """

    campaign_id: UUID
    name: str
    show: str
    sponsor: str
    status: CampaignStatus
    start_date: datetime
    end_date: datetime
    currency: str
    cost: Decimal
    downloads: int
    delivery: CampaignDelivery
    credited_orders: Decimal
    net_revenue: Decimal
    roi_rate: Decimal | None
    roas: Decimal | None
    unmeasured: str = ""
    unearned: str = ""

    @property
    def delivery_rate(self) -> float | None:
        """Delivered / contracted as the report has it, None where nothing was contracted."""
        return self.delivery.paced / self.delivery.contracted if self.delivery.contracted else None


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
    asked = [campaign for campaign in load_campaigns(connection, owner_id) if _is_asked_for(campaign, query)]
    placed = [campaign for campaign in asked if books.placements.get(campaign.campaign_id)]
    ads = load_ads(connection, owner_id, placed, books.as_of)
    rows = []
    for campaign in asked:
        figures = compute_from_books(books, campaign)
        names = (shows[campaign.podcast_id], sponsors[campaign.sponsor_id])
        row = _row(campaign, figures, names, _deliver(books, campaign, ads.get(campaign.campaign_id)))
        rows.append(row if figures.impressions else _tell_unmeasured(connection, row, campaign, books.as_of))
    return tuple(rows)


def _deliver(books: Books, campaign: Campaign, ads: Ads | None) -> CampaignDelivery:
    """What the placements delivered, by the report's own count; nothing before the flight."""
    placements = books.placements.get(campaign.campaign_id, ())
    if ads is None:
        contracts = [item.contracted_impressions for item in placements]
        return add_up_delivery([Delivered(contracted, 0, None) for contracted in contracts])
    flight = Period(campaign.start_date, min(campaign.end_date, books.as_of))
    downloads = books.downloads.get(campaign.podcast_id, DaySums(()))
    listening = Listening(downloads, ads, flight, MeasuredDays())
    return add_up_delivery([deliver_placement(listening, item) for item in placements])


def _tell_unmeasured(connection: Connection, row: CampaignRow, campaign: Campaign, as_of: datetime) -> CampaignRow:
    """Without any request in the flight nothing is known, and that is no zero."""
    if as_of <= campaign.start_date:
        return replace(row, unmeasured="the flight has not begun")
    flight = Period(campaign.start_date, min(campaign.end_date, as_of))
    if load_waterfall(connection, campaign.user_id, flight, podcast_ids=[campaign.podcast_id]):
        return row
    return replace(row, unmeasured=NOT_MEASURED.reason)


def _is_asked_for(campaign: Campaign, query: MetricQuery) -> bool:
    is_of_show = query.podcast_id in {None, campaign.podcast_id}
    return is_of_show and campaign.start_date < query.period.end_at and campaign.end_date > query.period.start_at


def _row(campaign: Campaign, figures: RoiFigures, names: tuple[str, str], delivery: CampaignDelivery) -> CampaignRow:
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
        downloads=figures.impressions,
        delivery=delivery,
        credited_orders=figures.credited_orders,
        net_revenue=figures.net_revenue,
        roi_rate=figures.roi_rate,
        roas=figures.roas,
        unearned="" if figures.has_conversions else NO_CONVERSION,
    )


def ends_of(query: MetricQuery, before: MetricQuery | None) -> list[datetime]:
    """Where the days begin and end, and then those that they are compared with."""
    return [end for part in (query, before) if part for end in (part.period.start_at, part.period.end_at)]


def compute_earned(
    connection: Connection, owner_id: UUID, query: MetricQuery, before: MetricQuery | None, books: Books
) -> tuple[Earned, Earned | None]:
    """What the days brought, and what those `before` did that they are compared with.

    It is the growth of each campaign's figures from where the days begin to where they end.
    """
    ends = [min(end, books.as_of) for end in ends_of(query, before)]
    parts = list(zip(ends[::2], ends[1::2], strict=True))
    credited = load_credited_campaigns(connection, owner_id, min(ends), max(ends))
    earned = [NOTHING for _ in parts]
    for campaign in load_campaigns(connection, owner_id):
        if campaign.campaign_id not in credited or query.podcast_id not in {None, campaign.podcast_id}:
            continue
        for place, span in enumerate(parts):
            start, end = (compute_from_books(books, campaign, as_of=moment) for moment in span)
            earned[place] = _grown(earned[place], start, end)
    return earned[0], earned[1] if before else None


def _grown(earned: Earned, start: RoiFigures, end: RoiFigures) -> Earned:
    revenue = dict(earned.net_revenue)
    revenue[end.currency] = revenue.get(end.currency, Decimal(0)) + end.net_revenue - start.net_revenue
    return Earned(earned.orders + end.credited_orders - start.credited_orders, revenue)


def find_currency(rows: Sequence[CampaignRow], earned: Earned) -> str | None:
    """The currency that most campaigns have; amounts of others are never converted silently. None without campaigns."""
    counts = Counter([row.currency for row in rows] or list(earned.net_revenue))
    return max(counts, key=lambda code: (counts[code], code)) if counts else None


def compute_joint_roi(rows: Sequence[CampaignRow], currency: str) -> Decimal | None:
    """(net revenue - cost) / cost over the campaigns of a currency; None where they cost nothing.

    A draft is not agreed: it cost nothing yet.
    """
    agreed = [row for row in rows if row.currency == currency and row.status != "draft"]
    net = sum((row.net_revenue for row in agreed), Decimal(0))
    cost = sum((row.cost for row in agreed), Decimal(0))
    return (net - cost) / cost if cost else None
