"""Crowds that take the identical number of an episode's bytes, beside players that ask for pieces of one size."""

from collections.abc import Callable

import pytest

from castline.base.config import Settings
from count_behaviour import count_kept
from make_attacks import World, add_people

_NEWEST = 149
_LAST = 148
_TRAILER = 146


def _world() -> World:
    """A day of one show, of whose 150 episodes half of all takes are of the newest, of 40 minutes."""
    world = World("of stretches", days=1, shows=1, per_show=_NEWEST + 1, versions=30)
    for episode, size, seconds in ((_NEWEST, 40_000_000, 2_400), (_TRAILER, 1_100_003, 70)):
        world.episodes[episode] = (world.episodes[episode][0], size, seconds)
    add_people(world, 400)
    return world


def _minute(world: World, episode: int, seconds: int = 60) -> int:
    _, size, length = world.episodes[episode]
    return size * seconds // length + 1


def _homes(world: World, truth: str, count: int, episode: int, sent: int) -> None:
    for _ in range(count):
        world.ask(truth, world.waking(0), (world.address(), world.agent()), episode, bytes_sent=sent)


def _a_minute_of_the_newest(world: World) -> None:
    """Sixty homes take a second more than a minute of the newest, to the byte, under the agents that people have."""
    _homes(world, "machine", 60, _NEWEST, _minute(world, _NEWEST, 61))


def _a_minute_of_two(world: World) -> None:
    """As many do of each of two episodes."""
    _homes(world, "machine", 60, _NEWEST, _minute(world, _NEWEST, 61))
    _homes(world, "machine", 60, _LAST, _minute(world, _LAST, 61))


def _by_range(world: World) -> None:
    """Sixty homes ask for that much."""
    sent = _minute(world, _NEWEST, 61)
    for _ in range(60):
        who = (world.address(), world.agent())
        told = {"status": 206, "range": f"bytes=0-{sent - 1}", "bytes_sent": sent}
        world.ask("machine", world.waking(0), who, _NEWEST, **told)


@pytest.mark.parametrize("add", [_a_minute_of_the_newest, _a_minute_of_two, _by_range])
def test_who_take_a_minute_to_the_byte_go_and_people_stay(settings: Settings, add: Callable[[World], None]) -> None:
    world = _world()
    add(world)
    before, after, reasons = count_kept(world, settings, "machine")
    assert (after, reasons) == (0, {"farm"})
    assert before > 0
    assert count_kept(world, settings, "people")[:2] == count_kept(_world(), settings, "people")[:2]


def _pieces(world: World, sent: int) -> None:
    for _ in range(300):
        who, told = (world.address(), world.agent()), {"status": 206, "range": "bytes=0-", "bytes_sent": sent}
        world.ask("crowd", world.waking(0), who, world.choose(0), **told)


def _usual_pieces(world: World) -> None:
    """Players ask for a piece that many use; of the newest it is just over a minute."""
    _pieces(world, 1_048_576)


def _odd_pieces(world: World) -> None:
    """Players ask for a piece of a size of their own whatever the episode; of the newest it is just over a minute."""
    _pieces(world, 1_048_001)


def _one_app(world: World) -> None:
    """One app stops where its listeners have heard enough of the newest."""
    for _ in range(60):
        who, sent = (world.address(), "Sampler/2.1"), _minute(world, _NEWEST, 61)
        world.ask("crowd", world.waking(0), who, _NEWEST, bytes_sent=sent)
        world.ask("crowd", world.waking(0), who, world.choose(0))


def _trailer(world: World) -> None:
    """An episode is little longer than a minute, and all take the whole of it."""
    _homes(world, "crowd", 60, _TRAILER, 1_100_003)


def _behind_a_gateway(world: World) -> None:
    """A network's gateway looks at the beginning of what its people ask for."""
    for number in range(25):
        who = (f"90.1.2.{number + 1}", world.agent())
        world.ask("crowd", world.waking(0), who, _NEWEST, bytes_sent=_minute(world, _NEWEST, 61))


def _who_break_off(world: World) -> None:
    """People break off in the second minute, wherever they are."""
    for _ in range(200):
        who = (world.address(), world.agent())
        sent = _minute(world, _NEWEST, 60) + world.chance.randrange(_minute(world, _NEWEST, 14))
        world.ask("crowd", world.waking(0), who, _NEWEST, bytes_sent=sent)


@pytest.mark.parametrize("add", [_usual_pieces, _odd_pieces, _one_app, _trailer, _behind_a_gateway, _who_break_off])
def test_who_take_the_same_size_as_players_do_stay(settings: Settings, add: Callable[[World], None]) -> None:
    world = _world()
    add(world)
    before, after, reasons = count_kept(world, settings, "crowd")
    assert (after, reasons) == (before, set())
    assert before > 0
