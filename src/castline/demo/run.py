"""The demo: the commands that a user would type, on a world whose truth is known, and whether they tell it."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from castline.base.config import load_settings
from castline.demo.agreement import Difference, FileRows, Found, compare
from castline.demo.feed_server import serve_feeds
from castline.demo.log_files import write_logs
from castline.demo.plan import CampaignPlan
from castline.demo.posts import Web, load_pixels, post_orders, run_web
from castline.demo.requests_seen import RequestCounts, load_request_counts
from castline.demo.shows import MadeEpisode
from castline.demo.stage import (
    EMAIL,
    RunCommand,
    Stage,
    clear_folder,
    demo_environment,
    open_demo_account,
    show_progress,
)
from castline.demo.tables import write_conversions, write_rates
from castline.demo.world import World, make_world
from castline.intake.drain import drain_intake
from castline.measure.figures.query import run_query
from castline.model.query import Query
from castline.model.roi import RoiFigures
from castline.store.entities.shows import load_episodes, load_podcasts
from castline.store.pool import Store, open_store

_FORMATS: Final = "pdf,xlsx,csv,json"
_COMMAND_COUNT: Final = 70  # of the bar; a few more or less only make it end early or late
_OPTION_OF: Final = {
    "code": "--code",
    "utm_source": "--utm-source",
    "utm_medium": "--utm-medium",
    "utm_campaign": "--utm-campaign",
    "tracking_id": "--custom-id",
}
_READ_SECONDS: Final = (95, 155)  # where the hosts read each campaign's advertisement


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as the demo prints it."""

    name: str
    sponsor: str
    figures: RoiFigures


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out, and every figure that is not the truth."""

    data_dir: str
    email: str
    password: str
    requests: RequestCounts
    orders: FileRows
    campaigns: tuple[CampaignRow, ...]
    reports: tuple[str, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """What is asked of the demo; `last_on` is the last of its ninety days."""

    data_dir: Path
    output: Path
    seed: int
    line_count: int
    last_on: date


def run_demo(order: DemoOrder, run_command: RunCommand) -> DemoResult:
    """The world went in and the reports came out. Raises CastlineError of whichever command failed."""
    clear_folder(order.data_dir)
    with demo_environment(order.data_dir), show_progress(_COMMAND_COUNT) as progress:
        progress.console.print("[dim]#[/] making the world", highlight=False)
        world = make_world(seed=order.seed, last_on=order.last_on, line_count=order.line_count)
        stage = Stage(order.data_dir, order.output, run_command, progress, [])
        # One hold on the server for the whole demo, so that not every command starts and stops it.
        with open_store(load_settings()) as store:
            return _play(stage, world, store)


def _play(stage: Stage, world: World, store: Store) -> DemoResult:
    account = open_demo_account(stage)
    with serve_feeds(world) as urls:
        for url in urls:
            stage.do("feed", "add", url)
    outside = stage.data_dir / "outside-world"
    with run_web() as web:
        campaign_ids = [_add_campaign(stage, world, campaign) for campaign in world.plan.campaigns]
        logs = write_logs(world, outside / "logs")
        stage.do("log", "import", *map(str, logs), brief=f"log import {outside / 'logs'}/*.log.gz")
        stage.do("measure", "run")
        _tell_orders(stage, world, web, campaign_ids)
    orders = _import_tables(stage, world, outside)
    # Hits that came in the web server's last seconds wait on the disk for whoever drains next.
    drain_intake(store)
    stage.do("attribution", "run")
    rows = tuple(
        CampaignRow(plan.name, plan.sponsor, msgspec.convert(stage.do("roi", plan.name), RoiFigures, strict=False))
        for plan in world.plan.campaigns
    )
    reports = [path for plan in world.plan.campaigns for path in _build_report(stage, plan.name)]
    found = _find(store, UUID(account["user_id"]), world, (orders, rows))
    return DemoResult(
        data_dir=str(stage.data_dir),
        email=EMAIL,
        password=account["password"],
        requests=found.requests,
        orders=orders,
        campaigns=rows,
        reports=tuple(reports),
        differences=tuple(compare(world.truth, found)),
    )


def _add_campaign(stage: Stage, world: World, plan: CampaignPlan) -> str:
    """The campaign is sold, on the air and, if its flight is over, completed; gives its id."""
    show = next(item for item in world.shows if item.plan.slug == plan.show)
    stage.do("sponsor", "add", plan.sponsor, "--website", plan.website, "--industry", plan.industry)
    first, after = (world.first_on + timedelta(days=day) for day in plan.flight_days)
    last = after - timedelta(days=1)
    words = ["--show", show.plan.title, "--sponsor", plan.sponsor, "--method", plan.method]
    words += ["--value", str(plan.value), "--currency", plan.currency, "--start", str(first), "--end", str(last)]
    words += [word for name, text in plan.keys.items() for word in (_OPTION_OF[name], text)]
    words += [word for number in plan.episodes for word in ("--episode", show.episodes[number - 1].guid)]
    added = stage.do("campaign", "add", plan.name, *words)
    statuses = ("scheduled", "active", "completed") if last <= world.last_on else ("scheduled", "active")
    for status in statuses:
        stage.do("campaign", "status", plan.name, status)
    for number in plan.episodes:
        _add_slot(stage, show.episodes[number - 1], plan)
    return str(added["campaign_id"])


def _add_slot(stage: Stage, episode: MadeEpisode, plan: CampaignPlan) -> None:
    start, end = map(str, _READ_SECONDS)
    cost = (plan.value / len(plan.episodes)).quantize(Decimal(1), ROUND_FLOOR)
    words = ["--campaign", plan.name, "--position", "mid", "--start", start, "--end", end, "--cost", str(cost)]
    stage.do("slot", "add", episode.guid, *words, "--impressions", str(plan.impressions))


def _tell_orders(stage: Stage, world: World, web: Web, campaign_ids: list[str]) -> None:
    """The shops have posted their orders, and browsers have loaded the pixel."""
    key = stage.do("admin", "key", "create", "--name", "shops", "--scope", "conversions:write")["key"]
    port = web.find_port()
    told = [order for order in world.orders if "api" in order.told.routes]
    stage.note(f"shops send {len(told)} orders to POST /api/v1/conversions")
    post_orders(port, key, told, campaign_ids)
    seen = [order for order in world.orders if "pixel" in order.told.routes]
    stage.note(f"browsers load the pixel {len(seen)} times")
    load_pixels(port, seen, campaign_ids)


def _import_tables(stage: Stage, world: World, outside: Path) -> FileRows:
    """The bank's rates and the shops' export have come in; gives what became of the export's rows."""
    write_rates(world.rates, outside / "rates.csv")
    write_conversions(world, outside / "conversions.csv")
    stage.do("rate", "import", str(outside / "rates.csv"))
    batch = stage.do("conversion", "import", str(outside / "conversions.csv"))["batch"]
    return FileRows(batch["received"], batch["accepted"] + batch["duplicate"], batch["refused"])


def _build_report(stage: Stage, name: str) -> list[str]:
    made = stage.do("report", "build", name, "--format", _FORMATS, "--output", str(stage.output))
    return [str(item["path"]) for item in made]


def _find(store: Store, owner_id: UUID, world: World, told: tuple[FileRows, tuple[CampaignRow, ...]]) -> Found:
    """What castline now says of everything that the truth knows, with what its commands `told` already."""
    orders, rows = told
    slugs: dict[UUID, tuple[str, str]] = {}
    with store.account(owner_id) as connection:
        shows = {podcast.podcast_id: podcast.title for podcast in load_podcasts(connection, owner_id)}
        slug_of = {show.plan.title: show.plan.slug for show in world.shows}
        for episode in load_episodes(connection, owner_id):
            slugs[episode.episode_id] = (slug_of[shows[episode.podcast_id]], episode.guid)
        asked = Query(world.first_on, world.last_on, dimensions=("episode",), grain="day")
        daily = run_query(connection, owner_id, asked).rows
        ads = Query(world.first_on, world.last_on, "ads_delivered", ("campaign",))
        sent = {row.members[0]: row.value or 0 for row in run_query(connection, owner_id, ads).rows}
    return Found(
        requests=load_request_counts(store, owner_id),
        orders=orders,
        downloads={
            (*slugs[UUID(row.members[0])], row.start_at.date()): row.value or 0 for row in daily if row.start_at
        },
        campaigns=tuple(row.figures for row in rows),
        ads_delivered=tuple(sent.get(str(row.figures.campaign_id), 0) for row in rows),
    )
