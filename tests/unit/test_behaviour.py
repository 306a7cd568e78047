"""What behaves as no people do is dropped, with its evidence; people, and traffic by chance, keep every verdict."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import polars as pl
import pytest

from castline.base.config import Settings
from castline.measure.behaviour.suspects import BEHAVIOURS, list_evidence
from castline.measure.count import count_requests
from castline.measure.judge import OUTCOMES, judge
from castline.measure.rules.matching import EpisodeIndex
from castline.measure.rules.networks import NetworkList
from castline.measure.rules.reasons import REASONS
from castline.measure.rules.table import own_rulebook
from castline.model.evidence import Evidence
from castline.model.measurement import WINDOWS, MeasureSettings, Window
from castline.model.show import AudioKey
from castline.store.landing.files import LANDED_SCHEMA
from make_attacks import ATTACKS, World, add_binge, add_carrier, add_office, add_people, add_school_class, add_wave
from oracle import Rules
from oracle import count as count_plainly

MONDAY: Final = datetime(2026, 9, 7, tzinfo=UTC)
EPISODES: Final = 120
BYTES: Final = 1_800_000
INDEX: Final = EpisodeIndex(
    AudioKey(UUID(int=1 + number % 2), UUID(int=number + 10), f"cdn.example.org/{number}.mp3", 1_800, BYTES)
    for number in range(EPISODES)
)
APP: Final = "Pocket Casts/7.1"
Ask = tuple[float, str, str, int]  # seconds after Monday, address, agent, episode


def _frame(asked: list[Ask]) -> pl.DataFrame:
    rows = [
        {
            "batch": 0,
            "line_number": number,
            "time": MONDAY + timedelta(seconds=at),
            "listener_key": UUID(int=hash_of(address)).bytes,
            "ip": address.rsplit(".", 1)[0] + ".0/24",
            "country": "SE",
            "user_agent": agent,
            "method": "GET",
            "status": 200,
            "bytes_sent": BYTES,
            "path": f"/{episode}.mp3",
        }
        for number, (at, address, agent, episode) in enumerate(asked)
    ]
    missing = {name: None for name in LANDED_SCHEMA if name not in rows[0]}
    return pl.DataFrame([row | missing for row in rows], schema={"batch": pl.UInt32(), **LANDED_SCHEMA})


def hash_of(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))))


def _usual(number: int = 300, seed: int = 1) -> list[Ask]:
    """Households over a day, the newer episodes the likelier."""
    chance = random.Random(seed)  # noqa: S311  # the same people each time
    return [
        (
            chance.random() * 86_400,
            f"81.{number % 250}.{chance.randrange(256)}.{chance.randrange(1, 255)}",
            f"Overcast/3.{chance.randrange(4)}",
            min(int(chance.expovariate(0.1)), EPISODES - 1),
        )
        for number in range(number)
    ]


def _ends(asked: list[Ask], **changed: object) -> list[tuple[str, str]]:
    book = own_rulebook(MeasureSettings(**changed))  # type: ignore[arg-type]  # a test's shorthand
    rows = judge(_frame(asked), INDEX, book).requests.sort("line_number")["outcome"]
    return [OUTCOMES[outcome] for outcome in rows]


def _sweep(episodes: int, gap: float, at: float = 36_000) -> list[Ask]:
    return [(at + number * gap, "90.1.2.3", APP, number) for number in range(episodes)]


def _rotation(agents: int, episode: int = 100) -> list[Ask]:
    chance = random.Random(agents)  # noqa: S311  # the same times each time
    times = sorted(40_000 + chance.random() * 3_600 for _ in range(agents))
    return [(at, "90.1.2.3", f"Castro 2026.{number}", episode) for number, at in enumerate(times)]


def _farm(addresses: int, network: Callable[[int], str]) -> list[Ask]:
    chance = random.Random(addresses)  # noqa: S311  # the same times each time
    return [(40_000 + chance.random() * 3_600, network(number), "FarmPlayer/1.0", 100) for number in range(addresses)]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (_sweep(120, gap=2), "sweep"),
        (_sweep(61, gap=55), "sweep"),
        (_sweep(120, gap=290), "sweep"),
        ([(tick * 600.0, "90.1.2.3", APP, tick % 20) for tick in range(144)], "metronome"),
        ([(tick * 1_800.0 + part, "90.1.2.3", APP, part) for tick in range(48) for part in range(10)], "metronome"),
        ([(40_000 + number * 0.5, "90.1.2.3", APP, 100) for number in range(200)], "burst"),
        (_rotation(200), "agent_rotation"),
        (_farm(120, lambda number: f"90.1.2.{number + 1}"), "farm"),
        (_farm(250, lambda number: f"90.1.{number}.9"), "farm"),
        (_farm(120, lambda number: f"{90 + number}.{number}.7.9"), "farm"),
    ],
)
def test_an_attack_among_households_goes_whole_and_they_stay(attack: list[Ask], reason: str) -> None:
    usual = _usual()
    ends = _ends(usual + attack)
    assert ends[len(usual) :] == [("dropped", reason)] * len(attack)
    assert ends[: len(usual)] == _ends(usual, drop_behaviour=False)


def test_a_farm_among_many_households_goes_though_its_share_of_their_takes_is_next_to_nothing() -> None:
    usual = _usual(7_000)
    farm = [
        (900.0 * host + episode, f"{90 + host}.{host}.7.9", APP, episode)
        for host in range(25)
        for episode in range(100, 104)
    ]
    assert _ends(usual + farm)[len(usual) :] == [("dropped", "farm")] * 100


def _class(pupils: int) -> list[Ask]:
    chance = random.Random(pupils)  # noqa: S311  # the same times each time
    return [(32_400 + chance.expovariate(1 / 60), "90.1.2.3", APP, 100) for _ in range(pupils)]


@pytest.mark.parametrize(
    "people",
    [
        # A new subscriber's queue; one who listens to the whole of it; a class that starts together.
        _sweep(60, gap=20),
        _sweep(60, gap=900, at=9_000),
        _class(30),
        # A class with apps of many kinds, each pupil once; three families of one house.
        [(at, address, f"Castro {number}", 100) for number, (at, address, _, _) in enumerate(_class(30))],
        [(30_000.0 + number * 60, "90.1.2.3", f"{APP} {number % 7}", number % 9) for number in range(60)],
        # One app wakes its phones for a release that everybody takes.
        [(20_000.0 + number, f"90.{number % 200}.{number}.1", "Castro 2026", 0) for number in range(250)],
    ],
)
def test_people_keep_their_downloads(people: list[Ask]) -> None:
    asked = _usual() + people
    assert _ends(asked) == _ends(asked, drop_behaviour=False)


def test_what_an_operator_vouches_for_is_exempt() -> None:
    book = own_rulebook(MeasureSettings())
    vouched = NetworkList(frozenset({64_500}))
    networks = type(book.networks)(book.networks.hosting, vouched, book.networks.preload_pages, "test")
    asked = _usual() + _sweep(120, gap=2)
    swept = pl.Series([64_501] * 300 + [64_500] * 120, dtype=pl.UInt32)
    frame = _frame(asked).with_columns(asn=swept)
    ends = judge(frame, INDEX, type(book)(book.settings, book.classifier, networks)).requests["outcome"]
    assert {OUTCOMES[outcome][0] for outcome in ends} <= {"counted", "duplicate"}


@pytest.mark.parametrize("window", WINDOWS)
def test_what_stays_is_counted_as_if_the_rest_had_never_come(window: Window) -> None:
    usual = _usual()
    attack = _sweep(120, gap=2) + _rotation(100)
    ends = _ends(usual + attack, window=window, tz="Europe/Oslo")
    assert ends[: len(usual)] == _ends(usual, window=window, tz="Europe/Oslo")
    assert {verdict for verdict, _ in ends[len(usual) :]} == {"dropped"}


def test_days_judged_alone_and_together_have_the_same_ends_and_evidence() -> None:
    monday = _usual() + _sweep(120, gap=2) + _farm(120, lambda number: f"90.9.2.{number + 1}")
    tuesday = [(at + 86_400, who, agent, episode) for at, who, agent, episode in _usual(seed=2) + _rotation(90)]
    together = judge(_frame(monday + tuesday), INDEX)
    alone = [judge(_frame(day), INDEX) for day in (monday, tuesday)]
    for day, judged in zip((MONDAY.date(), date(2026, 9, 8)), alone, strict=True):
        of_day = together.requests.filter(pl.col("day_on") == day).sort("line_number")
        assert of_day["outcome"].to_list() == judged.requests.sort("line_number")["outcome"].to_list()
        found = [list_evidence(each.evidence, [day]) for each in (together, judged)]
        assert found[0] == found[1] != []


def test_the_order_of_the_rows_changes_no_verdict_and_no_evidence() -> None:
    frame = _frame(_usual() + _sweep(120, gap=2) + _rotation(100) + _farm(120, lambda number: f"90.9.2.{number + 1}"))
    told = judge(frame, INDEX)
    for seed in range(3):
        mixed = judge(frame.sample(fraction=1, shuffle=True, seed=seed), INDEX)
        assert mixed.requests["outcome"].equals(told.requests["outcome"])
        assert mixed.evidence.equals(told.evidence)


def test_the_evidence_says_who_did_what_beyond_which_limits() -> None:
    judged = judge(_frame(_usual() + _sweep(120, gap=2) + _sweep(120, gap=2, at=50_000)), INDEX)
    [found] = list_evidence(judged.evidence, [MONDAY.date()])
    assert found == Evidence(
        MONDAY.date(),
        "sweep",
        "90.1.2.0/24",
        None,
        APP,
        1,
        240,
        120,
        {
            # Until the last new episode: 119 steps of two seconds are 3.97 minutes, 60 of them hold 61 episodes.
            "visits": 120,
            "gap_seconds": 2.0,
            "gap_variation": 0.0,
            "hours": 1,
            "lasting_minutes": 3.97,
            "fullest_hour_seconds": 120.0,
            "episodes": 120,
            "catalogue": 120,
            "agents_at_address": 1,
            "returns": 0,
        },
        BEHAVIOURS[0].limits,
    )


def test_every_rule_of_behaviour_has_its_reason_in_words_and_among_the_ends() -> None:
    reasons = [behaviour.reason for behaviour in BEHAVIOURS]
    assert [reason for verdict, reason in OUTCOMES if verdict == "dropped"][-len(reasons) :] == reasons
    assert [reason for reason in reasons if reason not in REASONS] == []


@pytest.mark.parametrize("seed", range(6))
def test_traffic_by_chance_keeps_every_verdict(seed: int) -> None:
    chance = random.Random(f"pool {seed}")  # noqa: S311  # the same pools each time
    addresses, agents = chance.choice((5, 20, 60, 200)), chance.choice((1, 3, 20, 60))
    episodes, days = chance.choice((1, 9, 50)), chance.choice((0.02, 0.25, 1, 3))
    grid = chance.choice((0.001, 1, 60, 1_800))
    near = chance.random() < 0.5
    is_replay = chance.random() < 0.3
    number = 12_000

    def name(who: int) -> str:
        return f"198.51.100.{who}" if near else f"{10 + who % 7}.{who}.3.9"

    asked = [
        (
            days * 86_400 * place / number if is_replay else chance.random() * days * 86_400 // grid * grid,
            name(place % addresses if is_replay else chance.randrange(addresses)),
            f"{APP}.{chance.randrange(agents)}",
            chance.randrange(episodes),
        )
        for place in range(number)
    ]
    assert _ends(asked) == _ends(asked, drop_behaviour=False)


def test_a_dense_pool_ends_as_the_plain_counter_says(settings: Settings) -> None:
    chance = random.Random(7)  # noqa: S311  # the same pool each time
    requests: list[dict[str, Any]] = [
        {
            "id": place,
            "time": MONDAY + timedelta(seconds=chance.randrange(3 * 86_400)),
            "ip": f"81.2.{chance.randrange(2)}.{chance.randrange(20)}",
            "user_agent": f"{APP}.{chance.randrange(20)}",
            "method": "GET",
            "status": chance.choice((200, 206)),
            "range": chance.choice((None, "bytes=0-", "bytes=0-29999", "bytes=30000-59999")),
            "bytes_sent": chance.choice((30_000, BYTES)),
            "episode": f"e{chance.randrange(30)}",
            "file_bytes": BYTES,
            "duration_seconds": 1_800,
            "header_bytes": None,
        }
        for place in range(12_000)
    ]
    lines = [json.dumps(item | {"time": item["time"].isoformat()}).encode() for item in requests]
    found = count_requests(lines, own_rulebook(MeasureSettings()), settings, "file").verdicts
    assert [(item.verdict, item.reason) for item in found] == count_plainly(requests, Rules())


@pytest.mark.parametrize(("addresses", "episodes", "seconds"), [(5, 100, 600), (3, 65, 3_600), (10, 100, 86_400)])
def test_chance_at_few_addresses_works_off_no_list(
    settings: Settings, addresses: int, episodes: int, seconds: int
) -> None:
    chance = random.Random(addresses)  # noqa: S311  # the same requests each time
    requests: list[dict[str, Any]] = [
        {
            "id": place,
            "time": MONDAY + timedelta(seconds=chance.randrange(seconds)),
            "ip": f"81.2.3.{chance.randrange(addresses)}",
            "user_agent": APP,
            "method": "GET",
            "status": 206,
            "range": f"bytes={chance.randrange(1, 50) * 10_000}-",
            "bytes_sent": chance.choice((30_000, 700_000)),
            "episode": f"e{chance.randrange(episodes)}",
            "file_bytes": BYTES,
            "duration_seconds": 1_800,
            "header_bytes": None,
        }
        for place in range(400 * addresses)
    ]
    lines = [json.dumps(item | {"time": item["time"].isoformat()}).encode() for item in requests]
    found = count_requests(lines, own_rulebook(MeasureSettings()), settings, "file").verdicts
    assert [(item.verdict, item.reason) for item in found] == count_plainly(requests, Rules())


def test_a_made_world_loses_its_attacks_and_keeps_its_people(settings: Settings) -> None:
    world = World("unit", days=1)
    add_people(world, 500)
    add_office(world, 120)
    add_carrier(world, 500, 2)
    add_school_class(world, 30)
    add_wave(world, 200)
    add_binge(world)
    for attack in ATTACKS.values():
        attack(world)
    lines = [json.dumps(request).encode() for request in world.requests]
    kept = Counter[str]()
    for is_on in (False, True):
        book = own_rulebook(MeasureSettings(drop_behaviour=is_on))
        for item in count_requests(lines, book, settings, "file").verdicts:
            truth = world.requests[int(str(item.id))]["truth"]
            kept[f"{'attack' if truth in ATTACKS else 'people'} {is_on}"] += item.verdict == "counted"
    assert kept["attack True"] <= 0.05 * kept["attack False"]
    assert kept["people True"] >= 0.995 * kept["people False"]
