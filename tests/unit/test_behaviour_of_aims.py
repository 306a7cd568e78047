"""Crowds that take one episode and nothing besides, beside people who come in crowds."""

from collections.abc import Callable

import pytest

from castline.base.config import Settings
from count_behaviour import count_kept
from make_attacks import World, add_people

_DAY = 86_400.0
_NEWEST = 149


def _world(homes: int = 400) -> World:
    """A day of one show, of whose 150 episodes half of all takes are of the newest."""
    world = World("of aims", days=1, shows=1, per_show=_NEWEST + 1, versions=30)
    add_people(world, homes)
    return world


def _network_of_all_agents(world: World) -> None:
    """Sixty addresses of one network take the newest under the agents that people have."""
    for host in range(60):
        world.ask("machine", world.waking(0), (f"90.1.2.{host + 1}", world.agent()), _NEWEST)


def _network_of_version_6(world: World) -> None:
    """As many of a /48 of IPv6."""
    for host in range(60):
        world.ask("machine", world.waking(0), (f"2a02:77:9:{host:x}::1", world.agent()), _NEWEST)


def _made_versions(world: World) -> None:
    """Twelve addresses of one network with ten agents each that nobody else has."""
    for number in range(120):
        agent = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{number}.0.{7 * number}.9"
        world.ask("machine", world.waking(0), (f"90.1.2.{number % 12 + 1}", agent), _NEWEST)


def _address_of_all_agents(world: World) -> None:
    """One address takes the newest under two hundred agents within an hour, at any moment of it."""
    for number in range(200):
        who = ("90.1.2.3", f"{world.agent()} {number}")
        world.ask("machine", 40_000 + 3_600 * world.chance.random(), who, _NEWEST)


def _address_for_a_few(world: World) -> None:
    """One address takes four old episodes under as many agents, in a log of thirty homes."""
    for number in range(250):
        who = ("90.1.2.3", f"{world.agent()} {number}")
        world.ask("machine", 40_000 + 3_600 * world.chance.random(), who, (3, 17, 40, 58)[number % 4])


def _address_for_many(world: World) -> None:
    """One address takes what people take under two hundred agents in turn, one every ten seconds or so."""
    for number in range(400):
        who = ("90.1.2.3", f"{world.agent()} {number % 200}")
        world.ask("machine", 40_000 + 10 * (number + world.chance.random()), who, world.choose(0))


def _strangers_in_a_hurry(world: World) -> None:
    """One address takes what people take under two hundred agents that nobody has, at any moment of an hour."""
    for number in range(200):
        who = ("90.1.2.3", f"{world.agent()} {number}")
        world.ask("machine", 40_000 + 3_000 * world.chance.random(), who, world.choose(0))


def _networks_far_apart(world: World) -> None:
    """Twelve networks of twelve places, of ten addresses each, take the newest under the agents that people have."""
    for host in range(120):
        who = (f"{31 + host % 12}.7.{host % 12}.{host // 12 + 1}", world.agent())
        world.ask("machine", world.waking(0), who, _NEWEST)


@pytest.mark.parametrize(
    ("add", "reason", "homes"),
    [
        (_network_of_all_agents, "farm", 400),
        (_network_of_all_agents, "farm", 40),
        (_network_of_version_6, "farm", 400),
        (_made_versions, "farm", 400),
        (_networks_far_apart, "farm", 400),
        (_address_of_all_agents, "agent_rotation", 400),
        (_address_for_many, "agent_rotation", 400),
        (_strangers_in_a_hurry, "agent_rotation", 400),
        (_address_for_a_few, "agent_rotation", 30),
    ],
)
def test_who_come_for_one_episode_alone_go_and_people_stay(
    settings: Settings, add: Callable[[World], None], reason: str, homes: int
) -> None:
    world = _world(homes)
    add(world)
    before, after, reasons = count_kept(world, settings, "machine")
    assert (after, reasons) == (0, {reason})
    assert before > 0
    assert count_kept(world, settings, "people")[:2] == count_kept(_world(homes), settings, "people")[:2]


def _event(world: World) -> None:
    """A hundred guests of an event hear the newest within an hour, behind four addresses."""
    for guest in range(100):
        who = (f"90.1.2.{guest % 4 + 1}", world.agent())
        world.ask("crowd", 40_000 + 3_600 * world.chance.random(), who, _NEWEST)


def _event_for_its_own(world: World) -> None:
    """Guests behind two addresses, of all agents that homes have, hear one of weeks ago which a speaker tells of."""
    agents = sorted({request["user_agent"] for request in world.requests})
    for guest in range(2 * len(agents)):
        who = (f"90.1.2.{guest % 2 + 1}", agents[guest // 2])
        world.ask("crowd", 40_000 + 3_600 * world.chance.random(), who, 135)


def _apps_that_fetch(world: World) -> None:
    """Apps that fetch an episode when it comes out in the evening, and nothing else, each under one agent."""
    for home in range(270):
        who = (f"{81 + home % 9}.{home % 250}.{home // 9}.7", f"Fetcher{home % 6}/2.1")
        world.ask("crowd", 70_000 + world.chance.expovariate(1 / 3_600), who, 140)


def _class(world: World) -> None:
    """Thirty pupils of a class, with an address each, take the newest."""
    for pupil in range(30):
        world.ask("crowd", 32_400 + world.chance.expovariate(1 / 60), (f"90.1.2.{pupil + 1}", world.agent()), _NEWEST)


def _campus(world: World) -> None:
    """Two hundred students with an address each take what people do, most of them the newest."""
    for student in range(200):
        who = (f"90.1.2.{student + 1}", world.agent())
        for _ in range(world.chance.choice((1, 1, 2))):
            world.ask("crowd", world.waking(0), who, world.choose(0))


def _homes_on_a_quiet_show(world: World) -> None:
    """Forty homes of one network take an episode that nearly all take."""
    for home in range(340):
        address = f"90.1.2.{home + 1}" if home < 40 else world.address()
        world.ask("crowd" if home < 40 else "others", world.waking(0), (address, world.agent()), _NEWEST)


def _heard_in_one_place(world: World) -> None:
    """In twelve networks of one place nine homes each hear an old episode of a local guest, and some elsewhere do."""
    for home in range(160):
        address = f"90.1.{home % 12}.{home // 12 + 1}" if home < 108 else world.address()
        world.ask("crowd" if home < 108 else "others", world.waking(0), (address, world.agent()), 40)


def _company(world: World) -> None:
    """Three hundred at one address, of all agents that homes have, hear their company's own over the morning."""
    for number in range(300):
        who = ("90.1.2.3", f"{world.agent()} {number % 9}")
        world.ask("crowd", 28_000 + world.chance.expovariate(1 / 7_200), who, _NEWEST)


def _phones_of_carriers(world: World) -> None:
    """In forty networks of ten carriers' places phones hear the newest much more than homes do, a dozen in each."""
    for phone in range(480):
        who = (f"{31 + phone % 10}.7.{phone % 40}.{phone // 40 + 1}", world.agent())
        episode = _NEWEST if world.chance.random() < 0.85 else world.choose(0)
        world.ask("crowd", world.waking(0), who, episode)


def _phones_sent_to_an_old_one(world: World) -> None:
    """As many phones, most of which a video sends to an old episode; homes hardly hear it."""
    for phone in range(480):
        who = (f"{31 + phone % 10}.7.{phone % 40}.{phone // 40 + 1}", world.agent())
        world.ask("crowd", world.waking(0), who, 40 if world.chance.random() < 0.8 else world.choose(0))


def _branches(world: World) -> None:
    """In three branches of a company, far apart, a dozen each hear its own."""
    for number in range(36):
        who = (f"{31 + number % 3}.7.1.{number // 3 + 1}", world.agent())
        world.ask("crowd", 28_000 + world.chance.expovariate(1 / 7_200), who, 40)


def _behind_proxies(world: World) -> None:
    """Behind three proxies two thousand take nearly always one of the five newest; few come without."""
    for number in range(2_000):
        who = (f"10.0.0.{number % 3 + 1}", f"{world.agent()} {number % 40}")
        back = world.chance.randrange(5) if world.chance.random() < 0.98 else 30
        world.ask("crowd", world.waking(0), who, _NEWEST - back)


def _test_log(world: World) -> None:
    """A hundred addresses of one network ask for one episode, and few others for others."""
    for host in range(100):
        world.ask("crowd", world.waking(0), (f"192.0.2.{host + 1}", world.agent()), 40)


@pytest.mark.parametrize(
    ("add", "homes"),
    [
        (_heard_in_one_place, 400),
        (_company, 400),
        (_phones_of_carriers, 400),
        (_phones_sent_to_an_old_one, 400),
        (_branches, 400),
        (_behind_proxies, 20),
        (_test_log, 10),
        (_event, 400),
        (_event_for_its_own, 400),
        (_apps_that_fetch, 400),
        (_class, 400),
        (_campus, 400),
        (_homes_on_a_quiet_show, 10),
    ],
)
def test_crowds_of_people_who_take_the_newest_stay(
    settings: Settings, add: Callable[[World], None], homes: int
) -> None:
    world = _world(homes)
    add(world)
    before, after, reasons = count_kept(world, settings, "crowd")
    assert (after, reasons) == (before, set())
    assert before > 0
