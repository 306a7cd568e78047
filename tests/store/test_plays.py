"""What players told is asked as every other figure: random sessions, counted once more by plain Python."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from castline.base.errors import InvalidInput
from castline.ingest.segment_log import EVENTS, LOG_FOLDER, LogWriter, encode_record
from castline.intake.drain import drain_intake
from castline.measure.figures.ad_plays import compute_ad_plays
from castline.measure.figures.audience import compute_listen_through
from castline.model.campaign import NewSponsor
from castline.model.query import GRAINS, PLAY_MEASURES, Dimension, Filters, Grain, Measure, Query
from castline.store.entities.campaigns import (
    NewCampaign,
    NewPlacement,
    create_campaign,
    create_placement,
    create_sponsor,
)
from castline.store.entities.shows import create_episode, create_podcast, load_episodes
from castline.store.pool import Store
from castline.store.upkeep.retention import apply_retention
from make import make_account
from make_logs import EPISODE_SECONDS
from store.asking import ask, find_bucket

pytestmark = pytest.mark.store
# Clocks change in Oslo on 25 October and in New York on 1 November.
FIRST = datetime(2026, 10, 22, tzinfo=UTC)
DAYS = 13
ZONES = ("UTC", "Europe/Oslo", "America/New_York", "Asia/Kathmandu")
APPS = {"Overcast": "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)", "AntennaPod": "AntennaPod/3.4.0"}
STEPS = {"ad_plays_25": 25, "ad_plays_50": 50, "ad_plays_75": 75}
WHOLE = Query(FIRST.date(), (FIRST + timedelta(days=DAYS)).date())


@dataclass(frozen=True, slots=True)
class Play:
    """A play of an episode, or of an ad: when it began, of what, and which measures count it."""

    at: datetime
    members: dict[str, str]
    counted_as: frozenset[str]


@dataclass(frozen=True, slots=True)
class World:
    """An account and what its players told."""

    owner_id: UUID
    plays: list[Play]
    campaigns: list[UUID]
    episodes: dict[str, UUID]


@pytest.fixture(scope="module")
def here(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store over a data folder of this module alone."""
    folder = tmp_path_factory.mktemp("plays")
    return replace(store, settings=replace(store.settings, data_dir=folder, secret_key="k" * 32))


def make_show(store: Store, owner_id: UUID, name: str) -> tuple[UUID, dict[str, UUID]]:
    """A show of two episodes: its id, and theirs by their addresses."""
    host = f"https://{owner_id.hex}.example.net/{name}"
    with store.account(owner_id) as connection:
        podcast_id = create_podcast(connection, owner_id, name, f"{host}/feed")
        for number in range(2):
            url = f"{host}/{number}.mp3"
            facts: dict[str, object] = {
                "guid": url, "title": url, "description": None, "audio_url": url,
                "duration_seconds": EPISODE_SECONDS, "publish_date": FIRST, "link": None, "author": None,
                "categories": [], "explicit": False, "transcript_url": None, "metadata": {},
                "audio_bytes": 1_000_000, "audio_key": url.removeprefix("https://"),
                "publish_date_is_first_seen": False,
            }  # fmt: skip
            create_episode(connection, podcast_id, facts)
        return podcast_id, {item.audio_url: item.episode_id for item in load_episodes(connection, owner_id, podcast_id)}


def make_campaigns(store: Store, owner_id: UUID, podcast_id: UUID) -> list[UUID]:
    flight = (FIRST, FIRST + timedelta(days=DAYS))
    with store.account(owner_id) as connection:
        sponsor = create_sponsor(connection, owner_id, NewSponsor("Sponsor"))
        news = [
            NewCampaign(name, podcast_id, sponsor.sponsor_id, *flight, Decimal(100)) for name in ("First", "Second")
        ]
        return [create_campaign(connection, owner_id, new).campaign_id for new in news]


def encode(agent: str, session: dict[str, object], events: list[dict[str, object]]) -> bytes:
    """One delivery of a session, received two days after the last."""
    head = f"POST /v1/events HTTP/1.1\r\nuser-agent: {agent}\r\n\r\n".encode()
    received = int((FIRST + timedelta(days=DAYS + 2)).timestamp() * 1_000_000)
    body = json.dumps({"session": session, "events": events}).encode()
    return encode_record(EVENTS, received, b"198.51.100.7", head + body)


def beacon(kind: str, at: datetime) -> dict[str, object]:
    return {"id": str(uuid4()), "type": kind, "at": at.isoformat()}


def iter_sessions(rng: random.Random, world: World, shows: dict[str, UUID]) -> Iterator[bytes]:
    """Random deliveries; what they tell stands in `world.plays` as plain Python understands it."""
    urls = [*world.episodes]
    for number in range(160):
        url, app = rng.choice(urls), rng.choice([*APPS])
        at = FIRST + timedelta(seconds=rng.randrange(DAYS * 86_400))
        members = {"show": str(shows[url]), "episode": str(world.episodes[url]), "app": app}
        ended = rng.random() < 0.4
        events = [beacon("start", at)]
        if ended:
            events.append(beacon("complete", at + timedelta(seconds=rng.randrange(60, 3 * 86_400))))
        world.plays.append(Play(at, members, frozenset({"plays"} | ({"completed_plays"} if ended else set()))))
        for place in range(rng.randrange(3)):
            campaign, begun = rng.choice(world.campaigns), at + timedelta(seconds=rng.randrange(3_600))
            spot: dict[str, object] = {"campaign_id": str(campaign), "ad_id": f"spot {place}"}
            percent, end = rng.choice([0, 25, 50, 75]), rng.choice(["ad_complete", "ad_skip", ""])
            events.append(beacon("ad_start", begun) | spot)
            if percent:
                events.append(beacon("ad_progress", begun) | spot | {"percent": percent})
            if end:
                events.append(beacon(end, begun + timedelta(seconds=20)) | spot)
            came = 100 if end == "ad_complete" else percent
            found = {"ad_plays"} | {name for name, step in STEPS.items() if came >= step}
            found |= {"ad_complete": {"ad_completes"}, "ad_skip": {"ad_skips"}, "": set[str]()}[end]
            ad = members | {"campaign": str(campaign)}
            world.plays.append(Play(begun, ad, frozenset(found)))
        episode = {"url": url}
        session: dict[str, object] = {"id": f"s{number}", "started_at": at.isoformat(), "episode": episode}
        rng.shuffle(events)
        cut = rng.randrange(len(events) + 1)
        for part in (events[:cut], events[cut:]):
            if part:
                yield encode(APPS[app], session, part)


@pytest.fixture(scope="module")
def world(here: Store) -> World:
    """Two shows of two episodes, two campaigns, 160 sessions told in pieces and in any order."""
    owner_id = make_account(here).user_id
    made = [make_show(here, owner_id, name) for name in ("one", "two")]
    shows = {url: podcast_id for podcast_id, episodes in made for url in episodes}
    episodes = {url: episode_id for _, found in made for url, episode_id in found.items()}
    world = World(owner_id, [], make_campaigns(here, owner_id, made[0][0]), episodes)
    deliveries = [*iter_sessions(random.Random(5), world, shows)]  # noqa: S311  # repeatable, no secret
    log = LogWriter(here.settings.data_dir / LOG_FOLDER)
    log.append(deliveries)
    log.close()
    drain_intake(here)
    return world


def label(start_at: datetime | None, grain: Grain, zone: ZoneInfo) -> datetime | date | None:
    if start_at is None:
        return None
    return start_at.astimezone(UTC) if grain == "hour" else start_at.astimezone(zone).date()


def count_plainly(world: World, query: Query) -> Counter[tuple[object, tuple[str, ...]]]:
    """The plays of the query's days by bucket and members, told apart by nothing but calendars."""
    chosen = query.filters.by_dimension()
    return Counter(
        (find_bucket(play.at, query.grain, query.zone), tuple(play.members[name] for name in query.dimensions))
        for play in world.plays
        if query.measure in play.counted_as
        and query.first_on <= play.at.astimezone(query.zone).date() <= query.last_on
        and all(play.members[name] in members for name, members in chosen.items())
    )


@pytest.mark.parametrize("measure", PLAY_MEASURES)
def test_plays_are_what_plain_python_counts_of_every_zone_and_split(
    here: Store, world: World, measure: Measure
) -> None:
    splits: list[tuple[Dimension, ...]] = [(), ("show",), ("episode", "app")]
    filters = [Filters(), Filters(apps=("Overcast",), episode_ids=tuple(world.episodes.values())[:3])]
    if measure.startswith("ad"):
        splits.append(("campaign", "app"))
        filters.append(Filters(campaign_ids=(world.campaigns[0],)))
    wrong, filled = [], 0
    for tz in ZONES:
        for grain in GRAINS:
            for dimensions in splits:
                for only in filters:
                    days = (WHOLE.first_on + timedelta(days=2), WHOLE.last_on - timedelta(days=1))
                    query = Query(*days, measure, dimensions, grain, tz, only)
                    wanted = count_plainly(world, query)
                    answer = ask(here, world.owner_id, query)
                    found = {
                        (label(row.start_at, grain, query.zone), row.members): row.value
                        for row in answer.rows
                        if row.value
                    }
                    wrong += [query] if found != wanted else []
                    filled += bool(wanted)
    assert wrong == []
    assert filled > 50


@pytest.mark.parametrize("measure", ["plays", "ad_plays"])
def test_plays_are_of_players_and_of_no_other_source(here: Store, world: World, measure: Measure) -> None:
    query = replace(WHOLE, measure=measure)
    whole = ask(here, world.owner_id, query)
    assert ask(here, world.owner_id, replace(query, filters=Filters(sources=("player",)))).rows == whole.rows
    assert ask(here, world.owner_id, replace(query, filters=Filters(sources=("file", "prefix")))).total == 0


def test_the_command_of_ads_and_of_listen_through_tell_what_the_query_tells(here: Store, world: World) -> None:
    with here.snapshot(world.owner_id) as connection:
        ads = compute_ad_plays(connection, world.owner_id, WHOLE).campaigns
        heard = compute_listen_through(connection, world.owner_id, WHOLE)
    by_campaign = {}
    for measure in PLAY_MEASURES[:6]:
        rows = ask(here, world.owner_id, replace(WHOLE, measure=measure, dimensions=("campaign",))).rows
        by_campaign[measure] = {row.members[0]: row.value for row in rows}
    told = [(str(row.campaign_id), row.plays, row.first_quarter, row.half) for row in ads]
    first = by_campaign["ad_plays"], by_campaign["ad_plays_25"], by_campaign["ad_plays_50"]
    assert told == [(key, *(found[key] for found in first)) for key, *_ in told]
    rest = by_campaign["ad_plays_75"], by_campaign["ad_completes"], by_campaign["ad_skips"]
    assert [(row.third_quarter, row.complete, row.skips) for row in ads] == [
        tuple(found[str(row.campaign_id)] for found in rest) for row in ads
    ]
    assert len(told) == 2
    by_episode = Counter(play.members["episode"] for play in world.plays if "plays" in play.counted_as)
    ended = Counter(play.members["episode"] for play in world.plays if "completed_plays" in play.counted_as)
    assert {str(row.episode_id): (row.play_count, row.completed_count) for row in heard} == {
        key: (count, ended[key]) for key, count in by_episode.items()
    }


def test_days_of_which_no_player_told_have_no_value_and_days_between_have_zero(here: Store, world: World) -> None:
    first_on, last_on = WHOLE.first_on - timedelta(days=3), WHOLE.first_on + timedelta(days=3)
    query = Query(first_on, last_on, "ad_plays", grain="day", filters=Filters(apps=("Overcast",)))
    answer = ask(here, world.owner_id, query)
    assert [row.value is None for row in answer.rows] == [True] * 3 + [False] * 4
    assert (answer.counting.day_count, answer.counting.measured_day_count) == (7, 4)
    assert (answer.counting.counted_from, answer.counting.metric, answer.counting.rules) == (
        "listener_events",
        "ad_plays/1",
        None,
    )
    nobody = ask(here, world.owner_id, replace(query, filters=Filters(apps=("Castbox",))))
    assert [row.value for row in nobody.rows] == [None] * 3 + [0] * 4


def test_where_no_player_told_there_is_no_zero(here: Store, world: World) -> None:
    before = Query(date(2026, 9, 1), date(2026, 9, 3), "plays")
    stranger = make_account(here).user_id
    for owner_id, query in ((world.owner_id, before), (stranger, replace(WHOLE, measure="ad_skips"))):
        answer = ask(here, owner_id, query)
        assert answer.withheld is not None
        assert (answer.rows, answer.total, answer.withheld.reason) == ((), None, "no_player_told")


def test_a_plays_campaign_is_not_known_and_not_asked(world: World) -> None:
    with pytest.raises(InvalidInput, match="are of no campaign; ask for `ad_plays`"):
        replace(WHOLE, measure="plays", dimensions=("campaign",))
    with pytest.raises(InvalidInput, match="are of no campaign"):
        replace(WHOLE, measure="completed_plays", filters=Filters(campaign_ids=(world.campaigns[0],)))


def test_plays_whose_rows_are_gone_are_withheld_and_never_a_part(own_store: Store) -> None:
    owner_id = make_account(own_store).user_id
    _, episodes = make_show(own_store, owner_id, "one")
    store = replace(own_store, settings=replace(own_store.settings, secret_key="k" * 32))
    log = LogWriter(store.settings.data_dir / LOG_FOLDER)
    for day in (0, 7):
        at = FIRST + timedelta(days=day)
        session: dict[str, object] = {"id": f"s{day}", "started_at": at.isoformat(), "episode": {"url": min(episodes)}}
        log.append([encode(APPS["Overcast"], session, [{"id": "1", "type": "start", "at": at.isoformat()}])])
    log.close()
    drain_intake(store)
    query = replace(WHOLE, measure="plays")
    assert ask(store, owner_id, query).total == 2
    # The week of the first day is past its 90 days, that of the other is not.
    apply_retention(store, at=datetime(2026, 10, 26, tzinfo=UTC) + timedelta(days=90))
    lost, kept = ask(store, owner_id, query), ask(store, owner_id, replace(query, first_on=date(2026, 10, 29)))
    assert lost.withheld is not None
    assert (lost.total, lost.withheld.reason, kept.total) == (None, "raw_not_kept", 1)
    # Rows of the days between would be gone, too; but of those nobody told.
    assert ask(store, owner_id, replace(query, first_on=date(2026, 10, 23))).total == 1


def deliver(store: Store, owner_id: UUID, session_id: str, at: datetime, *events: dict[str, object]) -> None:
    """What a session told of the first episode of the show `one` is taken in."""
    url = f"https://{owner_id.hex}.example.net/one/0.mp3"
    session: dict[str, object] = {"id": session_id, "started_at": at.isoformat(), "episode": {"url": url}}
    log = LogWriter(store.settings.data_dir / LOG_FOLDER)
    log.append([encode(APPS["Overcast"], session, list(events))])
    log.close()
    drain_intake(store)


@pytest.mark.parametrize("named", [{"ad_id": "spot"}, {}], ids=["by its id", "nameless"])
@pytest.mark.parametrize("border", [Decimal(90), Decimal("90.5")])
def test_a_play_that_ends_where_the_next_ad_begins_is_one_play_of_its_own_campaign(
    here: Store, named: dict[str, object], border: Decimal
) -> None:
    owner_id = make_account(here).user_id
    podcast_id, episodes = make_show(here, owner_id, "one")
    campaigns = make_campaigns(here, owner_id, podcast_id)
    spans = [(Decimal(60), border), (border, Decimal(120))]
    with here.account(owner_id) as connection:
        for campaign_id, (start, end) in zip(campaigns, spans, strict=True):
            place = NewPlacement(campaign_id, episodes[min(episodes)], "mid", start_seconds=start, end_seconds=end)
            create_placement(connection, owner_id, place)
    for number, (start, end) in enumerate(spans):
        told = [
            beacon(kind, FIRST + timedelta(seconds=float(second))) | named | {"position_seconds": float(second)}
            for kind, second in (("ad_start", start), ("ad_complete", end))
        ]
        deliver(here, owner_id, f"s{number}", FIRST, *told)
    deliver(here, owner_id, "stopped", FIRST, beacon("ad_start", FIRST) | named | {"position_seconds": float(border)})
    by_campaign = {
        measure: {row.members[0]: row.value for row in ask(here, owner_id, query).rows}
        for measure in ("ad_plays", "ad_completes")
        for query in [replace(WHOLE, measure=measure, dimensions=("campaign",))]
    }
    first, second = map(str, campaigns)
    assert by_campaign == {"ad_plays": {first: 1, second: 2}, "ad_completes": {first: 1, second: 1}}
    assert ask(here, owner_id, replace(WHOLE, measure="ad_plays")).total == 3


def test_an_ad_whose_end_alone_knows_its_campaign_is_one_play_of_it(here: Store) -> None:
    owner_id = make_account(here).user_id
    podcast_id, _ = make_show(here, owner_id, "one")
    campaign_id = str(make_campaigns(here, owner_id, podcast_id)[0])
    spot: dict[str, object] = {"ad_id": "spot"}
    end = beacon("ad_complete", FIRST + timedelta(seconds=30)) | spot | {"campaign_id": campaign_id}
    deliver(here, owner_id, "s1", FIRST, beacon("ad_start", FIRST) | spot, end)
    answer = ask(here, owner_id, replace(WHOLE, measure="ad_plays", dimensions=("campaign",)))
    assert [(row.members, row.value) for row in answer.rows] == [((campaign_id,), 1)]


def test_the_first_day_is_the_earliest_however_late_it_was_told(here: Store) -> None:
    owner_id = make_account(here).user_id
    make_show(here, owner_id, "one")
    day = timedelta(days=1)
    deliver(here, owner_id, "online", FIRST + 3 * day, beacon("start", FIRST + 3 * day))
    late = [beacon("start", FIRST), beacon("progress", FIRST + 4 * day)]
    deliver(here, owner_id, "offline", FIRST, *late)
    answer = ask(here, owner_id, Query(FIRST.date() - day, FIRST.date() + 4 * day, "plays", grain="day"))
    assert [row.value for row in answer.rows] == [None, 1, 0, 0, 1, 0]
    assert (answer.counting.first_on, answer.counting.measured_day_count) == (FIRST.date(), 5)


def test_a_day_without_a_play_before_the_first_one_is_none_that_is_gone(here: Store) -> None:
    owner_id = make_account(here).user_id
    make_show(here, owner_id, "one")
    # The player's clock was wrong until its session began: what it told first is of a day on which nobody listened.
    begun = FIRST + timedelta(days=7)
    deliver(here, owner_id, "s1", begun, beacon("progress", FIRST), beacon("start", begun))
    answer = ask(here, owner_id, replace(WHOLE, measure="plays"))
    assert (answer.total, answer.withheld) == (1, None)
