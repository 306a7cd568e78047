"""Ads delivered, from a log and its placements to the figures, worked out by hand; what comes when changes nothing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from castline.ingest.logs.landing import import_log
from castline.measure.figures.query import run_query
from castline.measure.run import measure
from castline.model.account import User
from castline.model.campaign import Campaign, NewSponsor, Placement
from castline.model.query import AnswerRow, Filters, Measure, Query, Withheld
from castline.model.show import AdSlot, Episode
from castline.model.vocab import PlacementKind
from castline.store.entities.campaigns import NewCampaign, NewPlacement, create_campaign, create_placement
from castline.store.entities.campaigns import create_sponsor as add_sponsor
from castline.store.entities.shows import load_episodes, save_ad_slots
from castline.store.listening.downloads import load_dirty_days
from castline.store.listening.metrics import count_events
from castline.store.pool import Store
from make_logs import EPISODE_BYTES, MONDAY, Line, make_listened_show, write_log

pytestmark = pytest.mark.store
DAY = MONDAY.date()
WEEK = Query(DAY, DAY + timedelta(days=6), "ads_delivered")
SECOND = 16_000  # bytes of the episodes of make_logs
HOUR = 3_600


@dataclass(frozen=True, slots=True)
class World:
    """A show of two episodes and two campaigns that fly in the week of MONDAY."""

    store: Store
    owner_id: UUID
    episodes: dict[str, Episode]
    campaigns: tuple[Campaign, Campaign]

    def place(self, campaign: int, seconds: tuple[int, int] | None, kind: PlacementKind = "host-read") -> Placement:
        """The campaign has an ad in the episode `one`."""
        start, end = (None, None) if seconds is None else map(Decimal, seconds)
        placement = NewPlacement(
            self.campaigns[campaign].campaign_id, self.episodes["one.mp3"].episode_id, "mid", kind, start, end
        )
        with self.store.account(self.owner_id) as connection:
            return create_placement(connection, self.owner_id, placement)

    def count(self, measure: Measure = "ads_delivered", **changed: object) -> dict[tuple[str, ...], int | None]:
        """The week's figure by member."""
        query = replace(WEEK, measure=measure, **changed)  # type: ignore[arg-type]  # a test's shorthand
        with self.store.account(self.owner_id) as connection:
            answer = run_query(connection, self.owner_id, query)
            assert answer.withheld is None
            counted = {row.members: row.value for row in answer.rows}
            raw = count_events(connection, self.owner_id, query)
        members = (((row.first_member, row.second_member)[: len(query.dimensions)], row.value) for row in raw)
        assert {key: value for key, value in counted.items() if value} == dict(members)
        return counted

    def by_campaign(self, measure: Measure = "ads_delivered") -> tuple[int | None, ...]:
        found = self.count(measure, dimensions=("campaign",))
        return tuple(found.get((str(campaign.campaign_id),), 0) for campaign in self.campaigns)

    def events(self) -> list[tuple[object, ...]]:
        """What is kept of the downloads' ads, by time."""
        with self.store.account(self.owner_id) as connection:
            return connection.execute(
                "select event_id, campaign_id, metadata - 'app' from my_listener_events order by timestamp, event_id"
            ).fetchall()


@pytest.fixture
def world(store: Store, account: User) -> World:
    show = make_listened_show(store, account.user_id)
    with store.account(account.user_id) as connection:
        sponsor = add_sponsor(connection, account.user_id, NewSponsor("Acme"))
        flight = (MONDAY, MONDAY + timedelta(days=7))
        first, second = (
            create_campaign(
                connection,
                account.user_id,
                NewCampaign(name, show.podcast_id, sponsor.sponsor_id, *flight, Decimal(100)),
            )
            for name in ("First", "Second")
        )
        episodes = {item.title: item for item in load_episodes(connection, account.user_id)}
    return World(store, account.user_id, episodes, (first, second))


def asked(start: int, seconds: int, *, after: int, address: int) -> Line:
    """A 206 of so many seconds of the episode, with its range."""
    first, size = start * SECOND, seconds * SECOND
    return Line(after, f"198.51.100.{address}", status=206, sent=size, range=f"bytes={first}-{first + size - 1}")


# An ad from 95 to 155 s. Six downloads on Monday; what became of the baked-in ad, and of it as a dynamic one:
LINES = [
    Line(after=1 * HOUR, address="198.51.100.1", range="-"),  # the whole file: both
    asked(0, 75, after=2 * HOUR, address=2),  # 75 s: neither
    asked(0, 60, after=3 * HOUR, address=3),  # a minute, and later the ad alone: the dynamic one only
    asked(95, 60, after=3 * HOUR + 60, address=3),
    asked(0, 80, after=4 * HOUR, address=4),  # 155 s in two pieces that overlap: both
    asked(70, 85, after=4 * HOUR + 60, address=4),
    asked(0, 154, after=5 * HOUR, address=5),  # a second is missing: neither
    Line(after=6 * HOUR, address="198.51.100.6", status=206, sent=61 * SECOND, range="-"),  # no place is told
    Line(after=7 * HOUR, address="198.51.100.7", path="/two.mp3", range="-"),  # an episode without an ad
    asked(95, 50, after=8 * HOUR, address=8),  # most of the ad, but no download
]


def import_lines(world: World, path: Path, lines: list[Line]) -> None:
    import_log(world.store, world.owner_id, write_log(path, lines), host="cdn.example.org")


def test_ads_are_delivered_as_worked_out_by_hand(world: World, tmp_path: Path) -> None:
    world.place(0, (95, 155))
    world.place(1, (95, 155), "dynamic")
    import_lines(world, tmp_path / "access.log", LINES)
    measure(world.store, world.owner_id)
    assert world.by_campaign() == (2, 3)
    # 61 s of an unknown place could hold the minute of the dynamic ad, and not the 155 s of the other.
    assert world.by_campaign("ads_not_measurable") == (0, 1)
    assert world.by_campaign("ads_missed") == (4, 2)
    assert world.count(dimensions=("episode",)) == {(str(world.episodes["one.mp3"].episode_id),): 5}
    assert world.count(dimensions=("app", "campaign"))[("Overcast", str(world.campaigns[1].campaign_id))] == 3
    assert world.count(tz="Asia/Kathmandu") == {(): 5}
    only = Filters(campaign_ids=(world.campaigns[0].campaign_id,))
    assert world.count(filters=only) == {(): 2}
    # Two of the seven downloads carried both campaigns, one the second alone, four neither.
    second = str(world.campaigns[1].campaign_id)
    assert world.count("downloads", dimensions=("campaign",)) == {("none",): 4, ("several",): 2, (second,): 1}
    assert world.count("downloads", filters=only) == {(): 2}
    keys = [str(campaign.campaign_id) for campaign in world.campaigns]
    both, neither = {"ads_delivered": sorted(keys)}, {"ads_missed": sorted(keys)}
    dynamic = {"ads_delivered": keys[1:], "ads_missed": keys[:1]}
    loose = {"ads_missed": keys[:1], "ads_unknown": keys[1:]}
    expected = [both, neither, dynamic, both, neither, loose, {}]
    assert [row[1:] for row in world.events()] == [
        (UUID(second) if facts == dynamic else None, facts) for facts in expected
    ]


def test_lines_that_come_late_and_apart_give_the_same_events(world: World, tmp_path: Path) -> None:
    world.place(0, (95, 155))
    world.place(1, (95, 155), "dynamic")
    # The second pieces come first, and each part is measured before the next has come.
    for number, part in enumerate((LINES[4::3], LINES[2::3], LINES[3::3], LINES[:2])):
        import_lines(world, tmp_path / f"{number}.log", part)
        measure(world.store, world.owner_id)
    late = (world.events(), world.by_campaign(), world.by_campaign("ads_not_measurable"))
    assert late[1:] == ((2, 3), (0, 1))
    again = measure(world.store, world.owner_id, period=WEEK.period)
    assert again.days == (DAY,)
    assert (world.events(), world.by_campaign(), world.by_campaign("ads_not_measurable")) == late


def dirty(world: World) -> list[object]:
    with world.store.account(world.owner_id) as connection:
        return [item.day_on for item in load_dirty_days(connection, world.owner_id)]


def test_a_new_placement_marks_the_days_of_its_flight_once(world: World, tmp_path: Path) -> None:
    before = [line.but(after=line.after - 86_400) for line in LINES[:2]]
    import_lines(world, tmp_path / "access.log", [*before, *LINES])
    measure(world.store, world.owner_id)
    assert (dirty(world), world.by_campaign()) == ([], (0, 0))
    world.place(0, (95, 155))
    assert dirty(world) == [DAY]
    measure(world.store, world.owner_id)
    assert (dirty(world), world.by_campaign()) == ([], (2, 0))
    # Slots that stand already change nothing; one that is new is an ad of its own, delivered before the placement's.
    episode = world.episodes["one.mp3"].episode_id
    placed = AdSlot(Decimal(95), Decimal(155), world.campaigns[0].campaign_id)
    detected = AdSlot(Decimal(10), Decimal(30), world.campaigns[1].campaign_id, "automated", Decimal("0.9"))
    for slots, days in (([placed], [DAY]), ([placed], []), ([placed, detected], [DAY]), ([placed, detected], [])):
        with world.store.account(world.owner_id) as connection:
            save_ad_slots(connection, world.owner_id, episode, slots)
        assert dirty(world) == days
        measure(world.store, world.owner_id)
    # All six downloads of the episode began at its beginning but the one whose place is not told.
    assert world.by_campaign() == (2, 5)


def test_what_no_bytes_tell_is_withheld_and_no_zero(world: World, tmp_path: Path) -> None:
    world.place(0, None)
    import_lines(world, tmp_path / "access.log", [LINES[1]])
    measure(world.store, world.owner_id)
    with world.store.account(world.owner_id) as connection:
        answer = run_query(connection, world.owner_id, WEEK)
    detail = "not measurable: of none of 1 ads is known whether it was sent"
    assert (answer.rows, answer.withheld, answer.not_measurable) == ((), Withheld("bytes_not_told", detail), 1)


def test_ads_that_are_all_missed_are_a_zero_though_one_is_not_known(world: World, tmp_path: Path) -> None:
    world.place(0, (95, 155), "dynamic")
    import_lines(world, tmp_path / "access.log", [LINES[1], LINES[7]])
    measure(world.store, world.owner_id)
    assert (world.count(), world.count("ads_missed")) == ({(): 0}, {(): 1})


def test_ads_are_told_by_placement_in_days_of_whole_hours(world: World, tmp_path: Path) -> None:
    baked, dynamic = world.place(0, (95, 155)), world.place(1, (95, 155), "dynamic")
    import_lines(world, tmp_path / "access.log", LINES)
    measure(world.store, world.owner_id)
    split = replace(WEEK, dimensions=("placement",))
    with world.store.account(world.owner_id) as connection:
        answers = [
            run_query(connection, world.owner_id, replace(split, tz=tz))
            for tz in ("UTC", "Europe/Oslo", "Asia/Kathmandu")
        ]
    expected = (
        AnswerRow(None, (str(dynamic.placement_id),), 3),
        AnswerRow(None, (str(baked.placement_id),), 2),
    )
    assert [answer.rows for answer in answers] == [expected, expected, ()]
    assert answers[2].withheld is not None
    assert (answers[2].withheld.reason, answers[2].counting.counted_from) == ("days_off_the_hour", "nothing")


def test_nobody_elses_days_and_placements_are_touched(world: World, store: Store, tmp_path: Path) -> None:
    import_lines(world, tmp_path / "access.log", [Line(sent=EPISODE_BYTES)])
    measure(world.store, world.owner_id)
    later = datetime(2027, 1, 1, tzinfo=UTC)
    with store.account(world.owner_id) as connection:
        sponsor = add_sponsor(connection, world.owner_id, NewSponsor("Later"))
        podcast_id = world.episodes["one.mp3"].podcast_id
        wanted = NewCampaign("Later", podcast_id, sponsor.sponsor_id, later, later + timedelta(days=1), Decimal(1))
        campaign = create_campaign(connection, world.owner_id, wanted)
        placement = NewPlacement(campaign.campaign_id, world.episodes["one.mp3"].episode_id, "pre")
        create_placement(connection, world.owner_id, placement)
    assert dirty(world) == []
