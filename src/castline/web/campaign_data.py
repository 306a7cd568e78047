"""Campaigns as the pages show them: what was delivered, what it cost, what it brought."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg import Connection

from castline.base.money import Money
from castline.model.campaign import Campaign
from castline.model.roi import RoiFigures
from castline.model.vocab import CampaignStatus
from castline.report.numbers import NO_VALUE
from castline.roi.compute import compute_roi
from castline.store.campaigns import load_campaigns, load_placements, load_sponsors
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
class MoneySum:
    """The money of several campaigns in the currency that most of them have; `note` says what is left out."""

    net_revenue: str
    roi: str
    note: str


def load_campaign_rows(
    connection: Connection, owner_id: UUID, query: MetricQuery, at: datetime
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
        figures = compute_roi(connection, owner_id, campaign, as_of=at)
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


def sum_money(rows: tuple[CampaignRow, ...]) -> MoneySum:
    """Net revenue and ROI over the campaigns of the most common currency; others are never converted silently."""
    by_currency: dict[str, list[CampaignRow]] = defaultdict(list)
    for row in rows:
        by_currency[row.currency].append(row)
    if not by_currency:
        return MoneySum(NO_VALUE, NO_VALUE, "No campaign flew in these days.")
    currency = max(by_currency, key=lambda code: (len(by_currency[code]), code))
    chosen = by_currency[currency]
    net = sum((row.net_revenue for row in chosen), Decimal(0))
    cost = sum((row.cost for row in chosen), Decimal(0))
    roi = f"{(net - cost) / cost * 100:,.1f} %" if cost else NO_VALUE
    note = f"{len(chosen)} campaign{'s' if len(chosen) > 1 else ''} of these days, whole flights to date."
    if others := sorted(set(by_currency) - {currency}):
        note += f" Those in {', '.join(others)} stand in the table."
    return MoneySum(str(Money(net, currency)), roi, note)
