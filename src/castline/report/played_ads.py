"""The campaign's ads that players say they played, as a table of its report; none where no player told of any."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import UNSET, UnsetType

from castline.base.period import Period
from castline.measure.figures.ad_plays import compute_ad_plays
from castline.model.campaign import Campaign
from castline.model.figures import Column, PlayedAds, ReportFigures, Table
from castline.model.query import Filters, Query
from castline.report.definitions import name_metric
from castline.store.pool import Connection

FLIGHT: Final = "flight"
# Players' events are kept for 90 days; the oldest may be deleted at any moment.
_RAW_DAYS: Final = 89
_STEPS: Final = (
    ("plays", "Started"),
    ("first_quarter", "First quarter"),
    ("half", "Half"),
    ("third_quarter", "Third quarter"),
    ("complete", "To the end"),
    ("skips", "Skipped"),
)


def load_played_ads(
    connection: Connection, campaign: Campaign, flight: Period, as_of: datetime
) -> PlayedAds | UnsetType:
    """What players told of the campaign's ads on the flight's UTC days, as far back as it is kept."""
    kept_on = (as_of.astimezone(UTC) - timedelta(days=_RAW_DAYS)).date()
    days = [day for day in flight.iter_days() if day >= kept_on]
    if not days:
        return UNSET
    filters = Filters((campaign.podcast_id,), campaign_ids=(campaign.campaign_id,))
    found = compute_ad_plays(connection, campaign.user_id, Query(days[0], days[-1], filters=filters)).campaigns
    if not found:
        return UNSET
    [row] = found
    return PlayedAds(days[0], row.plays, row.first_quarter, row.half, row.third_quarter, row.complete, row.skips)


def iter_played_tables(figures: ReportFigures) -> Iterator[Table]:
    """The table of what players told, if they told of any."""
    played = figures.played_ads
    if isinstance(played, UnsetType):
        return
    yield Table(
        "played_ads",
        "Ads played, as players say",
        (Column("step", "Came to", "text"), Column("ad_plays", "Plays", "count", name_metric("ad_plays"), FLIGHT)),
        tuple((label, getattr(played, name)) for name, label in _STEPS),
        _describe(figures, played),
    )


def _describe(figures: ReportFigures, played: PlayedAds) -> str:
    note = "Only some players tell, so these are no part of the downloads and not all that was heard."
    begun = figures.subject.flight.start_at.astimezone(UTC).date()
    if played.first_on > begun:
        note += f" Players' events are kept for 90 days: these are from {played.first_on} on."
    return note
