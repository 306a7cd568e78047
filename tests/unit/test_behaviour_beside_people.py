"""Machines that only stand out beside the day's people, and people who look like machines until the day is known."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest

from castline.base.config import Settings
from castline.measure.behaviour.suspects import BEHAVIOURS
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings
from make_attacks import World, add_people

_DAY = 86_400.0
_BEHAVIOURS = {behaviour.reason for behaviour in BEHAVIOURS}


def _kept(world: World, settings: Settings, truth: str, round_to: int = 0) -> tuple[int, int, set[str]]:
    """Of the requests of this truth how many counted without the rules and with them, and the reasons of the rest."""
    lines = [json.dumps(request | _rounded(request, round_to)).encode() for request in world.requests]
    counted, reasons = Counter[bool](), set[str]()
    for is_on in (False, True):
        book = own_rulebook(MeasureSettings(drop_behaviour=is_on))
        for item in count_requests(lines, book, settings, "file").verdicts:
            if world.requests[int(str(item.id))]["truth"] == truth:
                counted[is_on] += item.verdict == "counted"
                reasons |= {item.reason} & _BEHAVIOURS if is_on else set()
    return counted[False], counted[True], reasons


def _rounded(request: dict[str, object], seconds: int) -> dict[str, str]:
    if not seconds:
        return {}
    at = datetime.fromisoformat(str(request["time"])).timestamp() // seconds * seconds
    return {"time": datetime.fromtimestamp(at).astimezone().isoformat()}


def _world() -> World:
    """A day of one show, of whose 150 episodes the last 24 are not out when it begins."""
    world = World("beside people", days=1, shows=1, per_show=150)
    world.newest[0] = 125
    add_people(world, 400)
    return world


def _hourly_news(world: World) -> None:
    """Apps that fetch each hour's episode a fixed time after it is out."""
    for hour in range(24):
        for client in range(12):
            who = (f"90.1.{client}.9", f"Pocket Casts/7.{client % 3}")
            world.ask("news", hour * 3_600.0 + 30 * client, who, 126 + hour)


def _queue(world: World) -> None:
    """One who fetches 45 episodes for a flight, a few at a time."""
    at = 36_000.0
    for number in range(45):
        world.ask("queue", at, ("90.1.2.3", "Pocket Casts/7.1"), 20 + number)
        at += world.chance.choice((1.0, 6.0, 20.0))


def _queue_of_unknown_lengths(world: World) -> None:
    """One who fetches 30 episodes, of which nobody tells how long they are: so only whole files count."""
    for number in range(30):
        told = {"duration_seconds": None, "header_bytes": None}
        world.ask("queue", 36_000 + 31.0 * number, ("90.1.2.3", "Pocket Casts/7.1"), 20 + number, **told)


def _queue_of_unknown_sizes(world: World) -> None:
    """One who fetches 30 episodes, of which nobody tells how large they are either."""
    for number in range(30):
        told = {"duration_seconds": None, "header_bytes": None, "file_bytes": None}
        world.ask("queue", 36_000 + 31.0 * number, ("90.1.2.3", "Pocket Casts/7.1"), 20 + number, **told)


def _classes(world: World) -> None:
    """Three classes with tablets of one make start the same at nine."""
    for _ in range(90):
        world.ask("classes", 32_400 + world.chance.expovariate(1 / 90), ("90.1.2.3", "Pocket Casts/7.1"), 20)


def _crowd_of_few_agents(world: World) -> None:
    """Thousands behind one address, whose apps are four: their takes are few, and asked for again and again."""
    for _ in range(1_500):
        who = ("90.1.2.3", f"Pocket Casts/7.{world.chance.randrange(7)}")
        world.ask("crowd", world.waking(0), who, world.choose(0))


def _season(world: World) -> None:
    """Subscribers' apps fetch the five newest, of which others take one or two."""
    for subscriber in range(60):
        who = (f"{90 + subscriber % 9}.{subscriber}.7.9", world.agent())
        for number in range(5):
            world.ask("season", 30_000 + 40 * subscriber + 5 * number, who, 121 + number)


def _new_subscribers(world: World) -> None:
    """Thirty who are new fetch the last six and nothing else."""
    for subscriber in range(30):
        who = (f"{90 + subscriber % 9}.{subscriber}.7.9", world.agent())
        for number in range(6):
            world.ask("new", 30_000 + 900 * subscriber + 5 * number, who, 120 + number)


@pytest.mark.parametrize(
    ("add", "truth", "round_to"),
    [
        (_hourly_news, "news", 0),
        (_hourly_news, "news", 60),
        (_queue, "queue", 0),
        (_queue, "queue", 60),
        (_queue, "queue", 3_600),
        (_queue_of_unknown_lengths, "queue", 0),
        (_queue_of_unknown_sizes, "queue", 0),
        (_classes, "classes", 0),
        (_classes, "classes", 60),
        (_crowd_of_few_agents, "crowd", 1),
        (_season, "season", 1),
        (_new_subscribers, "new", 0),
    ],
)
def test_people_who_look_like_machines_stay(
    settings: Settings, add: Callable[[World], None], truth: str, round_to: int
) -> None:
    world = _world()
    add(world)
    before, after, reasons = _kept(world, settings, truth, round_to)
    assert (after, reasons) == (before, set())
    assert before > 0


def _machine_by_chance(world: World) -> None:
    """A machine that asks by chance, at any hour, for any episode."""
    for _ in range(90):
        who = ("90.1.2.3", "Pocket Casts/7.1")
        world.ask("machine", world.chance.random() * _DAY, who, world.chance.randrange(150))


def _crowd_by_chance(world: World) -> None:
    """One address that takes any episode under any of a dozen agents."""
    for _ in range(400):
        who = ("90.1.2.3", f"Pocket Casts/7.{world.chance.randrange(12)}")
        world.ask("machine", world.chance.random() * _DAY, who, world.chance.randrange(110))


def _same_set(world: World) -> None:
    """Addresses of everywhere, under agents that people have, take the same five, in any order, at any time."""
    for _ in range(40):
        who = (world.address(), world.agent())
        for episode in world.chance.sample((3, 17, 40, 58, 90), 5):
            world.ask("machine", world.chance.random() * _DAY, who, episode)


def _small_farm(world: World) -> None:
    """A dozen addresses of one network take the same three under one agent, and some miss one."""
    for place in range(12):
        missed = (3, 17, 40)[place % 3] if place > 9 else None
        for episode in (3, 17, 40):
            if episode != missed:
                world.ask("machine", 40_000 + 900 * place, (f"90.1.2.{place + 1}", "Pocket Casts/7.1"), episode)


def _same_with_the_newest(world: World) -> None:
    """Addresses of everywhere, under people's agents, take the newest with the same six old ones."""
    for _ in range(30):
        who = (world.address(), world.agent())
        for episode in world.chance.sample((3, 17, 40, 58, 70, 90, 125), 7):
            world.ask("machine", world.chance.random() * _DAY, who, episode)


def _few_near_one_another(world: World) -> None:
    """Ten addresses of one network, under three agents, take the same seven."""
    for place in range(10):
        for episode in (3, 17, 40, 58, 70, 90, 99):
            at = 40_000 + 300 * place + 2_000 * world.chance.random()
            world.ask("machine", at, (f"90.1.2.{place + 1}", f"Pocket Casts/7.{place % 3}"), episode)


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (_machine_by_chance, "sweep"),
        (_crowd_by_chance, "agent_rotation"),
        (_same_set, "farm"),
        (_small_farm, "farm"),
        (_same_with_the_newest, "farm"),
        (_few_near_one_another, "farm"),
    ],
)
def test_machines_that_take_what_people_do_not_go(
    settings: Settings, add: Callable[[World], None], reason: str
) -> None:
    world = _world()
    add(world)
    before, after, reasons = _kept(world, settings, "machine")
    assert (after, reasons) == (0, {reason})
    assert before > 0
    assert _kept(world, settings, "people")[:2] == _kept(_world(), settings, "people")[:2]


@pytest.mark.parametrize("seed", range(8))
def test_chance_at_few_addresses_with_times_rounded_to_hours_keeps_every_verdict(settings: Settings, seed: int) -> None:
    chance = random.Random(f"hours {seed}")  # noqa: S311  # the same requests each time
    addresses, episodes = chance.choice((1, 3, 8, 10)), chance.choice((40, 65, 200, 1_000))
    span, agents = chance.choice((600, 3_600, 86_400, 3 * 86_400)), chance.choice((1, 3, 10))
    world = World(f"hours {seed}", days=3, shows=1, per_show=episodes)
    for _ in range(addresses * chance.choice((60, 150, 400))):
        who = (f"81.2.3.{chance.randrange(addresses)}", f"Pocket Casts/7.{chance.randrange(agents)}")
        world.ask("chance", chance.randrange(span), who, chance.randrange(episodes))
    before, after, reasons = _kept(world, settings, "chance", 3_600)
    assert (after, reasons) == (before, set())
