"""How much of a campaign's fee has been earned by a moment. Method: docs/method/roi.md

A placement accrues whole on its launch day; a dynamic one with contracted impressions pro rata to delivery, up to its
plan. What no placement bears accrues pro rata to the time flown. All together never exceed the fee.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final
from uuid import UUID

from castline.base.money import minor_unit, split_by_weight
from castline.base.period import start_of_day
from castline.model.campaign import Campaign, Placement

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """When episodes came out, and how many downloads of the flight they have had by the moment."""

    published_at: Mapping[UUID, datetime]
    downloads: Mapping[UUID, int]


def compute_spend(campaign: Campaign, placements: Sequence[Placement], delivery: Delivery, as_of: datetime) -> Decimal:
    """The part of the fee accrued before `as_of`, in the campaign's currency, to the minor unit."""
    unit = minor_unit(campaign.currency)
    fee = campaign.campaign_value
    plans = plan_costs(campaign, placements)
    unplaced = max(fee - sum(plans.values(), Decimal(0)), Decimal(0))
    accrued = sum(
        (accrue_placement(item, plans[item.placement_id], delivery, as_of) for item in placements), Decimal(0)
    )
    accrued += unplaced * _flown_share(campaign, as_of)
    return min(accrued, fee).quantize(unit, ROUND_HALF_EVEN)


def plan_costs(campaign: Campaign, placements: Sequence[Placement]) -> dict[UUID, Decimal]:
    """What each placement costs: as agreed, and where nothing is agreed its share of the rest of the fee.

    The rest is split by contracted impressions where every such placement has some, else equally.
    """
    agreed = {item.placement_id: item.cost for item in placements if item.cost is not None}
    open_ones = [item for item in placements if item.cost is None]
    rest = max(campaign.campaign_value - sum(agreed.values(), Decimal(0)), Decimal(0))
    if not open_ones:
        return agreed
    by_impressions = all(item.contracted_impressions for item in open_ones)
    weights = {
        item.placement_id: Decimal(item.contracted_impressions or 0) if by_impressions else Decimal(1)
        for item in open_ones
    }
    unit = minor_unit(campaign.currency)
    return agreed | split_by_weight(rest.quantize(unit, ROUND_HALF_EVEN), weights, unit)


def accrue_placement(placement: Placement, plan: Decimal, delivery: Delivery, as_of: datetime) -> Decimal:
    """What the placement has earned of its `plan` by the moment, not rounded."""
    launched = placement.air_date or delivery.published_at.get(placement.episode_id)
    if launched is None or start_of_day(launched.astimezone(UTC).date()) >= as_of:
        return Decimal(0)
    if placement.kind != "dynamic" or not placement.contracted_impressions:
        return plan
    delivered = min(delivery.downloads.get(placement.episode_id, 0), placement.contracted_impressions)
    return plan * delivered / placement.contracted_impressions


def _flown_share(campaign: Campaign, as_of: datetime) -> Decimal:
    whole = campaign.end_date - campaign.start_date
    flown = min(max(as_of - campaign.start_date, whole * 0), whole)
    return Decimal(flown // _MICROSECOND) / Decimal(whole // _MICROSECOND)
