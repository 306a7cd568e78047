"""Downloads by episode and day become what each placement delivered."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from castline.base.period import Period
from castline.model.campaign import Placement
from castline.model.figures import DayDownloads, MeasuredDays, PlacementDelivery
from castline.model.listening import DailyMetric
from castline.model.show import Episode

EpisodeDays = Mapping[UUID, Mapping[date, int]]
LONGEST_DAYS = 60
# Two counts of the same traffic should agree within this (PTM v2.3, step 5): more unknown ads make no figure.
_UNKNOWN_SHARE = Fraction(5, 100)


@dataclass(frozen=True, slots=True)
class AdCounts:
    """What became of a placement's ads within the flight."""

    delivered: int = 0
    missed: int = 0
    not_measurable: int = 0

    def find_delivered(self, downloads: int) -> int | None:
        """How many were delivered; None where of too many of the downloads nobody knows."""
        known = self.delivered + self.missed
        whole = max(downloads, known + self.not_measurable)
        return self.delivered if known and whole - known <= whole * _UNKNOWN_SHARE else None


@dataclass(frozen=True, slots=True)
class Listening:
    """Downloads by episode and UTC day, of which those of the flight count; only `measured` are known."""

    show: str
    episode_days: EpisodeDays
    flight: Period
    as_of: datetime
    measured: MeasuredDays
    ads: Mapping[UUID, AdCounts] = field(default_factory=dict)


def group_by_episode(metrics: Iterable[DailyMetric]) -> EpisodeDays:
    """Downloads by episode and UTC day out of rollup rows whose members are episodes."""
    days: dict[UUID, dict[date, int]] = defaultdict(dict)
    for metric in metrics:
        days[UUID(metric.member)][metric.day_on] = metric.value
    return days


def group_ads(metrics: Iterable[DailyMetric]) -> Mapping[UUID, AdCounts]:
    """What became of the ads by placement, out of rollup rows whose members are placements."""
    found: dict[UUID, AdCounts] = defaultdict(AdCounts)
    for row in metrics:
        name = row.metric.removeprefix("ads_")
        counts = found[UUID(row.member)]
        found[UUID(row.member)] = replace(counts, **{name: getattr(counts, name) + row.value})
    return found


def compute_daily(listening: Listening, episode_ids: Sequence[UUID]) -> tuple[DayDownloads, ...]:
    """One row per UTC day of the flight so far with the episodes' downloads: zero for none, None for unknown."""
    parts = [listening.episode_days.get(episode_id, {}) for episode_id in episode_ids]

    def count(day: date) -> int | None:
        return sum(counts.get(day, 0) for counts in parts) if day in listening.measured else None

    return tuple(DayDownloads(day, count(day)) for day in listening.flight.iter_days())


def deliver_placement(
    listening: Listening, episode: Episode, placement: Placement | None, spend: Decimal | None
) -> PlacementDelivery:
    """What a placement delivered; without one, the same of an episode that runs in the campaign."""
    aired_at = (placement.air_date if placement else None) or episode.publish_date
    air_on = aired_at.astimezone(UTC).date()
    counts = listening.episode_days.get(episode.episode_id, {})
    delivered = _in_flight(listening, counts, placement)
    ads = listening.ads.get(placement.placement_id) if placement else None
    return PlacementDelivery(
        show=listening.show,
        episode=episode.title,
        air_on=air_on,
        kind=placement.kind if placement else None,
        position=placement.position if placement else None,
        contracted=placement.contracted_impressions if placement else None,
        delivered=delivered,
        delivered_days_7=_first_days(listening, counts, air_on, 7),
        delivered_days_30=_first_days(listening, counts, air_on, 30),
        delivered_days_60=_first_days(listening, counts, air_on, LONGEST_DAYS),
        spend=spend,
        ads_delivered=ads.find_delivered(delivered) if ads else None,
    )


def _in_flight(listening: Listening, counts: Mapping[date, int], placement: Placement | None) -> int:
    """Downloads of the flight, from the air day on: what was fetched before it could not hold the ad."""
    aired_at = placement.air_date if placement and placement.air_date else listening.flight.start_at
    first_on = aired_at.astimezone(UTC).date()
    return sum(counts.get(day, 0) for day in listening.flight.iter_days() if day >= first_on)


def _first_days(listening: Listening, counts: Mapping[date, int], air_on: date, days: int) -> int | None:
    measured_from = listening.measured.first_on
    if air_on + timedelta(days=days) > listening.as_of.date() or measured_from is None or measured_from > air_on:
        return None
    return sum(counts.get(air_on + timedelta(days=day), 0) for day in range(days))


def count_in_flight(listening: Listening, episode_id: UUID) -> int:
    """Downloads of the episode on the flight's days."""
    counts = listening.episode_days.get(episode_id, {})
    return sum(counts.get(day, 0) for day in listening.flight.iter_days())
