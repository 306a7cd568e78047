"""Networks whose addresses act as one, beside neighbours who do not."""

import json
from collections import Counter
from collections.abc import Callable

import pytest

from castline.base.config import Settings
from castline.measure.behaviour.suspects import BEHAVIOURS
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings
from make_attacks import World, add_people

_OLD = (3, 17, 22, 40, 58, 61, 77, 80, 95, 111)
_NEWEST = 149
_HOUR = 3_600.0
_ECONOMIST = "TheEconomist-Lamarr-android-2.22.2"
_BEHAVIOURS = {behaviour.reason for behaviour in BEHAVIOURS}


def _world(homes: int) -> World:
    """A day of one show, of whose 150 episodes half of all takes are of the newest."""
    world = World("of networks", days=1, shows=1, per_show=_NEWEST + 1, versions=30)
    add_people(world, homes)
    return world


def _count(world: World, settings: Settings) -> tuple[Counter[str], Counter[str], set[str]]:
    """Per truth what counts without these rules and with them; and the reasons of what they took."""
    lines = [json.dumps(request).encode() for request in world.requests]
    counted = {False: Counter[str](), True: Counter[str]()}
    reasons = set[str]()
    for is_on in (False, True):
        book = own_rulebook(MeasureSettings(drop_behaviour=is_on))
        for item in count_requests(lines, book, settings, "file").verdicts:
            counted[is_on][world.requests[int(str(item.id))]["truth"]] += item.verdict == "counted"
            reasons |= {item.reason} & _BEHAVIOURS
    return counted[False], counted[True], reasons


def _clones(world: World) -> None:
    """Fourteen addresses of a network take the same ten old episodes, under one agent."""
    for host in range(14):
        for place, episode in enumerate(_OLD):
            world.ask("machine", 30_000 + 180.0 * place + host, (f"90.1.2.{host + 1}", _ECONOMIST), episode)


def _clones_of_all_agents(world: World) -> None:
    """In three networks nine addresses each take the same six episodes, one of them the newest, as people's agents."""
    for host in range(27):
        who = (f"90.1.{host % 3}.{host + 1}", world.agent())
        for episode in (*_OLD[:5], _NEWEST):
            world.ask("machine", world.waking(0), who, episode)


def _clones_of_an_hour(world: World) -> None:
    """As they, in an hour of the night in which few others are awake."""
    for host in range(9):
        who = (f"90.1.2.{host + 1}", world.agent())
        for episode in _OLD[:5]:
            world.ask("machine", 2 * _HOUR + _HOUR * world.chance.random(), who, episode)


def _network_of_few_agents(world: World) -> None:
    """Fifty addresses of a network take anything, under three releases of one app that are seldom seen."""
    for host in range(50):
        who = (f"90.1.2.{host + 1}", f"Castbox/8.9.{host % 3} (Linux;Android 19)")
        world.ask("machine", world.waking(0), who, world.choose(0))


def _network_of_version_6(world: World) -> None:
    """As they, of a /48 of IPv6."""
    for host in range(60):
        who = (f"2a02:77:9:{host:x}::1", f"Castbox/8.9.{host % 2} (Linux;Android 19)")
        world.ask("machine", world.waking(0), who, world.choose(0))


def _shared_list(world: World) -> None:
    """Sixteen addresses of a network under three agents that many have share a list of all episodes."""
    agents = [world.agent() for _ in range(3)]
    for number in range(_NEWEST + 1):
        who = (f"90.1.2.{world.chance.randrange(16) + 1}", world.chance.choice(agents))
        world.ask("machine", 20_000 + 80.0 * number, who, number)


@pytest.mark.parametrize(
    ("add", "homes"),
    [
        (_clones, 60),
        (_clones, 600),
        (_clones_of_all_agents, 600),
        (_clones_of_an_hour, 600),
        (_network_of_few_agents, 40),
        (_network_of_few_agents, 600),
        (_network_of_version_6, 60),
        (_shared_list, 600),
    ],
)
def test_networks_that_act_as_one_go_and_people_stay(
    settings: Settings, add: Callable[[World], None], homes: int
) -> None:
    world = _world(homes)
    add(world)
    before, after, reasons = _count(world, settings)
    assert (after["machine"], reasons) == (0, {"farm"})
    assert after["people"] == before["people"] > 0
    assert before["machine"] > 0


def _neighbours(world: World) -> None:
    """Sixty homes of one network take what all do, under the agents that all have."""
    for home in range(60):
        for _ in range(world.chance.choice((1, 2, 3))):
            world.ask("crowd", world.waking(0), (f"90.1.2.{home + 1}", world.agent()), world.choose(0))


def _neighbours_of_one_app(world: World) -> None:
    """Twenty homes of a network have the app that a fifth of all have, each some of its newest."""
    for home in range(400):
        address = f"90.1.2.{home + 1}" if home < 20 else world.address()
        truth = "crowd" if home < 20 else "others"
        agent = "Pocket Casts/7.1" if home < 20 or home % 5 == 0 else world.agent()
        for _ in range(world.chance.choice((1, 2, 3))):
            world.ask(truth, world.waking(0), (address, agent), world.choose(0))


def _fans(world: World) -> None:
    """Apps fetch the three newest on the day they are out, in a third of all homes; ten such homes are neighbours."""
    for home in range(250):
        address = f"90.1.2.{home + 1}" if home < 10 else world.address()
        who = (address, world.agent())
        for back in range(3):
            world.ask("crowd" if home < 10 else "others", 25_000 + 900 * world.chance.random(), who, _NEWEST - back)


@pytest.mark.parametrize("add", [_neighbours, _neighbours_of_one_app, _fans])
def test_neighbours_who_do_as_others_do_stay(settings: Settings, add: Callable[[World], None]) -> None:
    world = _world(500)
    add(world)
    before, after, reasons = _count(world, settings)
    assert (after, reasons) == (before, set())
    assert before["crowd"] > 0


def test_a_carriers_addresses_that_take_all_of_a_short_show_stay(settings: Settings) -> None:
    """Behind each are sixty phones: together they take nearly everything, and all addresses the same."""
    world = World("of a short show", days=1, shows=1, per_show=12, versions=30)
    add_people(world, 500)
    for phone in range(480):
        for _ in range(3):
            who = (f"90.1.2.{phone % 8 + 1}", world.agent())
            world.ask("crowd", world.waking(0), who, world.choose(0))
    before, after, reasons = _count(world, settings)
    assert (after, reasons) == (before, set())
    assert before["crowd"] > 0


def test_a_log_of_few_networks_tells_of_none(settings: Settings) -> None:
    """As a test, or behind proxies, whose log shows their own addresses."""
    world = World("of tests", days=1, shows=1, per_show=_NEWEST + 1)
    for host in range(45):
        world.ask("test", 100.0 * host, (f"192.0.2.{host + 1}", _ECONOMIST), _OLD[host % 10])
        for number in range(4):
            world.ask("test", 100.0 * host, (f"198.51.{host % 15}.{number + 1}", world.agent()), world.choose(0))
    before, after, reasons = _count(world, settings)
    assert (after, reasons) == (before, set())
