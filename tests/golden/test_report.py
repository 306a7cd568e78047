"""A campaign from its feed's episodes, its log and its orders to the report, with every number worked out by hand.

Two episodes, on the air on 1 and 8 March 2026. One placement in each: 5 downloads and 600.00 for the first, 5 and
400.00 for the second, so the fee is 1,000.00. Downloads: on 2 March six people fetch the first, on 20 March two more,
on 9 March three people fetch the second: 8 + 3 = 11. One of them fetches twice on a day, a bot comes on 1 March, and
one request is a HEAD.

Orders with the code: A of 60.00, told twice, and B of 40.00. C of 500.00 names no code. 10.00 of A are refunded. Gross
100.00, net 90.00; ROI (90 - 1,000) / 1,000 = -0.91; ROAS 90 / 1,000 = 0.09; CPA 1,000 / 2 = 500; average 50; break-even
1,000 / 50 = 20 orders; eCPM 1,000 / 11 x 1,000 = 90,909.09.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from castline.attribute.engine import attribute
from castline.base.errors import InvalidInput, NotFound
from castline.ingest.conversions.files import import_conversions
from castline.ingest.logs.landing import import_log
from castline.measure.run import measure
from castline.model.account import User
from castline.model.campaign import AttributionConfig, Campaign, NewSponsor
from castline.model.figures import Missing, Term, Value
from castline.report.build import build_report, prepare_report
from castline.report.files import OutputUnavailable
from castline.report.formats.cells import iter_cells
from castline.report.verify import verify_file
from castline.sources.conversions.csv import CsvOptions
from castline.store.entities.campaigns import (
    NewCampaign,
    NewPlacement,
    create_campaign,
    create_placement,
    create_sponsor,
    save_campaign_status,
)
from castline.store.entities.shows import create_episode, create_podcast, load_episodes
from castline.store.pool import Store
from castline.store.provenance.ledger import load_runs
from castline.store.provenance.reports import load_reports
from make import make_account
from make_report import file_size_limit

pytestmark = pytest.mark.store

AS_OF = datetime(2026, 4, 15, 12, tzinfo=UTC)
PHONE = "Podcasts/1650.20 CFNetwork/1333.0.4 Darwin/21.5.0"
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
EPISODES = (("one", 1), ("two", 8))
ORDERS = """order_id,occurred_at,conversion_value,currency,promo_code,type
A,2026-03-05T10:00:00Z,60.00,USD,HARBOUR,purchase
B,2026-03-25T10:00:00Z,40.00,USD,HARBOUR,purchase
C,2026-03-26T10:00:00Z,500.00,USD,,purchase
A,2026-03-28T10:00:00Z,-10.00,USD,,refund
"""
AGAIN = """order_id,occurred_at,conversion_value,currency,promo_code
A,2026-03-05T10:00:05Z,60.00,USD,HARBOUR
"""


@dataclass(frozen=True, slots=True)
class World:
    store: Store
    owner_id: UUID
    campaign: Campaign


@pytest.fixture
def world(store: Store, account: User, tmp_path: Path) -> World:
    """The campaign with everything imported, measured and attributed."""
    owner_id = account.user_id
    campaign = _sell(store, owner_id)
    log = tmp_path / "access.log"
    log.write_text("\n".join(_iter_lines()) + "\n")
    import_log(store, owner_id, log, host="cdn.example.org")
    measure(store, owner_id)
    for name, body, source in (("orders.csv", ORDERS, "csv"), ("again.csv", AGAIN, "shop")):
        path = tmp_path / name
        path.write_text(body)
        import_conversions(store, owner_id, path, CsvOptions(sponsor="Harbour Coffee"), source=source)
    attribute(store, owner_id)
    return World(store, owner_id, campaign)


def _sell(store: Store, owner_id: UUID) -> Campaign:
    with store.account(owner_id) as connection:
        podcast_id = create_podcast(connection, owner_id, "The Long Tide", "https://example.org/feed")
        for name, day in EPISODES:
            create_episode(connection, podcast_id, _episode(name, day))
        campaign = create_campaign(
            connection,
            owner_id,
            NewCampaign(
                name="Spring blend",
                podcast_id=podcast_id,
                sponsor_id=create_sponsor(connection, owner_id, NewSponsor("Harbour Coffee")).sponsor_id,
                start_date=datetime(2026, 3, 1, tzinfo=UTC),
                end_date=datetime(2026, 4, 1, tzinfo=UTC),
                campaign_value=Decimal(1000),
                attribution_config=AttributionConfig(method="promo_code", promo_code="HARBOUR"),
            ),
        )
        episodes = {item.guid: item.episode_id for item in load_episodes(connection, owner_id, podcast_id)}
        for (name, day), cost in zip(EPISODES, (600, 400), strict=True):
            placement = NewPlacement(
                campaign.campaign_id,
                episodes[name],
                "mid",
                air_date=datetime(2026, 3, day, tzinfo=UTC),
                contracted_impressions=5,
                cost=Decimal(cost),
            )
            create_placement(connection, owner_id, placement)
        for status in ("scheduled", "active"):
            campaign = save_campaign_status(connection, owner_id, campaign.campaign_id, status)
        return campaign


def _episode(name: str, day: int) -> dict[str, object]:
    return dict.fromkeys(("description", "link", "author", "transcript_url")) | {
        "guid": name,
        "title": f"Episode {name}",
        "audio_url": f"https://cdn.example.org/{name}.mp3",
        "audio_key": f"cdn.example.org/{name}.mp3",
        "publish_date": datetime(2026, 3, day, tzinfo=UTC),
        "duration_seconds": 600,
        "audio_bytes": 9_600_000,
        "categories": [],
        "explicit": False,
        "metadata": {},
        "publish_date_is_first_seen": False,
    }


def _iter_lines() -> Iterator[str]:
    yield _line("192.0.2.200", 1, "one", agent=BOT)
    yield from (_line(f"192.0.2.{host}", 2, "one") for host in range(1, 7))
    yield _line("192.0.2.1", 2, "one", hour=20)
    yield _line("192.0.2.9", 2, "one", method="HEAD")
    yield from (_line(f"198.51.100.{host}", 9, "two") for host in range(1, 4))
    yield from (_line(f"203.0.113.{host}", 20, "one") for host in range(1, 3))


def _line(  # noqa: PLR0913  # the parts of a log line
    address: str, day: int, name: str, *, hour: int = 8, method: str = "GET", agent: str = PHONE
) -> str:
    request = f'"{method} /{name}.mp3 HTTP/1.1" 200 9600000'
    return f'{address} - - [{day:02}/Mar/2026:{hour:02}:00:00 +0000] {request} "-" "{agent}"'


def figures_of(world: World) -> dict[tuple[str, str, int, str], Value]:
    document = prepare_report(world.store, world.owner_id, world.campaign, AS_OF)
    cells = ((cell, cell.figure.value) for cell in iter_cells(document))
    return {
        (cell.section, cell.table, cell.row, cell.figure.name): value.code if isinstance(value, Term) else value
        for cell, value in cells
    }


def part(
    figures: dict[tuple[str, str, int, str], Value], section: str, table: str = "", row: int = 0
) -> dict[str, Value]:
    return {name: value for (*place, name), value in figures.items() if place == [section, table, row]}


def test_the_summary_is_what_was_worked_out_by_hand(world: World) -> None:
    assert part(figures_of(world), "summary") == {
        "delivered": 11,
        "contracted": 10,
        "delivery_rate": Decimal("1.1"),
        "cost_per_mille": Decimal("90909.09"),
        "credited_orders": Decimal(2),
        "modeled_orders": Decimal(0),
        "net_revenue": Decimal(90),
        "modeled_net_revenue": Decimal(0),
        "roas": Decimal("0.09"),
        "roi_rate": Decimal("-0.91"),
        "cost_per_acquisition": Decimal(500),
        "average_order_value": Decimal(50),
        "break_even_orders": 20,
        "visits": 0,
    }


def test_each_placement_delivered_what_its_listeners_fetched(world: World) -> None:
    figures = figures_of(world)
    assert part(figures, "delivery", "placements", 1) == {
        "show": "The Long Tide",
        "episode": "Episode one",
        "air_on": date(2026, 3, 1),
        "kind": "host-read",
        "position": "mid",
        "contracted": 5,
        "delivered": 8,
        # Every one of them was sent the whole file, so the ad as well, wherever it lies.
        "ads_delivered": 8,
        "over_delivery": 3,
        "delivered_days_7": 6,
        "delivered_days_30": 8,
        "delivered_days_60": Missing("due on 2026-04-30"),
        "spend": Decimal(600),
        "cost_per_mille": Decimal(75000),
    }
    assert part(figures, "delivery", "placements", 2) == {
        "show": "The Long Tide",
        "episode": "Episode two",
        "air_on": date(2026, 3, 8),
        "kind": "host-read",
        "position": "mid",
        "contracted": 5,
        "delivered": 3,
        "ads_delivered": 3,
        "over_delivery": -2,
        "delivered_days_7": 3,
        "delivered_days_30": 3,
        "delivered_days_60": Missing("due on 2026-05-07"),
        "spend": Decimal(400),
        "cost_per_mille": Decimal("133333.33"),
    }


def test_the_days_are_those_of_the_flight(world: World) -> None:
    figures = figures_of(world)
    days = [part(figures, "delivery", "daily", row) for row in range(1, 32)]
    found = {day["day_on"]: day["downloads"] for day in days}
    # Requests from 1 to 20 March were measured: a day among them without any is a zero, a day after them is unknown.
    counted = {date(2026, 3, 2): 6, date(2026, 3, 9): 3, date(2026, 3, 20): 2}
    march = [date(2026, 3, day) for day in range(1, 32)]
    unknown = Missing("this day was not measured")
    assert found == {day: counted.get(day, 0) if day.day <= 20 else unknown for day in march}
    assert ("delivery", "daily", 32, "day_on") not in figures


def test_orders_are_counted_once_and_told_apart(world: World) -> None:
    figures = figures_of(world)
    assert part(figures, "attribution") == {
        "records": 4,
        "orders": 3,
        "here": 2,
        "elsewhere": 0,
        "unattributed": 1,
        "valued_orders": Decimal(2),
        "unconverted": 0,
    }
    assert part(figures, "attribution", "methods", 1) == {
        "tier": "confirmed",
        "method": "promo_code",
        "raw_conversions": 3,
        "credited_orders": Decimal(2),
        "gross_revenue": Decimal(100),
        "refunds": Decimal(-10),
        "net_revenue": Decimal(90),
    }


def test_every_request_has_its_end(world: World) -> None:
    assert part(figures_of(world), "counting") == {
        "received": 14,
        "counted": 11,
        "duplicate": 1,
        "partial": 0,
        "dropped": 2,
    }


def test_the_provenance_names_what_came_in_and_how_much_was_used(world: World) -> None:
    figures = figures_of(world)
    tables = [part(figures, "provenance", "tables", row) for row in range(1, 7)]
    assert {row["table"]: row["row_count"] for row in tables} == {
        "attribution_events": 2,  # A and B
        "conversions": 4,  # A, A again, B, C
        "daily_metrics": 3,  # the first episode on two days, the second on one
        "listener_events": 11,
        "refunds": 1,
        "request_verdicts": 6,  # 1 March: bot; 2 March: counted, duplicate, method; 9 and 20 March: counted
    }
    sources = [figures["provenance", "batches", row, "source"] for row in (1, 2, 3)]
    assert [str(source).rsplit("/", 1)[-1] for source in sources] == ["access.log", "orders.csv", "again.csv"]
    jobs = {value for (*_, name), value in figures.items() if name == "job"}
    assert jobs == {"log.import", "measure.run", "conversion.receive", "attribution.run"}


def test_apps_countries_and_devices_sum_to_the_downloads(world: World) -> None:
    figures = figures_of(world)
    assert figures["audience", "", 0, "base"] == 11
    for dimension in ("app", "country", "device"):
        found = [value for place, value in figures.items() if place[1] == dimension and place[3] == "downloads"]
        assert sum(int(str(value)) for value in found) == 11


def test_four_files_and_four_rows_of_one_run_hold_one_report(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "deep"
    built = build_report(
        world.store, world.owner_id, world.campaign, ("pdf", "excel", "csv", "json"), folder, as_of=AS_OF
    )
    assert [one.format for one in built] == ["pdf", "excel", "csv", "json"]
    assert len({(one.run_id, one.content_hash) for one in built}) == 1
    names = sorted(path.name for path in folder.iterdir())
    stem = f"harbour-coffee_spring-blend_2026-04-15_{built[0].metadata['report']}"
    assert names == sorted(f"{stem}.{suffix}" for suffix in ("pdf", "xlsx", "csv", "json"))
    with world.store.account(world.owner_id) as connection:
        stored = load_reports(connection, world.owner_id, world.campaign.campaign_id)
    assert {one.report_id for one in stored} == {one.report_id for one in built}
    found = verify_file(folder / f"{stem}.json")
    assert (found.differences, found.content_hash) == ((), built[0].content_hash.hex())


def test_the_same_day_built_twice_gives_the_same_bytes(world: World, tmp_path: Path) -> None:
    for folder in ("first", "second"):
        build_report(
            world.store, world.owner_id, world.campaign, ("pdf", "excel", "csv", "json"), tmp_path / folder, as_of=AS_OF
        )
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} for folder in ("first", "second")
    )
    assert first == second


def test_a_report_of_the_first_week_does_not_know_the_rest(world: World) -> None:
    as_of = datetime(2026, 3, 9, tzinfo=UTC)
    document = prepare_report(world.store, world.owner_id, world.campaign, as_of)
    summary = {figure.name: figure.value for figure in document.section("summary").figures}
    # Six downloads of the first episode; order A whole, not yet refunded; both placements are on the air.
    assert {name: summary[name] for name in ("delivered", "credited_orders", "net_revenue")} == {
        "delivered": 6,
        "credited_orders": Decimal(1),
        "net_revenue": Decimal(60),
    }


def test_a_file_that_cannot_be_written_takes_the_others_and_their_rows_along(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with file_size_limit(60_000), pytest.raises(OutputUnavailable, match="File too large"):  # the PDF has 100 kB
        build_report(world.store, world.owner_id, world.campaign, ("csv", "pdf"), folder, as_of=AS_OF)
    with world.store.account(world.owner_id) as connection:
        assert load_reports(connection, world.owner_id) == []
        last = load_runs(connection, world.owner_id)[0]
    assert list(folder.iterdir()) == []
    assert (last.job, last.status) == ("report.build", "failed")
    assert str(last.error).endswith("File too large")


def test_nobody_builds_a_report_of_another_accounts_campaign(world: World, tmp_path: Path) -> None:
    other = make_account(world.store)
    with pytest.raises(NotFound):
        build_report(world.store, other.user_id, world.campaign, ("json",), tmp_path / "out", as_of=AS_OF)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_report_of_before_the_flight_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="as_of: 2026-02-01 is before the flight begins on 2026-03-01"):
        build_report(
            world.store, world.owner_id, world.campaign, ("json",), tmp_path, as_of=datetime(2026, 2, 1, tzinfo=UTC)
        )
