"""A second kind of made traffic with known truth: other people and other machines than make_attacks.py has.

Written from the rules' description alone, before their limits were looked at: shows small and large, clocks rounded to
minutes or hours, apps by the handful or by the thousand, logs that tell no sizes; attacks of 0.5 % to 60 % of traffic.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from make_attacks import Request, World

_DAY: Final = 86_400.0
_TOLD_OF_FILE: Final = ("file_bytes", "duration_seconds", "header_bytes")
Who = tuple[str, str]


@dataclass(slots=True)
class Audience(World):
    """A world of one show whose clock is rounded to `step` seconds; `tail` of its plays are of old episodes.

    `few_agents` is how many agents all have, 0 for any number; `tells_files` whether sizes are told. From `released` on
    episodes come out during the days, one each `cadence` seconds.
    """

    step: int = 0
    tail: float = 0.3
    few_agents: int = 0
    tells_files: bool = True
    cadence: float = _DAY
    released: int = 0
    pool: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        World.__post_init__(self)
        self.released = self.per_show - 1 - int(self.days * _DAY / self.cadence)
        while len(self.pool) < self.few_agents:
            agent = World.agent(self)
            self.pool += [agent] if agent not in self.pool else []

    def agent(self) -> str:
        """An agent as people have them."""
        return self.chance.choice(self.pool) if self.pool else World.agent(self)

    def out_at(self, episode: int) -> float:
        """When an episode came out, below 0 for before the first day."""
        return (episode - self.released) * self.cadence

    def play(self, at: float) -> int:
        """An episode as somebody plays it at that time: of the last ones, or of all that are out."""
        newest = min(self.released + int(at // self.cadence), self.per_show - 1)
        if self.chance.random() < self.tail:
            return newest - int((newest + 1) * self.chance.random() ** 2)
        return max(newest - int(self.chance.expovariate(0.9)), 0)

    def any_day(self) -> int:
        """A day of the log."""
        return self.chance.randrange(self.days)

    def ask(self, truth: str, at: float, who: Who, episode: int, **changed: object) -> None:
        """One request, if it is within the days."""
        if 0 <= at < self.days * _DAY and 0 <= episode < self.per_show:
            World.ask(self, truth, at, who, episode, **changed)

    def told(self) -> list[Request]:
        """The requests as the log has them."""
        unknown = {} if self.tells_files else dict.fromkeys(_TOLD_OF_FILE)
        return [request | {"time": self._rounded(request["time"])} | unknown for request in self.requests]

    def _rounded(self, time: str) -> str:
        at = datetime.fromisoformat(time)
        if not self.step:
            return time
        return datetime.fromtimestamp(at.timestamp() // self.step * self.step, at.tzinfo).isoformat()


def add_homes(world: Audience, count: int) -> None:
    """Subscribers whose apps fetch what is new in the minute it is out, and people who play what they like."""
    chance = world.chance
    homes = [(world.address(), world.agent()) for _ in range(max(count // world.days, 3))]
    for episode in range(world.released + 1, world.per_show):
        for who in chance.sample(homes, max(len(homes) // 5, 1)):
            world.ask(
                "subscribers", world.out_at(episode) + chance.choice((30, 900, 9_000)) * chance.random(), who, episode
            )
    for _ in range(count):
        at = world.waking(world.any_day())
        who = chance.choice(homes) if chance.random() < 0.7 else (world.address(), world.agent())
        world.listen("homes", at, who, world.play(at))


def add_crowd(world: Audience, count: int) -> None:
    """An office, a carrier's address or an exit of a VPN: many people behind one address, or behind a few near."""
    chance, near = world.chance, world.address().rsplit(".", 1)[0]
    addresses, is_office = chance.choice((1, 1, 4, 20)), chance.random() < 0.5
    for _ in range(count):
        day = world.any_day()
        at = day * _DAY + chance.gauss(11, 2.5) * 3_600 if is_office else world.waking(day)
        who = (f"{near}.{chance.randrange(addresses) + 1}", world.agent())
        world.listen("crowds", at, who, world.play(at))


def add_queue(world: Audience, count: int) -> None:
    """New subscribers' apps and people before a flight: 3 to 55 episodes, some at a time, newest first."""
    chance, taken = world.chance, 0
    while taken < count:
        who, at = (world.address(), world.agent()), world.waking(world.any_day())
        size, newest = (
            chance.choice((3, 10, 10, 20, chance.randrange(25, 56))),
            world.released + int(at // world.cadence),
        )
        for number in range(size):
            world.ask("queues", at, who, newest - number)
            at += chance.choice((1.0, 8.0, 30.0)) * chance.uniform(0.5, 2)
        taken += size


def add_binge(world: Audience, count: int) -> None:
    """Who listens to the back catalogue from some episode on, all weekend but for the nights."""
    chance, taken = world.chance, 0
    while taken < count:
        who, at = (world.address(), world.agent()), world.any_day() * _DAY + chance.uniform(7, 12) * 3_600
        first = chance.randrange(world.per_show)
        for number in range(min(chance.randrange(10, 50), world.per_show - first)):
            world.listen("binges", at, who, first + number)
            at += chance.uniform(900, 4_200)
            at += 8 * 3_600 if at % _DAY < 7 * 3_600 else 0
        taken += 30


def add_hourly(world: Audience, count: int) -> None:
    """Apps that fetch each new episode a fixed while after it is out."""
    for _ in range(max(count // max(world.per_show - world.released, 1), 1)):
        who, lag = (world.address(), world.agent()), world.chance.choice((20.0, 600.0, 3_000.0)) * world.chance.random()
        for episode in range(world.released, world.per_show):
            at = world.out_at(episode) + lag + abs(world.chance.gauss(0, world.chance.choice((1, 30, 300))))
            world.ask("news", at, who, episode)


def add_lesson(world: Audience, count: int) -> None:
    """Classes with devices of one make press play at the hour, one to three of them behind one address."""
    chance, who = world.chance, (world.address(), world.agent())
    for _ in range(max(count // 50, 1)):
        start, episode = (
            world.any_day() * _DAY + chance.choice((9, 10, 11, 13)) * 3_600,
            chance.randrange(world.per_show),
        )
        for _ in range(chance.choice((25, 50, 75))):
            world.ask("lessons", start + abs(chance.gauss(0, 90)), who, episode)


def add_feature(world: Audience, count: int) -> None:
    """A platform shows an old episode to its people: one app, from everywhere, for some hours."""
    chance, start = world.chance, world.waking(world.any_day())
    episode, app = chance.randrange(world.per_show), world.agent().split("/")[0]
    lasting = chance.choice((3_600.0, 20_000.0))
    for _ in range(count):
        agent = world.agent()
        while agent.split("/")[0] != app and chance.random() < 0.9:
            agent = world.agent()
        world.ask("features", start + chance.random() * lasting, (world.address(), agent), episode)


def _near(world: Audience, count: int) -> list[str]:
    """Addresses of one network: a /24, or of IPv6 a /48."""
    if world.chance.random() < 0.3:
        return [f"2a02:{world.chance.randrange(4_096):x}:77:{number:x}::1" for number in range(count)]
    first = world.address().rsplit(".", 1)[0]
    return [f"{first}.{number + 1}" for number in range(min(count, 250))]


def attack_sweep(world: Audience, count: int) -> None:
    """The catalogue is worked off, by one or by each of some hosts, fast or over hours."""
    chance, done = world.chance, 0
    while done < count:
        gap, agent = chance.choice((0.2, 3.0, 40.0)), world.agent()
        for host in _near(world, chance.choice((1, 1, 4, 12))):
            at = world.any_day() * _DAY + chance.random() * 20_000
            episodes = list(range(world.released))[:: chance.choice((1, -1))]
            for episode in episodes[: int(len(episodes) * chance.uniform(0.7, 1))]:
                world.ask("sweep", at, (host, agent), episode)
                at += gap * chance.choice((1.0, chance.uniform(0.5, 1.5)))
                done += 1


def attack_chance(world: Audience, count: int) -> None:
    """Hosts that ask at any hour for any episode."""
    chance, done, agent = world.chance, 0, world.agent()
    for host in _near(world, 250):
        for _ in range(world.days * 120):
            world.ask("chance", chance.random() * world.days * _DAY, (host, agent), chance.randrange(world.per_show))
            done += 1
        if done >= count:
            break


def attack_set(world: Audience, count: int) -> None:
    """A farm: hosts near one another or from everywhere, under one agent or under people's, take the same old ones."""
    chance, done = world.chance, 0
    while done < count:
        hosts, is_near = chance.choice((25, 60, 200)), chance.random() < 0.5
        addresses = _near(world, hosts) if is_near else [world.address() for _ in range(hosts)]
        agent = world.agent() if is_near and chance.random() < 0.6 else None
        episodes, together = chance.sample(range(world.released), chance.choice((4, 5, 8))), chance.random() < 0.5
        start, day = chance.uniform(0, 60_000), world.any_day() * _DAY
        for address in addresses:
            at = day + start + chance.random() * (30 if together else 14_400)
            who = (address, agent or world.agent())
            for episode in chance.sample(episodes, len(episodes)):
                world.ask("set", at, who, episode)
                at += chance.uniform(1, 30) if together else chance.uniform(30, 900)
                done += 1


def attack_stretch(world: Audience, count: int) -> None:
    """Hosts that take the same stretch of some dozens of episodes, some of them twice."""
    chance, done = world.chance, 0
    while done < count:
        last, gap, agent = chance.choice((1_900_000, 3_000_000)), chance.choice((2.0, 60.0, 300.0)), world.agent()
        for host in _near(world, chance.choice((1, 3, 8))):
            at = world.any_day() * _DAY + chance.random() * 30_000
            for _ in range(chance.choice((30, 60))):
                told = {"status": 206, "range": f"bytes=0-{last}", "bytes_sent": last + 1}
                world.ask("stretch", at, (host, agent), chance.randrange(world.per_show), **told)
                at += gap * chance.uniform(0.6, 1.4)
                done += 1


def attack_crowd(world: Audience, count: int) -> None:
    """One address that takes old episodes at random under a list of agents, at a steady pace."""
    chance, done = world.chance, 0
    while done < count:
        agents = [f"{world.agent()} {number}" for number in range(chance.choice((40, 100)))]
        address, at, gap = world.address(), world.any_day() * _DAY, chance.choice((4.0, 40.0, 120.0))
        episodes = chance.sample(range(world.released), min(chance.choice((3, 40)), world.released))
        for number in range(chance.choice((200, 600))):
            world.ask("agents", at, (address, agents[number % len(agents)]), chance.choice(episodes))
            at += gap * chance.uniform(0.5, 1.5)
            done += 1


PEOPLE: Final[dict[str, Callable[[Audience, int], None]]] = {
    "crowds": add_crowd,
    "queues": add_queue,
    "binges": add_binge,
    "lessons": add_lesson,
    "features": add_feature,
}
MACHINES: Final[dict[str, Callable[[Audience, int], None]]] = {
    "sweep": attack_sweep,
    "chance": attack_chance,
    "set": attack_set,
    "stretch": attack_stretch,
    "agents": attack_crowd,
}


def make_audience(seed: object) -> Audience:
    """People of some kinds and one to three attacks, each of 0.5 % to 60 % of all."""
    chance = random.Random(f"audience {seed}")  # noqa: S311  # the same world each time
    days, is_hourly = chance.choice((1, 2, 3, 7)), chance.random() < 0.2
    old, cadence = chance.choice((70, 150, 400)), 3_600.0 if is_hourly else chance.choice((0.5, 1, 3)) * _DAY
    world = Audience(
        f"audience {seed}",
        days=days,
        shows=1,
        per_show=old + 1 + int(days * _DAY / cadence),
        versions=chance.choice((3, 30)),
        step=chance.choice((0, 1, 1, 60, 3_600)),
        tail=chance.choice((0.15, 0.35, 0.6)),
        few_agents=chance.choice((0, 0, 6, 20)),
        tells_files=chance.random() < 0.7,
        cadence=cadence,
    )
    plays = chance.choice((100, 600, 1_500, 4_000)) * days
    plays = min(plays, 8_000)
    add_homes(world, plays)
    for add in chance.sample(list(PEOPLE.values()), chance.randrange(1, 4)) + [add_hourly] * is_hourly:
        add(world, int(plays * chance.uniform(0.02, 0.15)))
    for attack in chance.sample(list(MACHINES.values()), chance.choice((1, 2, 3))):
        share = 0.005 * 120 ** chance.random()
        attack(world, max(int(share * plays / (1 - share)), 150))
    return world
