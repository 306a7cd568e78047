"""What reports and pages know of a campaign's ads, asked as every other figure is."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final, get_args
from uuid import UUID

from castline.base.period import Period
from castline.measure.figures.query import run_query
from castline.model.campaign import Campaign
from castline.model.figures import AudienceDimension, AudienceShare
from castline.model.query import AD_MEASURES, Filters, Measure, Query, ask_days
from castline.roi.day_sums import DaySums
from castline.store.pool import Connection

Ads = Mapping[Measure, DaySums]
_DIMENSIONS: Final[tuple[AudienceDimension, ...]] = get_args(AudienceDimension)
# Raw downloads are kept for 90 days: of a longer flight the last of its days are told, where the whole is not.
_RAW_DAYS: Final = 90


def load_ads(connection: Connection, owner_id: UUID, campaigns: Sequence[Campaign], as_of: datetime) -> dict[UUID, Ads]:
    """What became of the ads by placement and UTC day, by campaign; of those whose flight has begun."""
    flown = [campaign for campaign in campaigns if campaign.start_date < as_of]
    if not flown:
        return {}
    period = Period(min(item.start_date for item in flown), min(max(item.end_date for item in flown), as_of))
    answers = {
        measure: [
            run_query(connection, owner_id, query)
            for query in ask_days(period, measure, ("placement",), sorted({item.podcast_id for item in flown}))
        ]
        for measure in AD_MEASURES
    }
    lost = [item.withheld for found in answers.values() for item in found if item.withheld]
    if len(flown) > 1 and any(withheld.reason == "not_measured" for withheld in lost):
        # A day of another's flight must not hide this one's ads: its report, too, asks for its own days alone.
        alone = [load_ads(connection, owner_id, [campaign], as_of) for campaign in flown]
        return {key: ads for found in alone for key, ads in found.items()}
    sums = {measure: DaySums(row for item in found for row in item.rows) for measure, found in answers.items()}
    return {campaign.campaign_id: sums for campaign in flown}


def load_audience(
    connection: Connection, campaign: Campaign, episode_ids: Sequence[UUID] | None, days: tuple[date, date]
) -> tuple[AudienceShare, ...]:
    """Downloads of the episodes, or of the whole show, by app, country and kind of device, the most first.

    The same days for all three: the flight's, or as many of its last ones as are still kept, or none.
    """
    first_on, last_on = days
    filters = Filters((campaign.podcast_id,), tuple(episode_ids or ()))
    for begin_on in (first_on, max(first_on, last_on - timedelta(days=_RAW_DAYS - 1))):
        queries = [Query(begin_on, last_on, dimensions=(name,), filters=filters) for name in _DIMENSIONS]
        answers = [run_query(connection, campaign.user_id, query) for query in queries]
        if not any(answer.withheld for answer in answers):
            return tuple(
                AudienceShare(dimension, row.members[0], row.value or 0)
                for dimension, answer in zip(_DIMENSIONS, answers, strict=True)
                for row in answer.rows
            )
    return ()
