"""Made traffic with known truth: listeners of every kind that must stay, and attacks that must go.

Needs no package. Each request is a dictionary as `castline measure count` reads it, with a `truth` beside: the kind of
people or of attack that made it. Worlds differ by seed and by every number drawn from it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Request = dict[str, Any]
MONDAY: Final = datetime(2026, 9, 7, tzinfo=UTC)
_DAY: Final = 86_400.0
# Weights by the hour of a day in which people listen: little at four in the morning, most on the way to work.
_HOURS: Final = (3, 2, 1, 1, 1, 3, 8, 14, 13, 9, 8, 8, 9, 8, 8, 8, 10, 12, 11, 9, 8, 7, 6, 4)
_APPS: Final = (
    (30, "AppleCoreMedia/1.0.0.{a}{b}{c} (iPhone; U; CPU OS {d}_{e} like Mac OS X; en_us)"),
    (25, "Podcasts/{a}50.{b} CFNetwork/{c}00.0.3 Darwin/2{d}.{e}.0"),
    (15, "Spotify/8.{a}.{b} Android/3{c} (SM-S91{d}B)"),
    (6, "Overcast/3.{a} (+http://overcast.fm/; iOS podcast app)"),
    (6, "Pocket Casts/7.{a}.{b}"),
    (5, "AntennaPod/3.{a}.{b}"),
    (4, "Castbox/8.{a}.{b} (Linux;Android 1{c})"),
    (4, "PodcastAddict/v5 - Dalvik/2.1.0 (Linux; U; Android 1{a}; Pixel {b})"),
    (3, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/12{a}.0.{b}00.0 Safari/537.36"),
    (2, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/1{a}.{b} Safari/605.1.15"),
)


@dataclass(slots=True)
class World:
    """One world: its shows, its agents and the requests so far; `versions` releases of each app are in use."""

    seed: object
    days: int = 2
    shows: int = 5
    per_show: int = 60
    versions: int = 6
    requests: list[Request] = field(default_factory=list)
    chance: random.Random = field(init=False)
    episodes: list[tuple[str, int, int]] = field(init=False)
    newest: dict[int, int] = field(init=False)
    loved: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"castline {self.seed}")  # noqa: S311  # the same world each time
        self.episodes = [
            (f"show{show}/{number}", self.chance.randrange(15_000_000, 80_000_000), self.chance.randrange(900, 5_000))
            for show in range(self.shows)
            for number in range(self.per_show)
        ]
        # Most listen to what is new: the last episode of each show.
        self.newest = dict.fromkeys(range(self.shows), self.per_show - 1)
        self.loved = self.chance.choices(range(self.shows), [1 / (show + 1) for show in range(self.shows)], k=50)

    def agent(self) -> str:
        """An app by its share, in one of its releases, the newest the likeliest."""
        form = self.chance.choices([text for _, text in _APPS], [share for share, _ in _APPS])[0]
        release = min(int(self.chance.expovariate(1.2)), self.versions - 1)
        return form.format(a=release % 9, b=release % 7, c=release % 5, d=release % 8, e=release % 4)

    def address(self) -> str:
        """An address of somebody's home."""
        first = self.chance.choice((24, 31, 47, 62, 71, 78, 81, 86, 90, 94, 98, 108, 151, 173, 188, 213))
        return f"{first}.{self.chance.randrange(256)}.{self.chance.randrange(256)}.{self.chance.randrange(1, 255)}"

    def waking(self, day: int) -> float:
        """A second of the day at which people are up."""
        hour = self.chance.choices(range(24), _HOURS)[0]
        return day * _DAY + hour * 3_600 + self.chance.random() * 3_600

    def choose(self, show: int | None = None) -> int:
        """An episode as people choose them: the newest half of the time, else the newer the likelier."""
        show = self.chance.choice(self.loved) if show is None else show
        back = 0 if self.chance.random() < 0.5 else int(self.chance.expovariate(0.15))
        return show * self.per_show + max(self.newest[show] - back, 0)

    def ask(self, truth: str, at: float, who: tuple[str, str], episode: int, **changed: object) -> None:
        """One request, by default for the whole file."""
        name, size, seconds = self.episodes[episode]
        address, agent = who
        usual = {
            "id": len(self.requests),
            "time": (MONDAY + timedelta(seconds=round(at, 3))).isoformat(),
            "ip": address,
            "user_agent": agent,
            "method": "GET",
            "status": 200,
            "range": None,
            "bytes_sent": size,
            "url": f"https://cdn.example.org/{name}.mp3",
            "referer": None,
            "episode": name,
            "file_bytes": size,
            "duration_seconds": seconds,
            "header_bytes": None,
            "truth": truth,
        }
        self.requests.append(usual | changed)

    def listen(self, truth: str, at: float, who: tuple[str, str], episode: int) -> None:
        """One listener takes one episode, as apps do: at once, in stretches, or with a probe and a second try."""
        size = self.episodes[episode][1]
        way = self.chance.random()
        if way < 0.6:
            self.ask(truth, at, who, episode)
        elif way < 0.75:
            self.ask(truth, at, who, episode, status=206, range="bytes=0-1", bytes_sent=2)
            self.ask(truth, at + 0.4, who, episode, status=206, range=f"bytes=0-{size - 1}")
        elif way < 0.9:
            step = self.chance.choice((262_144, 524_288, 1_048_576, 2_097_152))
            for place in range(self.chance.randrange(2, 30)):
                first, last = place * step, min((place + 1) * step, size) - 1
                if first > last:
                    break
                again = at + place * self.chance.uniform(0.2, 20)
                told = f"bytes={first}-{last}"
                self.ask(truth, again, who, episode, status=206, range=told, bytes_sent=last - first + 1)
        else:
            for again in range(self.chance.randrange(1, 5)):
                part = self.chance.randrange(size // 50, size)
                self.ask(truth, at + again * self.chance.uniform(3, 900), who, episode, bytes_sent=part)


def add_people(world: World, listeners: int) -> None:
    """Homes of one to four people, each with an app of their own and a few episodes a day."""
    chance = world.chance
    for _ in range(listeners):
        address = world.address()
        for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
            who, show = (address, world.agent()), chance.choice(world.loved)
            for day in range(world.days):
                for _ in range(chance.choices((0, 1, 2, 3, 6), (30, 40, 15, 10, 5))[0]):
                    world.listen("people", world.waking(day), who, world.choose(show))


def add_office(world: World, people: int) -> None:
    """One address; on the morning of a release nearly everybody takes the new episode."""
    chance, address, show = world.chance, world.address(), world.chance.choice(world.loved)
    agents = [world.agent() for _ in range(people)]
    for day in range(world.days):
        for agent in agents:
            start = day * _DAY + chance.gauss(8.75, 0.5) * 3_600
            if chance.random() < 0.7:
                world.listen("office", start, (address, agent), show * world.per_show + world.newest[show])
            if chance.random() < 0.3:
                world.listen("office", start + chance.uniform(600, 28_000), (address, agent), world.choose())


def add_carrier(world: World, people: int, addresses: int = 1) -> None:
    """Carrier-grade NAT: thousands behind few addresses."""
    chance, first = world.chance, world.address().rsplit(".", 1)[0]
    for _ in range(people):
        who, show = (f"{first}.{chance.randrange(addresses) + 1}", world.agent()), chance.choice(world.loved)
        for day in range(world.days):
            for _ in range(chance.choices((0, 1, 2, 4), (35, 40, 20, 5))[0]):
                world.listen("carrier", world.waking(day), who, world.choose(show))


def add_dormitory(world: World, people: int) -> None:
    """A house of students: one address, awake until three, many shows."""
    chance, address = world.chance, world.address()
    agents = [world.agent() for _ in range(people)]
    for day in range(world.days):
        for agent in agents:
            for _ in range(chance.randrange(4)):
                at = day * _DAY + (chance.uniform(9, 27) % 24) * 3_600
                world.listen("dormitory", at, (address, agent), world.choose())


def add_school_class(world: World, pupils: int) -> None:
    """Tablets of one make start the same old episode at nine: behind one address, or an address each."""
    chance, address, agent = world.chance, world.address(), world.agent()
    episode = chance.randrange(len(world.episodes))
    near = address.rsplit(".", 1)[0]
    for day in range(world.days):
        for number in range(pupils):
            at = day * _DAY + 9 * 3_600 + chance.expovariate(1 / 60)
            behind = (address, f"{near}.{number + 1}")[day % 2]
            world.listen("class", at, (behind, agent), episode)


def add_binge(world: World) -> None:
    """A new subscriber takes 10 to 60 episodes of one show, in the app's own queue or one after the other."""
    chance, who, show = world.chance, (world.address(), world.agent()), world.chance.randrange(world.shows)
    count = chance.randrange(10, min(world.per_show, 60) + 1)
    oldest = chance.random() < 0.5
    is_queue = chance.random() < 0.6
    at = world.waking(chance.randrange(world.days)) % (_DAY * 0.6) + chance.randrange(world.days) * _DAY
    for number in range(count):
        episode = show * world.per_show + (number if oldest else world.per_show - 1 - number)
        world.ask("binge", at, who, episode)
        at += chance.uniform(4, 60) if is_queue else chance.uniform(300, 900)


def add_wave(world: World, listeners: int) -> None:
    """A release: one app's servers wake all its phones within minutes, others come as they will."""
    chance, show = world.chance, world.chance.choice(world.loved)
    agent, start = world.agent(), chance.randrange(world.days) * _DAY + chance.randrange(4, 9) * 3_600
    newest = show * world.per_show + world.newest[show]
    for _ in range(listeners):
        phone = agent if chance.random() < 0.7 else world.agent()
        world.listen("wave", start + chance.expovariate(1 / 600), (world.address(), phone), newest)


def _times(chance: random.Random, start: float, count: int, lasting: float) -> Iterator[float]:
    """The beginnings of an attack's requests: by the clock, with jitter, by chance, or by an exponential wait."""
    way, gap, at = chance.choice(("clock", "jitter", "even", "wait")), lasting / count, start
    if way == "even":
        yield from sorted(start + chance.random() * lasting for _ in range(count))
        return
    for _ in range(count):
        yield at
        at += (
            gap
            if way == "clock"
            else gap * chance.uniform(0.7, 1.3)
            if way == "jitter"
            else chance.expovariate(1 / gap)
        )


def _made_agent(world: World, number: int) -> str:
    """An agent from a list that scripts carry: made up, or one that people have."""
    chance = world.chance
    return (
        f"Mozilla/5.0 (Windows NT {6 + number % 5}.{number % 4}; Win64; x64) AppleWebKit/537.{number} "
        f"(KHTML, like Gecko) Chrome/{60 + chance.randrange(70)}.0.{chance.randrange(5_000)}.{number} Safari/537.36"
    )


def _start(world: World, lasting: float) -> float:
    """A beginning after which the attack ends on the same day."""
    return world.chance.randrange(world.days) * _DAY + world.chance.random() * max(_DAY - lasting - 60, 1)


def add_sweep(world: World) -> None:
    """One client works off the back catalogue, in order or not, within seconds to hours."""
    chance, agent = world.chance, world.agent()
    episodes = list(range(len(world.episodes)))
    if chance.random() < 0.4:
        chance.shuffle(episodes)
    episodes = episodes[: chance.randrange(min(150, len(episodes)), len(episodes) + 1)]
    lasting = chance.choice((60.0, 600.0, 3_600.0, 4 * 3_600.0))
    is_part, address = chance.random() < 0.3, world.address()
    for at, episode in zip(_times(chance, _start(world, lasting), len(episodes), lasting), episodes, strict=True):
        size, seconds = world.episodes[episode][1:]
        if is_part:
            part = size * 70 // seconds
            told = {"status": 206, "range": f"bytes=0-{part - 1}", "bytes_sent": part}
            world.ask("sweep", at, (address, agent), episode, **told)
        else:
            world.ask("sweep", at, (address, agent), episode)


def add_burst(world: World) -> None:
    """One client takes one episode, or a few, again and again within minutes."""
    chance, who = world.chance, (world.address(), world.agent())
    few = [chance.randrange(len(world.episodes)) for _ in range(chance.choice((1, 1, 3, 8)))]
    count, lasting = chance.randrange(150, 1_000), chance.choice((20.0, 120.0, 500.0))
    for number, at in enumerate(_times(chance, _start(world, lasting), count, lasting)):
        world.ask("burst", at, who, few[number % len(few)])


def add_rotation(world: World) -> None:
    """One address takes one to three episodes under a list of agents."""
    chance, address = world.chance, world.address()
    agents = [_made_agent(world, number) for number in range(chance.randrange(60, 500))]
    few = [chance.randrange(len(world.episodes)) for _ in range(chance.choice((1, 1, 2, 3)))]
    lasting = chance.choice((120.0, 1_800.0, 3 * 3_600.0, 20 * 3_600.0))
    is_drawn = chance.random() < 0.4
    takes = [(agent, episode) for agent in agents for episode in few]
    for at, (agent, episode) in zip(_times(chance, _start(world, lasting), len(takes), lasting), takes, strict=True):
        world.ask("rotation", at, (address, chance.choice(agents) if is_drawn else agent), episode)


def add_farm(world: World) -> None:
    """Addresses of a /24, of a /16 or from everywhere take the same few episodes under one agent of their own."""
    chance = world.chance
    spread = chance.choice(("near", "near", "wide", "everywhere"))
    count = chance.randrange(60, 220) if spread == "near" else chance.randrange(100, 1_000)
    near = world.address().rsplit(".", 1)[0]
    wide = near.rsplit(".", 1)[0]
    agent = world.agent() if spread != "everywhere" and chance.random() < 0.5 else _made_agent(world, 7)
    few = [chance.randrange(len(world.episodes)) for _ in range(chance.choice((1, 1, 1, 3, 5)))]
    lasting = chance.choice((300.0, 3_600.0, 12 * 3_600.0))
    addresses: set[str] = set()
    while len(addresses) < count:
        last = chance.randrange(1, 255)
        made = {"near": f"{near}.{last}", "wide": f"{wide}.{chance.randrange(256)}.{last}"}
        addresses.add(made.get(spread) or world.address())
    takes = [(address, episode) for address in sorted(addresses) for episode in few]
    chance.shuffle(takes)
    for at, (address, episode) in zip(_times(chance, _start(world, lasting), len(takes), lasting), takes, strict=True):
        world.ask("farm", at, (address, agent), episode)


def add_metronome(world: World) -> None:
    """One client asks around the clock: for the next episode, or for some of them each time."""
    chance, who = world.chance, (world.address(), world.agent())
    gap = chance.choice((120.0, 300.0, 600.0, 900.0))
    jitter = chance.choice((0.0, 0.01, 0.2))
    few = [chance.randrange(len(world.episodes)) for _ in range(chance.choice((1, 10, 30)))]
    in_turn = chance.random() < 0.5
    for tick in range(int(world.days * _DAY / gap)):
        at = tick * gap + gap * jitter * chance.random()
        for number, episode in enumerate([few[tick % len(few)]] if in_turn else few):
            world.ask("metronome", at + number * 0.5, who, episode)


def add_scripted_range(world: World) -> None:
    """One client takes the same stretch, a little over a minute, of some dozens of episodes in no haste."""
    chance, who = world.chance, (world.address(), world.agent())
    count = min(chance.randrange(30, 150), len(world.episodes))
    last = max(size * 66 // seconds for _, size, seconds in world.episodes)
    lasting = chance.choice((3_600.0, 8 * 3_600.0))
    episodes = chance.sample(range(len(world.episodes)), count)
    for at, episode in zip(_times(chance, _start(world, lasting), count, lasting), episodes, strict=True):
        told = {"status": 206, "range": f"bytes=0-{last}", "bytes_sent": last + 1}
        world.ask("scripted_range", at, who, episode, **told)


ATTACKS: Final[dict[str, Callable[[World], None]]] = {
    "sweep": add_sweep,
    "burst": add_burst,
    "rotation": add_rotation,
    "farm": add_farm,
    "metronome": add_metronome,
    "scripted_range": add_scripted_range,
}


def make_world(seed: object, *, attacks: int = 2, listeners: int = 1_500) -> World:
    """People of every kind and so many attacks of each kind."""
    chance = random.Random(f"shape {seed}")  # noqa: S311  # the same world each time
    world = World(
        seed,
        days=chance.choice((1, 2, 3)),
        shows=chance.choice((3, 5, 8)),
        per_show=chance.choice((60, 80, 120)),
        versions=chance.choice((3, 6, 30)),
    )
    add_people(world, listeners)
    add_office(world, chance.choice((40, 120, 300)))
    add_office(world, chance.choice((20, 60, 300)))
    add_carrier(world, chance.choice((500, 2_000)), chance.choice((1, 4, 16)))
    add_dormitory(world, chance.choice((60, 200)))
    add_school_class(world, 30)
    add_wave(world, chance.choice((300, 1_000)))
    for _ in range(12):
        add_binge(world)
    for attack in ATTACKS.values():
        for _ in range(attacks):
            attack(world)
    return world
