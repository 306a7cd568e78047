"""Requests as a web server sees them, and what each one truly is.

The truth is not computed from the requests: each request is made with its fate, so that counting by the rules of
docs/method/downloads.md can be checked against it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from castline.demo.audience import Audience, Ints
from castline.demo.shows import MadeShow
from castline.demo.visits import DAY_SECONDS, Visits

FATES: Final = (
    "counted",
    "duplicate",
    "under_a_minute",
    "two_byte_probe",
    "method",
    "status",
    "empty_agent",
    "bot",
    "watch",
    "no_episode",
)
METHODS: Final = ("GET", "HEAD", "POST")
_FATE: Final = {name: index for index, name in enumerate(FATES)}
_GET, _HEAD, _POST = range(3)
NO_AGENT: Final = -1
_UNDER_A_MINUTE: Final = 59.5
_LONGEST_VISIT: Final = 6_600  # seconds from a visit's first request to its last


@dataclass(frozen=True, slots=True)
class Requests:
    """One element per request. `path` is an index into the show's episodes, or below zero: -1 is /favicon.ico,
    -2 the feed. `agent` is an index into the plan's agents, then crawlers, then the watch; -1 sends none."""

    at: Ints
    show: Ints
    path: Ints
    address: Ints
    agent: Ints
    method: Ints
    status: Ints
    sent_bytes: Ints
    fate: Ints
    start: Ints  # where a partial answer begins in the file, -1 where nothing was asked for in part

    def __len__(self) -> int:
        return len(self.at)

    def sorted_by_time(self) -> "Requests":
        """The same requests in the order of their arrival."""
        return self.chosen(np.argsort(self.at, kind="stable"))

    def chosen(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "Requests":
        """Some of the requests."""
        return Requests(*(getattr(self, name)[which] for name in Requests.__dataclass_fields__))


def join(parts: list[Requests]) -> Requests:
    """All requests of the parts."""
    return Requests(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Requests.__dataclass_fields__)
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """What the requests of visits are made of: who, when and which file, one element per visit."""

    rng: np.random.Generator
    at: Ints
    show: Ints
    path: Ints
    address: Ints
    agent: Ints
    whole: Ints  # bytes of the file
    per_second: Ints
    tells_ranges: NDArray[np.bool_]  # whether the show's server logs which part was asked for

    def __len__(self) -> int:
        return len(self.at)

    def chosen(self, which: NDArray[np.bool_]) -> "Stage":
        """The same for some of the visits."""
        return Stage(self.rng, *(getattr(self, name)[which] for name in list(Stage.__dataclass_fields__)[1:]))

    def ask(self, fate: str, sent: Ints, **changed: Ints | int) -> Requests:
        """One request per visit: a GET answered 200 unless `changed` says otherwise; `after` seconds later."""
        size = len(self)

        def column(name: str, usual: Ints | int) -> Ints:
            return np.broadcast_to(np.asarray(changed.get(name, usual), dtype=np.int64), size).copy()

        return Requests(
            at=self.at + column("after", 0),
            show=self.show,
            path=column("path", self.path),
            address=self.address + column("form", 0),
            agent=column("agent", self.agent),
            method=column("method", _GET),
            status=column("status", 200),
            sent_bytes=sent,
            fate=np.full(size, _FATE[fate]),
            start=column("start", np.where(column("status", 200) == 206, 0, -1)),  # noqa: PLR2004
        )

    def later(self, low: int, high: int) -> Ints:
        """Seconds after the first request, drawn anew for each visit."""
        return self.rng.integers(low, high, len(self))

    def bytes_of(self, seconds: float) -> Ints:
        """What that many seconds weigh, never more than 3/5 of the file."""
        return np.minimum((self.per_second * seconds).astype(np.int64), self.whole * 3 // 5)

    def within_day(self) -> "Stage":
        """The same visits, begun early enough to end on the UTC day they began on."""
        late = np.maximum(self.at % DAY_SECONDS + _LONGEST_VISIT - DAY_SECONDS + 1, 0)
        return replace(self, at=self.at - late)

    def nothing(self) -> Ints:
        """No bytes, for each visit."""
        return np.zeros(len(self), dtype=np.int64)


def _whole(stage: Stage) -> list[Requests]:
    return [stage.ask("counted", stage.whole)]


def _again(stage: Stage) -> list[Requests]:
    """A whole file, and the same again from the same household and app, once under another form of its address."""
    return [
        stage.ask("counted", stage.whole),
        stage.ask("duplicate", stage.whole, after=stage.later(5, 1_800)),
        stage.ask("duplicate", stage.whole, after=stage.later(1_800, 5_400), form=1),
    ]


def _probed(stage: Stage) -> list[Requests]:
    two = stage.nothing() + 2
    return [
        stage.ask("two_byte_probe", two, status=206),
        stage.ask("counted", stage.whole, status=206, after=stage.later(1, 4)),
    ]


def _chunked(stage: Stage) -> list[Requests]:
    """A first piece under a minute, a second with the whole file, and a third that changes nothing."""
    return [
        stage.ask("under_a_minute", stage.bytes_of(35), status=206),
        stage.ask("counted", stage.whole, status=206, after=stage.later(20, 60)),
        stage.ask("duplicate", stage.bytes_of(300), status=206, after=stage.later(600, 1_200)),
    ]


def _pieces(stage: Stage) -> list[Requests]:
    """Three pieces side by side, 75 seconds together: a download, but only if the log tells which pieces they were."""
    size = np.minimum(stage.per_second * 25, -(-stage.whole // 3))
    last = np.where(stage.tells_ranges, _FATE["counted"], _FATE["under_a_minute"])
    return [
        stage.ask("under_a_minute", size, status=206),
        stage.ask("under_a_minute", size, status=206, start=size, after=stage.later(10, 20)),
        replace(stage.ask("counted", size, status=206, start=2 * size, after=stage.later(20, 40)), fate=last),
    ]


def _repeated(stage: Stage) -> list[Requests]:
    """The same 25 seconds four times: never a minute."""
    return [
        stage.ask("under_a_minute", stage.bytes_of(25), status=206, after=stage.later(first, first + 5))
        for first in (0, 10, 20, 30)
    ]


def _under(stage: Stage) -> list[Requests]:
    return [stage.ask("under_a_minute", stage.bytes_of(_UNDER_A_MINUTE), status=206)]


def _aborted(stage: Stage) -> list[Requests]:
    return [stage.ask("under_a_minute", stage.bytes_of(12))]


def _looked_first(stage: Stage) -> list[Requests]:
    return [
        stage.ask("method", stage.nothing(), method=_HEAD),
        stage.ask("counted", stage.whole, after=stage.later(1, 5)),
    ]


def _unmodified(stage: Stage) -> list[Requests]:
    return [
        stage.ask("counted", stage.whole),
        stage.ask("status", stage.nothing(), status=304, after=stage.later(3_600, _LONGEST_VISIT)),
    ]


def _missing(stage: Stage) -> list[Requests]:
    return [stage.ask("status", stage.nothing() + 153, status=404)]


# What a visit looks like on the wire, and its share.
_PATTERNS: Final[tuple[tuple[Callable[[Stage], list[Requests]], float], ...]] = (
    (_whole, 0.52),
    (_again, 0.09),
    (_probed, 0.1),
    (_chunked, 0.09),
    (_pieces, 0.03),
    (_repeated, 0.01),
    (_under, 0.05),
    (_aborted, 0.05),
    (_looked_first, 0.04),
    (_unmodified, 0.04),
    (_missing, 0.02),
)
_BRIEF: Final = (_whole, _under, _aborted, _missing)
REQUESTS_PER_VISIT: Final = 1.6  # of the patterns, their watches and the strangers below


def make_requests(
    shows: list[MadeShow], audience: Audience, visits: Visits, midnights: Ints, rng: np.random.Generator
) -> Requests:
    """Every request of the visits, each with its fate."""
    stage = _stage(shows, audience, visits, (midnights, rng))
    shares = np.array([share for _, share in _PATTERNS])
    drawn = rng.choice(len(_PATTERNS), len(stage), p=shares / shares.sum())
    parts: list[Requests] = []
    for index, (ask, _) in enumerate(_PATTERNS):
        chosen = stage.chosen(drawn == index)
        # A visit of one request may come at the very edge of its day; a longer one must not run past midnight.
        parts += ask(chosen if ask in _BRIEF else chosen.within_day())
    return join(parts)


def add_watches(requests: Requests, has_watch: NDArray[np.bool_], watch: int, rng: np.random.Generator) -> Requests:
    """The requests that an Apple Watch sends after its phone, for the file that the phone already has."""
    phones = requests.chosen((requests.fate == _FATE["counted"]) & has_watch[requests.agent])
    phones = phones.chosen(rng.random(len(phones)) < 0.12)  # noqa: PLR2004
    size = len(phones)
    return Requests(
        at=np.minimum(phones.at + rng.integers(1, 3, size), phones.at - phones.at % DAY_SECONDS + DAY_SECONDS - 1),
        show=phones.show,
        path=phones.path,
        address=phones.address,
        agent=np.full(size, watch),
        method=phones.method,
        status=phones.status,
        sent_bytes=phones.sent_bytes,
        fate=np.full(size, _FATE["watch"]),
        start=phones.start,
    )


def make_strangers(sample: Requests, crawlers: range, rng: np.random.Generator) -> Requests:
    """What is no listener: declared crawlers, nameless clients, posts, and requests for what is no episode.

    `sample` are counted requests of theirs to imitate; a stranger asks at its own time, from a crawler's place.
    """
    size = len(sample)
    kind = rng.choice(5, size, p=[0.55, 0.15, 0.05, 0.1, 0.15])
    fates = np.array([_FATE[name] for name in ("bot", "empty_agent", "method", "no_episode", "no_episode")])
    agent = np.where(kind == 0, rng.integers(crawlers.start, crawlers.stop, size), sample.agent)
    return Requests(
        at=sample.at - sample.at % DAY_SECONDS + rng.integers(0, DAY_SECONDS, size),
        show=sample.show,
        path=np.select([kind == 3, kind == 4], [-1, -2], sample.path),  # noqa: PLR2004
        address=sample.address,
        agent=np.where(kind == 1, NO_AGENT, agent),
        method=np.where(kind == 2, _POST, _GET),  # noqa: PLR2004
        status=np.full(size, 200),
        sent_bytes=np.select([kind == 3, kind == 4], [318, 41_250], sample.sent_bytes),  # noqa: PLR2004
        fate=fates[kind],
        start=np.full(size, -1),
    )


def _stage(shows: list[MadeShow], audience: Audience, visits: Visits, clock: tuple[Ints, np.random.Generator]) -> Stage:
    midnights, rng = clock
    first = np.cumsum([0, *(len(show.episodes) for show in shows)])
    place = first[visits.show] + visits.episode
    episodes = [item for show in shows for item in show.episodes]
    return Stage(
        rng=rng,
        at=midnights[visits.day] + visits.second,
        show=visits.show,
        path=visits.episode,
        address=audience.household[visits.person] * 2,
        agent=audience.agent[visits.person],
        whole=np.array([item.audio_bytes for item in episodes])[place],
        per_second=np.array([item.bytes_per_second for item in episodes])[place],
        tells_ranges=np.array([show.plan.tells_ranges for show in shows])[visits.show],
    )
