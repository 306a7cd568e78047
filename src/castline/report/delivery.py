"""Downloads by episode and day become what each placement delivered: of a report and of the pages alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final
from uuid import UUID

from castline.base.period import Period
from castline.model.campaign import Placement
from castline.model.figures import DayDownloads, MeasuredDays, PlacementDelivery
from castline.model.query import AD_MEASURES, Measure
from castline.model.show import Episode
from castline.roi.day_sums import DaySums

LONGEST_DAYS = 60
ADS_UNKNOWN: Final = "the logs do not tell of enough downloads whether the ad was sent"
NO_PLACEMENT: Final = "no placement was entered"
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
    """Downloads by episode and UTC day, and ads by placement and day, of which those of the flight count.

    Only the days `measured` are known.
    """

    downloads: DaySums
    ads: Mapping[Measure, DaySums]
    flight: Period
    measured: MeasuredDays

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last UTC day of the flight."""
        last_at = self.flight.end_at - timedelta(microseconds=1)
        return self.flight.start_at.astimezone(UTC).date(), last_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a placement delivered within the flight; `ads` is None where too many of them are not measurable."""

    contracted: int | None
    downloads: int
    ads: int | None

    @property
    def paced(self) -> int:
        """What stands against the contract: ads delivered where they are measurable, else downloads."""
        return self.downloads if self.ads is None else self.ads


@dataclass(frozen=True, slots=True)
class CampaignDelivery:
    """What the placements of a campaign delivered together.

    `paced` is what stands against `contracted`, of the placements that have a contract. `ads` is None unless all
    placements' are measurable, and `reason` says why.
    """

    contracted: int | None
    paced: int
    ads: int | None
    reason: str = ""


def add_up_delivery(placements: Sequence[Delivered]) -> CampaignDelivery:
    """The sums over a campaign's placements, as they stand one by one in its report."""
    contracts = [item.contracted for item in placements if item.contracted is not None]
    known = [item.ads for item in placements if item.ads is not None]
    reason = "" if placements else NO_PLACEMENT
    if len(known) < len(placements):
        part = f"of {len(placements) - len(known)} of {len(placements)} placements, " if known else ""
        reason = f"{part}{ADS_UNKNOWN}"
    return CampaignDelivery(
        contracted=sum(contracts) if contracts else None,
        paced=sum(item.paced for item in placements if item.contracted is not None),
        ads=None if reason else sum(known),
        reason=reason,
    )


def compute_daily(listening: Listening, episode_ids: Sequence[UUID]) -> tuple[DayDownloads, ...]:
    """One row per UTC day of the flight so far with the episodes' downloads: zero for none, None for unknown."""

    def count(day: date) -> int | None:
        counts = (listening.downloads.count(str(episode_id), day, day) for episode_id in episode_ids)
        return sum(counts) if day in listening.measured else None

    return tuple(DayDownloads(day, count(day)) for day in listening.flight.iter_days())


def deliver_placement(listening: Listening, placement: Placement) -> Delivered:
    """Downloads of the flight and the ads sent with them, from the air day on: none before it could hold the ad."""
    first_on, last_on = listening.days
    if placement.air_date:
        first_on = max(first_on, placement.air_date.astimezone(UTC).date())
    downloads = listening.downloads.count(str(placement.episode_id), first_on, last_on)
    counts = (listening.ads[measure].count(str(placement.placement_id), *listening.days) for measure in AD_MEASURES)
    return Delivered(placement.contracted_impressions, downloads, AdCounts(*counts).find_delivered(downloads))


def count_in_flight(listening: Listening, episode_id: UUID) -> int:
    """Downloads of the episode on the flight's days."""
    return listening.downloads.count(str(episode_id), *listening.days)


@dataclass(frozen=True, slots=True)
class Aired:
    """An episode of a show, by a name of both, as known at a moment."""

    show: str
    episode: Episode
    as_of: datetime


def describe_delivery(
    listening: Listening, aired: Aired, placement: Placement | None, spend: Decimal | None
) -> PlacementDelivery:
    """The report's row of a placement; without one, the same of an episode that runs in the campaign."""
    episode = aired.episode
    aired_at = (placement.air_date if placement else None) or episode.publish_date
    air_on = aired_at.astimezone(UTC).date()
    plain = Delivered(None, count_in_flight(listening, episode.episode_id), None)
    delivered = deliver_placement(listening, placement) if placement else plain
    after = {days: _first_days(listening, aired, air_on, days) for days in (7, 30, LONGEST_DAYS)}
    return PlacementDelivery(
        show=aired.show,
        episode=episode.title,
        air_on=air_on,
        kind=placement.kind if placement else None,
        position=placement.position if placement else None,
        contracted=delivered.contracted,
        delivered=delivered.downloads,
        delivered_days_7=after[7],
        delivered_days_30=after[30],
        delivered_days_60=after[LONGEST_DAYS],
        spend=spend,
        ads_delivered=delivered.ads,
    )


def _first_days(listening: Listening, aired: Aired, air_on: date, days: int) -> int | None:
    measured_from = listening.measured.first_on
    if air_on + timedelta(days=days) > aired.as_of.date() or measured_from is None or measured_from > air_on:
        return None
    return listening.downloads.count(str(aired.episode.episode_id), air_on, air_on + timedelta(days=days - 1))
