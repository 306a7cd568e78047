"""`castline roi CAMPAIGN`: what a campaign cost and brought by a moment."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from castline.attribute.exposure import Span, compute_spans
from castline.attribute.window import MODEL_VERSION
from castline.base.period import Period, start_of_day
from castline.model.campaign import Campaign
from castline.model.listening import DailyMetric
from castline.model.roi import RoiFigures
from castline.roi.figures import RoiFacts, compute_figures
from castline.roi.rates import STALE_DAYS, Rates
from castline.roi.spend import Delivery, compute_spend
from castline.store.attribution import OrderCredit, count_order_sponsors, load_order_credits, load_order_refunds
from castline.store.campaigns import load_placements
from castline.store.conversions import load_rates
from castline.store.listening import load_daily
from castline.store.pool import Connection
from castline.store.shows import load_episodes


def compute_roi(connection: Connection, owner_id: UUID, campaign: Campaign, *, as_of: datetime) -> RoiFigures:
    """The campaign's figures from everything that happened before `as_of`."""
    placements = load_placements(connection, owner_id, campaign.campaign_id)
    daily = _load_downloads(connection, owner_id, campaign, as_of)
    downloads = count_downloads(compute_spans(campaign, placements), daily)
    published = {
        item.episode_id: item.publish_date for item in load_episodes(connection, owner_id, campaign.podcast_id)
    }
    known = {key: count for key, count in downloads.items() if key is not None}
    credited = load_order_credits(connection, owner_id, campaign.campaign_id, as_of)
    order_ids = sorted({item.order_id for item in credited if item.order_id is not None})
    return compute_figures(
        RoiFacts(
            campaign=campaign,
            as_of=as_of,
            spend=compute_spend(campaign, placements, Delivery(published, known), as_of),
            impressions=sum(downloads.values()),
            credits=credited,
            refunds=load_order_refunds(connection, owner_id, campaign.campaign_id, as_of),
            order_sponsors=count_order_sponsors(connection, owner_id, order_ids),
            rates=_load_rates(connection, owner_id, credited),
            model_version=", ".join(sorted({item.model_version for item in credited})) or MODEL_VERSION,
        )
    )


def _load_downloads(connection: Connection, owner_id: UUID, campaign: Campaign, as_of: datetime) -> list[DailyMetric]:
    end_at = min(campaign.end_date, as_of)
    if end_at <= campaign.start_date:
        return []
    period = Period(campaign.start_date, end_at)
    return load_daily(connection, owner_id, period, dimension="episode", podcast_ids=[campaign.podcast_id])


def count_downloads(spans: Sequence[Span], daily: Iterable[DailyMetric]) -> dict[UUID | None, int]:
    """Downloads on the UTC days that the campaign's spans touch, by episode; under None for the whole show."""
    counts: dict[UUID | None, int] = {span.episode_id: 0 for span in spans}
    by_member = {str(span.episode_id): span for span in spans if span.episode_id is not None}
    whole_show = next((span for span in spans if span.episode_id is None), None)
    for row in daily:
        span = whole_show or by_member.get(row.member)
        day_at = start_of_day(row.day_on)
        if span and day_at < span.end_at and day_at + timedelta(days=1) > span.start_at:
            counts[span.episode_id] += row.value
    return counts


def _load_rates(connection: Connection, owner_id: UUID, credited: Sequence[OrderCredit]) -> Rates:
    days = [item.occurred_at.astimezone(UTC).date() for item in credited]
    # A refund may come in another currency than its order, so rates are loaded even where every order is at home.
    if not days:
        return Rates([])
    first_on, end_on = min(days) - timedelta(days=STALE_DAYS), max(days) + timedelta(days=1)
    return Rates(load_rates(connection, owner_id, first_on=first_on, end_on=end_on))
