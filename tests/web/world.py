"""A small world behind the pages, made by the real flow; every number can be followed on paper.

Fourteen UTC days from Monday 7 September 2026. On day d (0..13) 10 + d listeners hear `one` and 5 hear `two`, one
download each: 14 x 15 + (0 + 1 + .. + 13) = 301. Each day a probe asks for two bytes of `one` (14 requests), and the
first listener of `one` asks again (14 requests). The campaign costs 100 USD and flies those days; three orders of
50 USD bear its code: net revenue 150, ROI (150 - 100) / 100 = 50 %.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

from castline.attribute.engine import attribute
from castline.ingest.conversions.receive import receive_conversions
from castline.ingest.logs.landing import import_log
from castline.measure.run import measure
from castline.model.campaign import AttributionConfig, Campaign, NewSponsor
from castline.model.conversion import ConversionInput
from castline.model.report import Report
from castline.model.show import Podcast
from castline.report.build import build_report
from castline.store.entities.campaigns import NewCampaign, create_campaign, create_sponsor, save_campaign_status
from castline.store.entities.shows import load_episodes
from castline.store.pool import Store
from make_logs import MONDAY, Line, make_listened_show, write_log

DAYS = 14
LAST_DAY = "2026-09-20"
DOWNLOADS = 301


@dataclass(frozen=True, slots=True)
class World:
    """What there is in an account."""

    owner_id: UUID
    show: Podcast
    campaign: Campaign
    reports: list[Report]
    episode_id: UUID


def make_world(store: Store, owner_id: UUID, folder: Path, *, name: str = "Autumn") -> World:
    """The account has listening, a campaign of this name with orders, and a report of it."""
    show = make_listened_show(store, owner_id)
    import_log(store, owner_id, write_log(folder / f"{uuid4().hex}.log.gz", _lines()), host="cdn.example.org")
    measure(store, owner_id)
    campaign = make_campaign(store, owner_id, show, name)
    _tell_orders(store, owner_id)
    attribute(store, owner_id)
    reports = build_report(store, owner_id, campaign, ("csv",), folder / "reports")
    with store.account(owner_id) as connection:
        episode = load_episodes(connection, owner_id, show.podcast_id)[0]
    return World(owner_id, show, campaign, reports, episode.episode_id)


def _lines() -> list[Line]:
    lines = []
    for day in range(DAYS):
        start = day * 86_400 + 3_600
        lines += [Line(start + number * 60, f"73.51.{day}.{number + 1}") for number in range(10 + day)]
        lines += [Line(start + 40_000 + number, f"203.0.{day}.{number + 1}", path="/two.mp3") for number in range(5)]
        lines.append(Line(start + 7_200, f"73.51.{day}.1"))
        lines.append(Line(start + 7_300, f"192.0.2.{day + 1}", status=206, sent=2, range="bytes=0-1"))
    return sorted(lines, key=lambda line: line.after)


def make_campaign(store: Store, owner_id: UUID, show: Podcast, name: str) -> Campaign:
    with store.account(owner_id) as connection:
        sponsor = create_sponsor(connection, owner_id, NewSponsor(f"Sponsor of {name}"))
        new = NewCampaign(
            name,
            show.podcast_id,
            sponsor.sponsor_id,
            MONDAY,
            MONDAY + timedelta(days=DAYS),
            Decimal(100),
            attribution_config=AttributionConfig(method="promo_code", promo_code="FOX20"),
        )
        campaign = create_campaign(connection, owner_id, new)
        save_campaign_status(connection, owner_id, campaign.campaign_id, "scheduled")
        return save_campaign_status(connection, owner_id, campaign.campaign_id, "active")


def _tell_orders(store: Store, owner_id: UUID) -> None:
    orders = [
        ConversionInput(
            occurred_at=datetime(2026, 9, 10 + number, 12, tzinfo=UTC),
            order_id=f"A-{number}",
            conversion_value=Decimal(50),
            currency="USD",
            promo_code="FOX20",
        )
        for number in range(3)
    ]
    receive_conversions(
        store, owner_id, orders, source="api", content_hash=sha256(owner_id.bytes).digest(), name="orders"
    )
