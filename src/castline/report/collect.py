"""The figures of a report, read at one moment of the store."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from castline.attribute.window import REACH
from castline.base.config import Settings
from castline.base.errors import InvalidInput
from castline.base.money import minor_unit
from castline.base.period import Period
from castline.measure.figures.query import run_query
from castline.model.campaign import Campaign, Placement
from castline.model.figures import MeasuredDays, PlacementDelivery, ReportFigures, Subject
from castline.model.query import ask_days
from castline.model.roi import RoiFigures
from castline.model.show import Episode, Podcast
from castline.model.vocab import AttributionMethod
from castline.report.delivery import (
    LONGEST_DAYS,
    Aired,
    Listening,
    compute_daily,
    count_in_flight,
    describe_delivery,
)
from castline.report.listening import load_ads, load_audience
from castline.report.played_ads import load_played_ads
from castline.report.provenance import collect_provenance
from castline.report.trend import load_trend
from castline.roi.compute import compute_roi
from castline.roi.day_sums import DaySums
from castline.roi.spend import Delivery, accrue_placement, plan_costs
from castline.store.entities.campaigns import find_sponsor, load_placements
from castline.store.entities.shows import find_podcast, load_episodes
from castline.store.listening.downloads import load_waterfall
from castline.store.pool import Connection, Store
from castline.store.provenance.reports import (
    Scope,
    count_raw_conversions,
    count_sponsor_conversions,
)


@dataclass(frozen=True, slots=True)
class _World:
    """What the campaign is about: its show, its episodes and its placements."""

    campaign: Campaign
    podcast: Podcast
    episodes: dict[UUID, Episode]
    placements: list[Placement]

    @property
    def covered_ids(self) -> tuple[UUID, ...] | None:
        """The episodes that the campaign names or is placed in; None where it runs in the whole show."""
        covered = self.campaign.covered_episodes(self.placements)
        return None if covered is None else tuple(sorted(covered))

    @property
    def episode_ids(self) -> tuple[UUID, ...]:
        """The episodes that the campaign runs in, oldest first."""
        covered = self.campaign.covered_episodes(self.placements)
        chosen = [episode for key, episode in self.episodes.items() if covered is None or key in covered]
        return tuple(item.episode_id for item in sorted(chosen, key=lambda item: (item.publish_date, item.episode_id)))

    @property
    def chosen_episodes(self) -> tuple[list[Episode], bool]:
        """The episodes that the campaign runs in, and whether it names them or is placed in them."""
        return [self.episodes[key] for key in self.episode_ids], self.covered_ids is not None


def collect_figures(store: Store, owner_id: UUID, campaign: Campaign, as_of: datetime) -> ReportFigures:
    """Everything that the report shows, as the store knew it at one moment.

    Raises InvalidInput if the flight begins after `as_of`.
    """
    if as_of <= campaign.start_date:
        detail = f"{as_of:%Y-%m-%d} is before the flight begins on {campaign.start_date:%Y-%m-%d}"
        raise InvalidInput(field="as_of", detail=detail)
    with store.snapshot(owner_id) as connection:
        return _collect(connection, _load_world(connection, owner_id, campaign), as_of, store.settings)


def _collect(connection: Connection, world: _World, as_of: datetime, settings: Settings) -> ReportFigures:
    campaign, owner_id = world.campaign, world.campaign.user_id
    flight = Period(campaign.start_date, min(campaign.end_date, as_of))
    days = list(flight.iter_days())
    orders_end_at = min(as_of, campaign.end_date + REACH)
    scope = Scope(campaign, world.episode_ids, flight, days[0], days[-1], orders_end_at, as_of)
    roi = compute_roi(connection, owner_id, campaign, as_of=as_of)
    listening = _load_listening(connection, world, flight, as_of)
    audience = load_audience(connection, campaign, world.covered_ids, (days[0], days[-1]))
    kept_count = sum(share.downloads for share in audience if share.dimension == "app")
    placements = _deliver(world, listening, as_of)
    return ReportFigures(
        as_of=as_of,
        subject=_subject(connection, world),
        daily=compute_daily(listening, world.episode_ids),
        placements=placements,
        audience=audience,
        audience_base=kept_count,
        raw_conversions=tuple(count_raw_conversions(connection, scope)),
        conversions=count_sponsor_conversions(connection, scope),
        roi=roi,
        counting=tuple(load_waterfall(connection, owner_id, flight, podcast_ids=[campaign.podcast_id])),
        provenance=collect_provenance(connection, settings, scope, _notes(roi, campaign, placements, kept_count)),
        played_ads=load_played_ads(connection, campaign, flight, as_of),
        trend=load_trend(connection, campaign, flight, world.chosen_episodes, as_of.date()),
    )


def _load_world(connection: Connection, owner_id: UUID, campaign: Campaign) -> _World:
    podcast = find_podcast(connection, owner_id, str(campaign.podcast_id))
    episodes = {item.episode_id: item for item in load_episodes(connection, owner_id, campaign.podcast_id)}
    return _World(campaign, podcast, episodes, load_placements(connection, owner_id, campaign.campaign_id))


def _load_listening(connection: Connection, world: _World, flight: Period, as_of: datetime) -> Listening:
    """Downloads by episode and day, from the first air day to the end of the longest count."""
    owner_id = world.campaign.user_id
    aired = [placement.air_date for placement in world.placements if placement.air_date is not None]
    published = [world.episodes[key].publish_date for key in world.episode_ids]
    first_at = min([flight.start_at, *aired, *published])
    last_at = max([flight.end_at, *aired, *published]) + timedelta(days=LONGEST_DAYS)
    period = Period(first_at, min(last_at, max(as_of, flight.end_at)))
    queries = ask_days(period, "downloads", ("episode",), [world.podcast.podcast_id])
    answers = [run_query(connection, owner_id, query) for query in queries]
    counting = answers[0].counting if answers else None
    notes = (item for answer in answers for item in answer.annotations if item.kind == "gap")
    gaps = frozenset(day for gap in notes for day in Period.of_days(gap.first_on, gap.last_on).iter_days())
    return Listening(
        downloads=DaySums(row for answer in answers for row in answer.rows),
        ads=load_ads(connection, owner_id, [world.campaign], as_of)[world.campaign.campaign_id],
        flight=flight,
        measured=MeasuredDays(counting.first_on, counting.last_on, gaps) if counting else MeasuredDays(),
    )


def _deliver(world: _World, listening: Listening, as_of: datetime) -> tuple[PlacementDelivery, ...]:
    """One row per placement, and one per other episode that the campaign runs in, in the order of their air days.

    Where it runs in the whole show, only episodes that somebody fetched during the flight have a row.
    """
    spends = _accrue(world, listening, as_of)
    aired = {key: Aired(world.podcast.title, episode, as_of) for key, episode in world.episodes.items()}
    rows = [
        describe_delivery(listening, aired[item.episode_id], item, spends[item.placement_id])
        for item in world.placements
    ]
    placed = {placement.episode_id for placement in world.placements}
    named = set(world.campaign.episode_ids)
    rows += [
        describe_delivery(listening, aired[key], None, None)
        for key in world.episode_ids
        if key not in placed and (key in named or count_in_flight(listening, key))
    ]
    return tuple(sorted(rows, key=lambda row: (row.air_on, row.episode, row.position or "")))


def _accrue(world: _World, listening: Listening, as_of: datetime) -> dict[UUID, Decimal]:
    """What each placement has earned of its cost by the moment, to the minor unit."""
    plans = plan_costs(world.campaign, world.placements)
    published = {key: episode.publish_date for key, episode in world.episodes.items()}
    downloads = {key: count_in_flight(listening, key) for key in world.episode_ids}
    delivery = Delivery(published, downloads)
    unit = minor_unit(world.campaign.currency)
    return {
        item.placement_id: accrue_placement(item, plans[item.placement_id], delivery, as_of).quantize(unit)
        for item in world.placements
    }


def _subject(connection: Connection, world: _World) -> Subject:
    campaign = world.campaign
    return Subject(
        campaign_id=campaign.campaign_id,
        campaign=campaign.name,
        sponsor=find_sponsor(connection, campaign.user_id, str(campaign.sponsor_id)).name,
        shows=(world.podcast.title,),
        status=campaign.status,
        flight=campaign.flight,
        currency=campaign.currency,
        fee=campaign.campaign_value,
        methods=_live_methods(campaign),
    )


def _live_methods(campaign: Campaign) -> tuple[AttributionMethod, ...]:
    """Every method whose key the campaign has: all are live at once (ruling 6)."""
    config = campaign.attribution_config
    keys: dict[AttributionMethod, object] = {
        "promo_code": config.promo_code,
        "utm": config.utm_campaign,
        "pixel": config.pixel_url or config.method == "pixel",
        "custom": config.custom_tracking_id,
    }
    return tuple(method for method, key in keys.items() if key)


def _notes(
    roi: RoiFigures, campaign: Campaign, placements: tuple[PlacementDelivery, ...], kept_count: int
) -> tuple[str, ...]:
    """What a reader must know to read the figures rightly."""
    notes = [
        "Intervals on ROAS and lift: not measurable yet, for want of a holdout.",
        "Reach, frequency, demographics, benchmarks and a quote of the ad read: not part of this report yet.",
    ]
    if roi.as_of < campaign.end_date:
        notes.append(f"The flight is not over: it ends on {campaign.end_date.astimezone(UTC):%Y-%m-%d}.")
    if kept_count < roi.impressions:
        notes.append(
            f"Apps, countries and devices rest on {kept_count:,} of {roi.impressions:,} downloads; the rows of the"
            " others are past their retention."
        )
    if sum(placement.delivered for placement in placements) != roi.impressions:
        notes.append(
            "Placements do not add up to the campaign's downloads: an episode with several of them delivers each, and"
            " one that airs during a flight in the whole show delivers from then on."
        )
    if roi.unconverted_count:
        notes.append(f"{roi.unconverted_count:,} credited orders are left out of revenue: no rate is on record.")
    if roi.valued_orders != roi.credited_orders:
        notes.append(
            f"The average order and the break-even rest on {roi.valued_orders:,f} of {roi.credited_orders:,f} credited"
            " orders: the value of the others is not known."
        )
    return tuple(notes)
