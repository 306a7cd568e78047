"""Ads that players say they played, by campaign: plays, quarters and ends. Method: docs/method/ads-delivered.md"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from castline.catalogue.metrics import load_metrics
from castline.model.query import Query
from castline.store.playback import CampaignPlays, load_ad_plays
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
    """The plays that began on the query's days, of its shows and campaigns; nothing that players did not tell."""
    chosen = query.filters.campaign_ids
    rows = load_ad_plays(connection, owner_id, query.period, query.filters.podcast_ids)
    metric = load_metrics()["ad_plays"]
    kept = tuple(_figure(row) for row in rows if not chosen or row.campaign_id in chosen)
    return AdPlays(f"{metric.name}/{metric.version}", kept)


def _figure(row: CampaignPlays) -> CampaignAdPlays:
    return CampaignAdPlays(
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        plays=row.play_count,
        first_quarter=row.first_quarter_count,
        half=row.half_count,
        third_quarter=row.third_quarter_count,
        complete=row.complete_count,
        skips=row.skip_count,
        completion_rate=(Decimal(row.complete_count) / row.play_count).quantize(_RATE),
    )
