"""The attacks of the third kind of made traffic (make_spans.py), and the worlds that they are in.

Small and large: sweeps in minutes or in days, by one host or by some; bursts of one address or of a crowd; rotation
under made agents or people's, for old episodes, new ones or any; farms of a /24, of a /16 or of homes, once or daily;
metronomes. Some are no more than people do.
"""

import random
from collections.abc import Callable, Sequence
from typing import Final

from make_spans import (
    PEOPLE,
    Episode,
    Span,
    add_campus,
    add_carrier,
    add_exit,
    add_homes,
    add_office,
    begin,
    catalogue,
    made_agent,
    old,
    paced,
)

_DAY: Final = 86_400.0
_HOUR: Final = 3_600.0
_SMALL: Final = 20


def sweep(span: Span) -> None:
    """One host works off a catalogue in seconds to hours."""
    chance, who = span.chance, (span.host(), span.agent())
    episodes = catalogue(span, chance.choice((80, 120, 250, 1_000)))
    lasting = len(episodes) * chance.choice((0.2, 1, 3, 10, 20))
    for at, episode in zip(paced(chance, begin(span, lasting), len(episodes), lasting), episodes, strict=True):
        span.ask("sweep", at, who, episode)


def sweep_slowly(span: Span) -> None:
    """One host works off a catalogue in hours or days."""
    chance, who = span.chance, (span.host(), span.agent())
    episodes = catalogue(span, chance.choice((100, 200, 500)))
    lasting = min(chance.choice((6 * _HOUR, _DAY, 3 * _DAY, 6 * _DAY)), span.days * _DAY * 0.9)
    for at, episode in zip(paced(chance, begin(span, lasting), len(episodes), lasting), episodes, strict=True):
        span.ask("slow sweep", at, who, episode)


def sweep_a_little(span: Span) -> None:
    """One host takes no more than a new subscriber does, within minutes."""
    chance, who = span.chance, (span.host(), span.agent())
    episodes = catalogue(span, chance.choice((30, 40, 60)))
    lasting = len(episodes) * chance.choice((0.5, 2, 5))
    for at, episode in zip(paced(chance, begin(span, lasting), len(episodes), lasting), episodes, strict=True):
        span.ask("small sweep", at, who, episode)


def sweep_together(span: Span) -> None:
    """Hosts near one another each work off the catalogue, or a part of it."""
    chance, near, agent = span.chance, span.host().rsplit(".", 1)[0], span.agent()
    hosts, episodes = chance.choice((3, 8, 20)), catalogue(span, 500)
    lasting, is_whole = chance.choice((600, _HOUR, 6 * _HOUR)), chance.random() < 0.5
    start = begin(span, lasting)
    for host in range(hosts):
        mine = episodes if is_whole else episodes[host::hosts]
        for at, episode in zip(paced(chance, start, len(mine), lasting), mine, strict=True):
            span.ask("shared sweep", at, (f"{near}.{3 * host + 5}", agent), episode)


def burst(span: Span) -> None:
    """One host asks for one episode again and again."""
    chance, who, episode = span.chance, (span.host(), span.agent()), old(span)
    count, lasting = chance.choice((60, 150, 500, 1_500)), chance.choice((30, 120, 600))
    for at in paced(chance, begin(span, lasting), count, lasting):
        span.ask("burst", at, who, episode)


def burst_as_crowd(span: Span) -> None:
    """Addresses of everywhere take one episode within minutes, an old one mostly, under one agent or people's."""
    chance, (show, place) = span.chance, old(span)
    place = place if chance.random() < 0.7 else span.per_show - 1 - len(span.out_at[show])
    count, lasting = chance.choice((60, 150, 500)), chance.choice((60, 300, 900))
    agent = span.agent() if chance.random() < 0.5 else None
    for at in paced(chance, begin(span, lasting), count, lasting):
        span.ask("crowd burst", at, (span.anywhere(), agent or span.agent()), (show, place))


def rotate(span: Span) -> None:
    """One address takes a few old episodes under a list of made agents."""
    chance, address = span.chance, span.host()
    agents, lasting = chance.choice((50, 100, 300)), chance.choice((60, 600, _HOUR, 12 * _HOUR))
    few = [old(span) for _ in range(chance.choice((1, 1, 3, 10)))]
    asked = [
        (agent, episode) for agent in range(agents) for episode in (few if len(few) < 10 else [chance.choice(few)])
    ]
    for at, (agent, episode) in zip(paced(chance, begin(span, lasting), len(asked), lasting), asked, strict=True):
        span.ask("rotation", at, (address, made_agent(chance, agent)), episode)


def rotate_for_new(span: Span) -> None:
    """One address takes what everybody takes, under made agents."""
    chance, address, show = span.chance, span.host(), span.show()
    agents, lasting = chance.choice((50, 100, 300)), chance.choice((60, 600, _HOUR))
    start = begin(span, lasting)
    for agent, at in enumerate(paced(chance, start, agents, lasting)):
        span.ask("rotation for new", at, (address, made_agent(chance, agent)), (show, span.newest(show, start)))


def rotate_for_any(span: Span) -> None:
    """One address takes any old episode of a show under people's agents."""
    chance, address, show = span.chance, span.host(), span.show()
    count, lasting = chance.choice((100, 300)), chance.choice((600, _HOUR, 12 * _HOUR))
    for at in paced(chance, begin(span, lasting), count, lasting):
        span.ask("rotation for any", at, (address, span.agent()), (show, chance.randrange(span.per_show - _SMALL)))


def _farm(span: Span, truth: str, addresses: Sequence[str]) -> None:
    """The addresses take one or some old episodes, some of fifteen, or the newest; once, or day after day."""
    chance, show, way = span.chance, span.show(), span.chance.choice(("one", "some", "any", "new"))
    few = chance.sample(range(span.per_show - _SMALL), {"some": chance.choice((3, 5, 8)), "any": 15}.get(way, 1))
    people = [span.agent() for _ in range(chance.choice((1, 1, 3)))]
    agents = people if chance.random() < 0.7 else [made_agent(chance, 7)]
    lasting, times = chance.choice((300, _HOUR, 8 * _HOUR)), chance.choice((1, 1, min(span.days, 5)))
    for time in range(times):
        start = begin(span, lasting) if times == 1 else time * _DAY + chance.uniform(0, _DAY - lasting - 60)
        for address in addresses:
            at, agent = start + chance.random() * lasting, chance.choice(agents)
            mine = chance.sample(few, 5) if way == "any" else few
            for place in [span.newest(show, start)] if way == "new" else mine:
                span.ask(truth, at, (address, agent), (show, place))
                at += chance.uniform(1, 30)


def farm_near(span: Span) -> None:
    """A farm in a /24."""
    near, count = span.host().rsplit(".", 1)[0], span.chance.choice((5, 10, 20, 50, 100, 200))
    addresses = [f"{near}.{number}" for number in span.chance.sample(range(1, 255), count)]
    _farm(span, "farm of a /24" if count > _SMALL else "small farm of a /24", addresses)


def farm_wide(span: Span) -> None:
    """A farm in a /16."""
    chance, wide = span.chance, ".".join(span.host().split(".")[:2])
    count = chance.choice((20, 50, 200))
    _farm(span, "farm of a /16", [f"{wide}.{chance.randrange(256)}.{chance.randrange(1, 255)}" for _ in range(count)])


def farm_anywhere(span: Span) -> None:
    """A farm in homes."""
    _farm(span, "farm of homes", [span.anywhere() for _ in range(span.chance.choice((30, 80, 200)))])


def keep_time(span: Span) -> None:
    """One host asks by the clock, for a day or all the time."""
    chance, who, show = span.chance, (span.host(), span.agent()), span.show()
    gap, jitter = chance.choice((60, 300, 600, 1_800, 3_600)), chance.choice((0, 0.02, 0.1))
    pool = [chance.randrange(span.per_show - _SMALL) for _ in range(chance.choice((1, 5, 30)))]
    lasting = span.days * _DAY if chance.random() < 0.6 else _DAY
    for tick in range(int(lasting / gap)):
        episode: Episode = (show, pool[tick % len(pool)])
        span.ask("metronome", tick * gap + gap * jitter * chance.random(), who, episode)


MADE: Final[tuple[Callable[[Span], None], ...]] = (
    sweep,
    sweep_slowly,
    sweep_a_little,
    sweep_together,
    burst,
    burst_as_crowd,
    rotate,
    rotate_for_new,
    rotate_for_any,
    farm_near,
    farm_near,
    farm_wide,
    farm_anywhere,
    keep_time,
)
CAMPAIGNS: Final = frozenset(
    {"sweep", "slow sweep", "small sweep", "shared sweep", "burst", "crowd burst", "rotation", "rotation for new"}
    | {"rotation for any", "farm of a /24", "small farm of a /24", "farm of a /16", "farm of homes", "metronome"}
)


def make_span(seed: object) -> Span:
    """People of every kind and two to six attacks."""
    chance = random.Random(f"shape of span {seed}")  # noqa: S311  # the same span each time
    span = Span(
        seed,
        days=chance.choice((1, 1, 2, 3, 7, 14, 28)),
        shows=chance.choice((1, 3, 6, 12)),
        per_show=chance.choice((40, 120, 250, 500)),
        plays=chance.choice((400, 1_500, 5_000, 15_000)),
        releases=chance.choice((1, 1, 8, 60)),
        is_dense=chance.random() < 0.3,
        is_parted=chance.random() < 0.5,
        tail=chance.choice((0.2, 0.35, 0.5)),
    )
    add_homes(span)
    for _ in range(chance.choice((1, 3))):
        add_office(span)
    for _ in range(chance.choice((1, 2))):
        add_carrier(span)
    add_campus(span)
    add_exit(span)
    for _ in range(chance.choice((2, 6))):
        for add in PEOPLE:
            add(span)
    for attack in chance.sample(MADE, chance.choice((2, 4, 6))):
        attack(span)
    return span
