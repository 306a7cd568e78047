"""A third kind of made traffic with known truth: one day to four weeks, so that evidence may lie on several days.

Written from the words of the requirements alone. People are households near one another or far apart, offices,
carriers, a campus, a VPN's exit, new subscribers, who binges, who listens all day for weeks, who works through an
archive day by day, and speakers with an alarm; agents are a short list, a few releases or many. The attacks are in
make_span_attacks.py.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from make_attacks import MONDAY, Request

_DAY: Final = 86_400.0
_HOUR: Final = 3_600.0
_HOURS: Final = (2, 1, 1, 1, 1, 3, 8, 12, 10, 7, 6, 6, 7, 6, 6, 6, 8, 10, 9, 8, 7, 6, 5, 3)
_BYTES_PER_SECOND: Final = 16_000
# The newest episodes, which attacks on old ones leave alone.
_NEW: Final = 20
_PHONES: Final = (
    "AppleCoreMedia/1.0.0.21F90 (iPhone; U; CPU OS 17_5_1 like Mac OS X; en_us)",
    "Podcasts/1650.20 CFNetwork/1498.700.2 Darwin/23.6.0",
    "Spotify/8.9.52.551 Android/34 (SM-S918B)",
    "Spotify/8.9.58 iOS/17.6 (iPhone15,3)",
    "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
    "Pocket Casts/7.68",
    "AntennaPod/3.4.1",
    "CastBox/8.30.1 (Linux;Android 14;Pixel 8)",
    "PodcastAddict/v5 - Dalvik/2.1.0 (Linux; U; Android 13; SM-A536B)",
    "Castro 2024.5/1420",
    "Downcast/2.11.2 (iPhone; iOS 17.5; en_US)",
    "stagefright/1.2 (Linux;Android 12)",
)
_OTHERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "AlexaMediaPlayer/1.0.203.0 (Linux;Android 7.1.2) ExoPlayerLib/1.5.9",
    "Sonos/81.1-58074 (ZPS27)",
    "VLC/3.0.20 LibVLC/3.0.20",
)
Who = tuple[str, str]
Episode = tuple[int, int]  # the show, and the place in it


@dataclass(slots=True)
class Span:
    """So many days of some shows; `plays` is about how often homes play, `releases` how many of each app are in use.

    With `is_dense` homes have addresses one after the other.
    """

    seed: object
    days: int
    shows: int
    per_show: int
    plays: int
    releases: int
    is_dense: bool
    is_parted: bool
    tail: float
    requests: list[Request] = field(default_factory=list)
    chance: random.Random = field(init=False)
    seconds: list[list[int]] = field(init=False)
    out_at: list[list[float]] = field(init=False)
    last_home: int = field(init=False)

    def __post_init__(self) -> None:
        chance = self.chance = random.Random(f"span {self.seed}")  # noqa: S311  # the same span each time
        self.last_home = chance.randrange(1 << 20)
        self.seconds = [[chance.randrange(900, 5_400) for _ in range(self.per_show)] for _ in range(self.shows)]
        self.out_at = [self._releases() for _ in range(self.shows)]

    def _releases(self) -> list[float]:
        """When a show's last episodes come out: each day, twice a week or weekly."""
        every, hour = self.chance.choice((1, 7, 7, 3.5)), self.chance.choice((4, 5, 6, 9))
        first = self.chance.uniform(0, every)
        count = int(max(self.days - first, 0) / every)
        return [int(first + every * number) * _DAY + hour * _HOUR for number in range(count)]

    def newest(self, show: int, at: float) -> int:
        """The last episode that is out."""
        return self.per_show - 1 - sum(out > at for out in self.out_at[show])

    def show(self) -> int:
        """A show by its audience."""
        return self.chance.choices(range(self.shows), [1 / (show + 1) for show in range(self.shows)])[0]

    def agent(self, *, is_phone: bool = False) -> str:
        """An agent as people have them."""
        texts = _PHONES if is_phone or self.chance.random() < 0.75 else _OTHERS
        text = texts[min(int(self.chance.expovariate(0.25)), len(texts) - 1)]
        release = min(int(self.chance.expovariate(0.7)), self.releases - 1)
        return text if release == 0 else f"{text} {release}"

    def home(self) -> str:
        """An address of somebody's home."""
        if not self.is_dense:
            return self._address((24, 31, 47, 62, 71, 78, 81, 86, 90, 94, 98, 108, 151, 173, 188, 213))
        self.last_home += 1
        return f"86.{self.last_home >> 16 & 255}.{self.last_home >> 8 & 255}.{self.last_home & 255}"

    def host(self) -> str:
        """An address of a network that no home is in."""
        return self._address((45, 91, 103, 146, 185, 193))

    def anywhere(self) -> str:
        """Any address."""
        return self._address(range(20, 220))

    def _address(self, firsts: Sequence[int]) -> str:
        chance = self.chance
        return f"{chance.choice(firsts)}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"

    def waking(self, day: int | None = None) -> float:
        """A second of a day at which people are up."""
        day = self.chance.randrange(self.days) if day is None else day
        return day * _DAY + (self.chance.choices(range(24), _HOURS)[0] + self.chance.random()) * _HOUR

    def choose(self, show: int, at: float) -> int:
        """An episode as people choose them: the newest mostly, some of the last weeks, any now and then."""
        newest = self.newest(show, at)
        if self.chance.random() >= self.tail:
            return max(newest - int(self.chance.expovariate(1.1)), 0)
        if self.chance.random() < 0.3:
            return int((newest + 1) * self.chance.random() ** 1.5)
        return max(newest - int(self.chance.expovariate(0.08)), 0)

    def ask(self, truth: str, at: float, who: Who, episode: Episode, **changed: object) -> None:
        """One request for the whole file, or as changed, if it is within the days and the show."""
        show, place = episode
        if not (0 <= at < self.days * _DAY and 0 <= place < self.per_show):
            return
        seconds = self.seconds[show][place]
        usual: Request = {
            "id": len(self.requests),
            "time": (MONDAY + timedelta(seconds=round(at, 3))).isoformat(),
            "ip": who[0],
            "user_agent": who[1],
            "method": "GET",
            "status": 200,
            "range": None,
            "bytes_sent": seconds * _BYTES_PER_SECOND,
            "url": f"https://media.example.net/s{show}/e{place}.mp3",
            "referer": None,
            "episode": f"s{show}e{place}",
            "file_bytes": seconds * _BYTES_PER_SECOND,
            "duration_seconds": seconds,
            "header_bytes": None,
            "truth": truth,
        }
        self.requests.append(usual | changed)

    def listen(self, truth: str, at: float, who: Who, episode: Episode) -> None:
        """One listener takes an episode at once, or in stretches."""
        if not self.is_parted or self.chance.random() < 0.7:
            self.ask(truth, at, who, episode)
            return
        size, first = self.seconds[episode[0]][episode[1] % self.per_show] * _BYTES_PER_SECOND, 0
        for _ in range(self.chance.randrange(1, 8)):
            last = min(first + self.chance.choice((262_144, 1_048_576, 4_194_304)), size) - 1
            if first > last:
                return
            told = {"status": 206, "range": f"bytes={first}-{last}", "bytes_sent": last - first + 1}
            self.ask(truth, at, who, episode, **told)
            first, at = last + 1, at + self.chance.uniform(0.5, 60)

    def play(self, truth: str, at: float, who: Who, show: int | None = None) -> None:
        """One listener plays what people choose."""
        show = self.show() if show is None else show
        self.listen(truth, at, who, (show, self.choose(show, at)))


def add_homes(span: Span) -> None:
    """One to three devices a home, each with a few shows; nearly half fetch what comes out within minutes to hours."""
    chance = span.chance
    until = len(span.requests) + span.plays
    while len(span.requests) < until:
        address = span.home()
        for _ in range(chance.choice((1, 1, 2, 3))):
            who, is_auto = (address, span.agent()), chance.random() < 0.45
            for show in sorted({span.show() for _ in range(chance.choice((1, 1, 2, 4)))}):
                for out_at in span.out_at[show] if is_auto else ():
                    at = out_at + chance.expovariate(1 / chance.choice((300, 1_800, 7_200)))
                    span.listen("homes", at, who, (show, span.newest(show, out_at)))
                often = chance.choice((0.1, 0.25, 0.4, 0.6))
                for day in range(span.days):
                    while chance.random() < often:
                        span.play("homes", span.waking(day), who, show)


def add_office(span: Span) -> None:
    """One address on weekdays; many hear the same show."""
    chance, address, loved = span.chance, span.home(), span.show()
    staff = [(address, span.agent()) for _ in range(chance.choice((25, 60, 200)))]
    for day in range(span.days):
        for who in staff if day % 7 < 5 else ():
            if chance.random() < 0.6:
                at = day * _DAY + min(max(chance.gauss(10, 2), 7), 19) * _HOUR
                span.play("office", at, who, loved if chance.random() < 0.4 else None)


def add_carrier(span: Span) -> None:
    """Hundreds or thousands of phones behind few addresses."""
    chance, near, addresses = span.chance, span.home().rsplit(".", 1)[0], span.chance.choice((1, 4, 16))
    for _ in range(min(chance.choice((200, 800, 2_000)), span.plays)):
        who, show = (f"{near}.{chance.randrange(addresses) + 1}", span.agent(is_phone=True)), span.show()
        for day in range(span.days):
            for _ in range(chance.choice((0, 0, 1, 1, 2))):
                span.play("carrier", span.waking(day), who, show)


def add_campus(span: Span) -> None:
    """Students with an address each in one network, a fifth of whom are given an old episode to hear."""
    chance, near = span.chance, span.home().rsplit(".", 1)[0]
    assigned = (span.show(), chance.randrange(span.per_show // 2))
    for number in range(chance.choice((60, 200))):
        who = (f"{near}.{number + 1}", span.agent())
        for day in range(span.days):
            for _ in range(chance.choice((0, 0, 1, 2))):
                span.play("campus", span.waking(day), who)
        if chance.random() < 0.2:
            span.listen("campus", span.waking(), who, assigned)


def add_exit(span: Span) -> None:
    """The exit of a VPN: strangers behind one address."""
    address = span.home()
    for _ in range(span.chance.choice((30, 150))):
        span.play("exit", span.waking(), (address, span.agent()))


def add_new_subscriber(span: Span) -> None:
    """An app that fetches up to fifty old episodes in one go, newest first."""
    chance, who, show = span.chance, (span.home(), span.agent()), span.show()
    at = chance.randrange(span.days) * _DAY + chance.uniform(17, 22) * _HOUR
    newest, slowest = span.newest(show, at), chance.choice((15, 60))
    for number in range(chance.choice((10, 25, 50, 50))):
        span.listen("new subscribers", at, who, (show, newest - number))
        at += chance.uniform(2, slowest)


def add_binge(span: Span) -> None:
    """Who hears up to fifty old episodes one after the other, but for the night."""
    chance, who, show = span.chance, (span.home(), span.agent()), span.show()
    at, first = chance.randrange(span.days) * _DAY + chance.uniform(8, 18) * _HOUR, chance.randrange(span.per_show)
    for number in range(chance.randrange(15, 50)):
        span.listen("binges", at, who, (show, first + number))
        at += chance.uniform(900, 3_600)
        at += 7 * _HOUR if at % _DAY < 6 * _HOUR else 0


def add_heavy(span: Span) -> None:
    """Who listens all day, every day, to new episodes of all shows and to old ones."""
    chance, who = span.chance, (span.home(), span.agent())
    for day in range(span.days):
        for _ in range(chance.randrange(4, 14)):
            at, show = span.waking(day), chance.randrange(span.shows)
            is_any = chance.random() < 0.4
            place = chance.randrange(span.newest(show, at) + 1) if is_any else span.choose(show, at)
            span.listen("heavy", at, who, (show, place))


def add_archive(span: Span) -> None:
    """Who works through a show from some episode on, day by day, with nights between."""
    chance, who, show = span.chance, (span.home(), span.agent()), span.show()
    place = chance.randrange(span.per_show // 2)
    for day in range(span.days):
        at, until = day * _DAY + chance.uniform(6.5, 9) * _HOUR, day * _DAY + chance.uniform(18, 23.5) * _HOUR
        while at < until and place < span.per_show - _NEW:
            span.listen("archive", at, who, (show, place))
            at += span.seconds[show][place] * chance.uniform(0.5, 1.1)
            at += chance.uniform(600, 9_000) if chance.random() < 0.4 else 5
            place += 1


def add_alarm(span: Span) -> None:
    """A speaker that plays the newest at seven and at ten in the evening."""
    who, show = (span.home(), _OTHERS[3]), span.show()
    for day in range(span.days):
        for hour in (7, 22):
            at = day * _DAY + hour * _HOUR + span.chance.uniform(0, 20)
            span.listen("alarms", at, who, (show, span.newest(show, at)))


PEOPLE: Final[tuple[Callable[[Span], None], ...]] = (
    add_new_subscriber,
    add_binge,
    add_heavy,
    add_archive,
    add_alarm,
)


def paced(chance: random.Random, start: float, count: int, lasting: float) -> Iterator[float]:
    """So many times, by the clock, with jitter or with exponential waits."""
    way, gap, at = chance.choice(("clock", "jitter", "wait")), lasting / count, start
    for _ in range(count):
        yield at
        at += (
            gap
            if way == "clock"
            else gap * chance.uniform(0.5, 1.5)
            if way == "jitter"
            else chance.expovariate(1 / gap)
        )


def begin(span: Span, lasting: float) -> float:
    """A second after which so much of the span is left."""
    return span.chance.uniform(0, max(span.days * _DAY - lasting - 120, 1))


def old(span: Span) -> Episode:
    """An old episode."""
    return span.show(), span.chance.randrange(span.per_show - _NEW)


def catalogue(span: Span, count: int) -> list[Episode]:
    """So many episodes of one show's catalogue or of all shows', from one end or in any order."""
    chance, show = span.chance, span.show()
    shows: Iterable[int] = [show] if chance.random() < 0.7 else range(span.shows)
    episodes = [(show, place) for show in shows for place in range(span.per_show - len(span.out_at[show]))]
    way = chance.choice(("up", "down", "any"))
    if way == "down":
        episodes.reverse()
    if way == "any":
        chance.shuffle(episodes)
    return episodes[:count]


def made_agent(chance: random.Random, number: int) -> str:
    """An agent from a list that scripts carry."""
    return chance.choice(
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{90 + number % 40}.0.{number}.7",
            f"Mozilla/5.0 (iPhone; CPU iPhone OS {12 + number % 6}_{number % 7} like Mac OS X) Mobile/15E{number}",
            f"PodcastPlayer/{number // 10}.{number % 10}",
            f"Podcasts/{1400 + number}.{number % 9} CFNetwork/1410.0.3 Darwin/22.{number % 7}.0",
        )
    )
