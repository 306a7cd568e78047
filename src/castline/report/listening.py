"""What reports and pages know of a campaign's ads, asked as every other figure is."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from castline.base.period import Period
from castline.measure.query import run_query
from castline.model.campaign import Campaign
from castline.model.query import AD_MEASURES, Measure, ask_days
from castline.roi.day_sums import DaySums
from castline.store.pool import Connection

Ads = Mapping[Measure, DaySums]


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
