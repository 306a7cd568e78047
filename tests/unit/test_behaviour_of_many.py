"""Many who each do little, and who do little each day: told by what they do together, and by all days at hand."""

from collections.abc import Callable

import pytest

from castline.base.config import Settings
from count_behaviour import count_kept
from make_attacks import World, add_carrier, add_people

_DAY = 86_400.0


def _world(days: int = 1) -> World:
    """Days of one show, of whose 150 episodes the newest are liked."""
    world = World("of many", days=days, shows=1, per_show=150)
    add_people(world, 400 // days)
    return world


def _network_for_the_newest(world: World) -> None:
    """Sixty addresses of one network, all with one agent that people have too, take what everybody takes."""
    for host in range(60):
        world.ask("machine", world.waking(0), (f"90.1.2.{host + 1}", "Castbox/8.1.1 (Linux;Android 11)"), 149)


def _hosts_of_a_few_each(world: World) -> None:
    """Twelve hosts share a list of 72 old episodes."""
    for number in range(72):
        who = (f"90.1.2.{number % 12 + 1}", "Pocket Casts/7.1.1")
        world.ask("machine", 30_000 + 400 * number, who, number)


def _crowd(world: World) -> None:
    """Addresses of everywhere, under people's agents, take one old episode within five minutes."""
    for number in range(100):
        who = (f"{81 + number % 5}.{number}.7.9", world.agent())
        world.ask("machine", 40_000 + 3 * number, who, 20)


def _set_of_three(world: World) -> None:
    """Forty-five addresses of everywhere, under people's agents, take the same three old episodes."""
    for number in range(45):
        who = (f"{81 + number % 5}.{number}.7.9", world.agent())
        for episode in (3, 17, 40):
            world.ask("machine", 40_000 + 500 * number + 60 * world.chance.random(), who, episode)


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (_network_for_the_newest, "farm"),
        (_hosts_of_a_few_each, "farm"),
        (_crowd, "burst"),
        (_set_of_three, "farm"),
    ],
)
def test_many_who_act_as_one_go_and_people_stay(settings: Settings, add: Callable[[World], None], reason: str) -> None:
    world = _world()
    add(world)
    before, after, reasons = count_kept(world, settings, "machine")
    assert (after, reasons) == (0, {reason})
    assert before > 0
    assert count_kept(world, settings, "people")[:2] == count_kept(_world(), settings, "people")[:2]


def _class(world: World) -> None:
    """Thirty tablets of one make, with an address each, start the same old episode."""
    for number in range(30):
        who = (f"90.1.2.{number + 1}", "Pocket Casts/7.1.1")
        world.ask("people like machines", 32_400 + 3 * number, who, 20)


def _neighbours_who_binge(world: World) -> None:
    """Eight homes of one network each hear some of the back catalogue."""
    for number in range(8):
        who = (f"90.1.2.{number + 1}", world.agent())
        for place in range(12):
            world.ask("people like machines", 30_000 + 2_700 * place + number, who, 12 * number + place)


def _release(world: World) -> None:
    """An episode that comes out: apps fetch it within minutes, and some hear it later."""
    for number in range(130):
        at = 20_000 + 4 * number if number < 110 else 30_000 + 2_500 * (number - 110)
        world.ask("people like machines", at, (f"{81 + number % 5}.{number}.7.9", world.agent()), 20)


def _regular_log(world: World) -> None:
    """Nine hundred homes take three episodes each of 21 in turn, one every half a minute, and so do four addresses."""
    world.requests.clear()
    for number in range(2_700):
        who = (f"{81 + number % 9}.{number % 250}.{number % 900 // 9}.7", f"Castbox/{number % 7}")
        world.ask("people like machines", 32.0 * number, who, number % 3 * 7 + number % 7)
    for number in range(200):
        world.ask(
            "people like machines", 432.0 * number, (f"100.64.0.{number % 4 + 1}", f"Castbox/{number % 9}"), number % 21
        )


@pytest.mark.parametrize("add", [_class, _neighbours_who_binge, _release, _regular_log])
def test_many_people_who_do_alike_stay(settings: Settings, add: Callable[[World], None]) -> None:
    world = _world()
    add(world)
    before, after, reasons = count_kept(world, settings, "people like machines")
    assert (after, reasons) == (before, set())
    assert before > 0


def _slow_sweep(world: World) -> None:
    """Thirty episodes a day, at any hour, of a list."""
    for number in range(120):
        world.ask("machine", 4 * _DAY * world.chance.random(), ("90.1.2.3", "Pocket Casts/7.1.1"), number)


def _slow_clock(world: World) -> None:
    """The same few episodes every hundred minutes."""
    for tick in range(56):
        world.ask("machine", 6_000.0 * tick, ("90.1.2.3", "Pocket Casts/7.1.1"), tick % 3)


def _sweep_over_midnight(world: World) -> None:
    """A hundred episodes, as many before midnight as after it."""
    for number in range(100):
        world.ask("machine", _DAY + 400 * (number - 50), ("90.1.2.3", "Pocket Casts/7.1.1"), number)


@pytest.mark.parametrize(
    ("add", "reason"), [(_slow_sweep, "sweep"), (_slow_clock, "metronome"), (_sweep_over_midnight, "sweep")]
)
def test_what_shows_over_the_days_of_a_file_goes_from_all_of_them(
    settings: Settings, add: Callable[[World], None], reason: str
) -> None:
    world = _world(days=4)
    add(world)
    before, after, reasons = count_kept(world, settings, "machine")
    assert (after, reasons) == (0, {reason})
    assert before > 0
    assert count_kept(world, settings, "people")[:2] == count_kept(_world(days=4), settings, "people")[:2]


def _archive(world: World) -> None:
    """Who hears the show from its beginning, a dozen a day, with nights between."""
    for number in range(48):
        at = number // 12 * _DAY + 25_000 + 3_600 * (number % 12)
        world.ask("people like machines", at, ("90.1.2.3", "Pocket Casts/7.1.1"), number)


def _speaker(world: World) -> None:
    """A speaker that plays the newest when it wakes its people and before they sleep."""
    for day in range(4):
        for at in (25_200, 79_200):
            world.ask("people like machines", day * _DAY + at, ("90.1.2.3", "Sonos/81.1"), 146 + day)


@pytest.mark.parametrize("add", [_archive, _speaker])
def test_who_does_the_same_every_day_stays(settings: Settings, add: Callable[[World], None]) -> None:
    world = _world(days=4)
    add(world)
    before, after, reasons = count_kept(world, settings, "people like machines")
    assert (after, reasons) == (before, set())
    assert before > 0


def test_crowds_that_are_alike_stay_where_a_farm_passes_for_the_households(settings: Settings) -> None:
    world = World("poisoned", days=1, shows=9, per_show=150)
    add_people(world, 15)
    add_carrier(world, 500, 2)
    for host in range(200):
        who = (f"{81 + host % 5}.{host}.7.9", world.agent())
        for episode in world.chance.sample(range(20, 35), 5):
            world.ask("machine", world.waking(0), who, episode)
    before, after, reasons = count_kept(world, settings, "carrier")
    assert (after, reasons) == (before, set())
    assert before > 0
