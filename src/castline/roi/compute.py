"""`castline roi CAMPAIGN`: what a campaign cost and brought by a moment."""

from datetime import datetime
from uuid import UUID

from castline.attribute.exposure import compute_spans
from castline.attribute.window import MODEL_VERSION
from castline.model.campaign import Campaign
from castline.model.roi import RoiFigures
from castline.roi.books import Books, load_books
from castline.roi.day_sums import DaySums, count_downloads
from castline.roi.figures import RoiFacts, compute_figures
from castline.roi.spend import Delivery, compute_spend
from castline.roi.sums import OrderSum
from castline.store.money.attribution import OrderRefund
from castline.store.pool import Connection


def compute_roi(connection: Connection, owner_id: UUID, campaign: Campaign, *, as_of: datetime) -> RoiFigures:
    """The campaign's figures from everything that happened before `as_of`."""
    return compute_from_books(load_books(connection, owner_id, [campaign], as_of=as_of), campaign)


def compute_from_books(books: Books, campaign: Campaign, *, as_of: datetime | None = None) -> RoiFigures:
    """The campaign's figures as of the books' own moment, or of an earlier one that they were loaded for."""
    return compute_figures(_find_facts(books, campaign, as_of or books.as_of))


def _find_facts(books: Books, campaign: Campaign, as_of: datetime) -> RoiFacts:
    placements = books.placements.get(campaign.campaign_id, ())
    days = books.downloads.get(campaign.podcast_id, DaySums(()))
    downloads = count_downloads(compute_spans(campaign, placements), days, as_of)
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
        has_conversions=books.conversions_from is not None and books.conversions_from < as_of,
    )


def _sums_before(books: Books, campaign: Campaign, as_of: datetime) -> list[OrderSum]:
    """The sums of the spans that end at `as_of` or before. Raises ValueError for a moment that no span ends at."""
    place = books.moments.index(as_of)
    return [item for item in books.sums.get(campaign.campaign_id, ()) if item.span <= place]


def _in_time(refund: OrderRefund) -> tuple[datetime, UUID]:
    return refund.occurred_at, refund.refund_id
