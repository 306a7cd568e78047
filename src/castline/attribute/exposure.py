"""Where and when a campaign can be heard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from castline.model.campaign import Campaign, Placement


@dataclass(frozen=True, slots=True)
class Span:
    """Downloads in [start_at, end_at) carry the campaign: of one episode, or of the whole show where it is None."""

    campaign_id: UUID
    sponsor_id: UUID
    podcast_id: UUID
    episode_id: UUID | None
    start_at: datetime
    end_at: datetime


def compute_spans(campaign: Campaign, placements: Iterable[Placement]) -> list[Span]:
    """One span per episode of the campaign, those it lists and those it is placed in, or one for the whole show.

    A span begins with the flight, or with the placement's air date where that is later: what was fetched before it
    could not hold the ad. An episode that airs after the flight has none.
    """
    starts: dict[UUID | None, datetime] = {}
    placed = list(placements)
    covered = campaign.covered_episodes(placed)
    for placement in placed if covered else ():
        aired = max(campaign.start_date, placement.air_date or campaign.start_date)
        starts[placement.episode_id] = min(aired, starts.get(placement.episode_id, aired))
    for episode_id in campaign.episode_ids or (None,):
        starts.setdefault(episode_id, campaign.start_date)
    return [
        Span(campaign.campaign_id, campaign.sponsor_id, campaign.podcast_id, episode_id, start, campaign.end_date)
        for episode_id, start in starts.items()
        if start < campaign.end_date
    ]


def group_placements(placements: Iterable[Placement]) -> Mapping[UUID, list[Placement]]:
    """The placements by campaign."""
    groups: dict[UUID, list[Placement]] = {}
    for placement in placements:
        groups.setdefault(placement.campaign_id, []).append(placement)
    return groups
