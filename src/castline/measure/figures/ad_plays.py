"""Ads that players say they played, by campaign: plays, quarters and ends. Method: docs/method/ads-delivered.md"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

from castline.catalogue.metrics import load_metrics
from castline.model.campaign import Campaign
from castline.model.query import Query
from castline.store.entities.campaigns import load_campaigns
from castline.store.listening.playback import AdPlayCount, count_ad_plays
from castline.store.pool import Connection

_RATE: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class CampaignAdPlays:
    """A campaign's ad plays that players confirmed; `campaign_id` is None for those whose campaign nobody knows."""

    campaign_id: UUID | None
    campaign: str | None
    plays: int
    first_quarter: int
    half: int
    third_quarter: int
    complete: int
    skips: int
    completion_rate: Decimal


@dataclass(frozen=True, slots=True)
class AdPlays:
    """The plays of the days, the most played campaign first; none where no player told of any.

    `metric` names the catalogue's definition and its version.
    """

    metric: str
    campaigns: tuple[CampaignAdPlays, ...]


def compute_ad_plays(connection: Connection, owner_id: UUID, query: Query) -> AdPlays:
    """The plays that began on the query's days, of what it lets through; nothing that players did not tell."""
    asked = replace(query, measure="ad_plays", dimensions=("campaign",), grain="none")
    names = {str(item.campaign_id): item for item in load_campaigns(connection, owner_id)}
    rows = [_figure(row, names.get(row.first_member)) for row in count_ad_plays(connection, owner_id, asked)]
    metric = load_metrics()["ad_plays"]
    ranked = sorted(rows, key=lambda row: (-row.plays, row.campaign is None, row.campaign or "", str(row.campaign_id)))
    return AdPlays(f"{metric.name}/{metric.version}", tuple(ranked))


def _figure(row: AdPlayCount, campaign: Campaign | None) -> CampaignAdPlays:
    return CampaignAdPlays(
        campaign_id=campaign.campaign_id if campaign else None,
        campaign=campaign.name if campaign else None,
        plays=row.ad_plays,
        first_quarter=row.ad_plays_25,
        half=row.ad_plays_50,
        third_quarter=row.ad_plays_75,
        complete=row.ad_completes,
        skips=row.ad_skips,
        completion_rate=(Decimal(row.ad_completes) / row.ad_plays).quantize(_RATE),
    )
