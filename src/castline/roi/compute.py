"""`castline roi CAMPAIGN`: what a campaign cost and brought by a moment."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from castline.attribute.exposure import Span, compute_spans
from castline.attribute.window import MODEL_VERSION
from castline.base.period import Period, start_of_day
from castline.model.campaign import Campaign
from castline.model.listening import DailyMetric
from castline.model.roi import RoiFigures
from castline.roi.books import Books, load_books
from castline.roi.figures import RoiFacts, compute_figures
from castline.roi.spend import Delivery, compute_spend
from castline.store.attribution import OrderRefund, OrderSum
from castline.store.pool import Connection


def compute_roi(connection: Connection, owner_id: UUID, campaign: Campaign, *, as_of: datetime) -> RoiFigures:
    """The campaign's figures from everything that happened before `as_of`."""
    return compute_from_books(load_books(connection, owner_id, [campaign], as_of=as_of), campaign)


def compute_from_books(books: Books, campaign: Campaign, *, as_of: datetime | None = None) -> RoiFigures:
    """The campaign's figures as of the books' own moment, or of an earlier one that they were loaded for."""
    return compute_figures(_find_facts(books, campaign, as_of or books.as_of))


def _find_facts(books: Books, campaign: Campaign, as_of: datetime) -> RoiFacts:
    placements = books.placements.get(campaign.campaign_id, ())
    downloads = count_downloads(compute_spans(campaign, placements), _downloads_of(books, campaign, as_of))
    credited = [item for item in books.credits.get(campaign.campaign_id, ()) if item.occurred_at < as_of]
    sums = _sums_before(books, campaign, as_of)
    versions = {item.model_version for item in credited} | {item.model_version for item in sums}
    order_ids = {item.order_id for item in credited if item.order_id is not None} & books.refunds.keys()
    refunds = [item for key in order_ids for item in books.refunds[key] if item.occurred_at < as_of]
    return RoiFacts(
        campaign=campaign,
        as_of=as_of,
        spend=compute_spend(campaign, placements, Delivery(books.published, downloads), as_of),
        impressions=sum(downloads.values()),
        sums=sums,
        credits=credited,
        refunds=sorted(refunds, key=_in_time),
        order_sponsors=books.order_sponsors,
        rates=books.rates,
        model_version=", ".join(sorted(versions)) or MODEL_VERSION,
    )


def _sums_before(books: Books, campaign: Campaign, as_of: datetime) -> list[OrderSum]:
    """The sums of the spans that end at `as_of` or before. Raises ValueError for a moment that no span ends at."""
    place = books.moments.index(as_of)
    return [item for item in books.sums.get(campaign.campaign_id, ()) if item.span <= place]


def _in_time(refund: OrderRefund) -> tuple[datetime, UUID]:
    return refund.occurred_at, refund.refund_id


def _downloads_of(books: Books, campaign: Campaign, as_of: datetime) -> list[DailyMetric]:
    days = books.downloads.get(campaign.podcast_id, {})
    end_at = min(campaign.end_date, as_of)
    if not days or end_at <= campaign.start_date:
        return []
    return [row for day in Period(campaign.start_date, end_at).iter_days() for row in days.get(day, ())]


def count_downloads(spans: Sequence[Span], daily: Iterable[DailyMetric]) -> dict[UUID, int]:
    """Downloads by episode on the UTC days that the campaign's spans touch."""
    by_member = {str(span.episode_id): span for span in spans if span.episode_id is not None}
    whole_show = next((span for span in spans if span.episode_id is None), None)
    counts: dict[str, int] = {}
    for row in daily:
        span = whole_show or by_member.get(row.member)
        day_at = start_of_day(row.day_on)
        if span and day_at < span.end_at and day_at + timedelta(days=1) > span.start_at:
            counts[row.member] = counts.get(row.member, 0) + row.value
    return {UUID(member): count for member, count in counts.items()}
