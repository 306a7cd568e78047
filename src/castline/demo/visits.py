"""Who asked for which episode on which day: the downloads that the world means, before any web server is involved."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from castline.demo.audience import Audience, Ints
from castline.demo.shows import MadeShow

_FRESH_DAYS: Final = 4.0  # how fast interest in an episode fades
_BACK_CATALOGUE: Final = 0.012  # what never fades
_GROWTH: Final = 0.35  # over the 90 days
_WEEKDAYS: Final = np.array([1.0, 1.08, 1.1, 1.06, 1.0, 0.78, 0.7])
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Visits:
    """One row per person, episode and UTC day; `day` counts from the first day, `second` within the day."""

    person: Ints
    show: Ints
    episode: Ints  # index within the show
    day: Ints
    second: Ints


def make_visits(shows: list[MadeShow], audience: Audience, rng: np.random.Generator, want: tuple[int, Ints]) -> Visits:
    """About `want[0]` visits over the days of `want[1]` (their midnights in epoch seconds), no two of one key.

    The key is the household's address, the user agent, the episode and the UTC day: what makes a download unique.
    """
    count, midnights = want
    people = [audience.people_of(index) for index in range(len(shows))]
    size = sum(len(item) for item in people)
    parts = [
        _visit_show(show, audience, rng, (round(count * len(people[index]) / size), midnights))
        for index, show in enumerate(shows)
        if len(people[index])
    ]
    return _unique(Visits(*(np.concatenate(column) for column in zip(*parts, strict=True))), audience)


def _visit_show(
    show: MadeShow, audience: Audience, rng: np.random.Generator, want: tuple[int, Ints]
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    count, midnights = want
    index = show.episodes[0].show
    people = audience.people_of(index)
    chance = _chances(show, midnights)
    drawn = rng.choice(chance.size, count, p=chance.ravel() / chance.sum())
    day, episode = np.divmod(drawn, chance.shape[1])
    weight = audience.weight[people]
    person = people[rng.choice(len(people), count, p=weight / weight.sum())]
    second = _seconds(rng, count, show.plan.utc_offset_minutes * 60)
    published = _published(show)[episode] - midnights[day]
    # Whoever comes on the day of publication comes after it, most of them soon.
    soon = published + (DAY_SECONDS - published) * rng.beta(1.0, 3.0, count)
    second = np.where(published > 0, np.minimum(soon.astype(np.int64), DAY_SECONDS - 1), second)
    return person, np.full(count, index), episode, day, second


def _chances(show: MadeShow, midnights: Ints) -> NDArray[np.float64]:
    """How wanted each episode is on each day; on the day of publication as much as is left of it."""
    age = (midnights[:, None] - _published(show)[None, :]) / DAY_SECONDS
    fresh = (np.exp(-np.maximum(age, 0) / _FRESH_DAYS) + _BACK_CATALOGUE) * np.clip(1 + age, 0, 1)
    days = len(midnights)
    weekday = _WEEKDAYS[(midnights // DAY_SECONDS + 3) % 7]  # 1970-01-01 was a Thursday
    return np.asarray(fresh * (weekday * (1 + _GROWTH * np.arange(days) / days))[:, None])


def _published(show: MadeShow) -> Ints:
    return np.array([item.published_at.timestamp() for item in show.episodes]).astype(np.int64)


def _seconds(rng: np.random.Generator, count: int, offset: int) -> Ints:
    """Seconds of the UTC day: a morning and an evening peak in the show's own zone, some right at UTC midnight."""
    morning = rng.normal(8 * 3600, 5400, count)
    evening = rng.normal(20.5 * 3600, 7200, count)
    local = np.where(rng.random(count) < 0.45, morning, evening)  # noqa: PLR2004
    second = (local.astype(np.int64) - offset) % DAY_SECONDS
    edge = rng.random(count)
    second[edge < 0.004] = rng.integers(0, 3, int((edge < 0.004).sum()))  # noqa: PLR2004
    second[edge > 0.996] = DAY_SECONDS - rng.integers(1, 4, int((edge > 0.996).sum()))  # noqa: PLR2004
    return second


def _unique(visits: Visits, audience: Audience) -> Visits:
    household, agent = audience.household[visits.person], audience.agent[visits.person]
    keys = np.stack([household, agent, visits.episode, visits.day])
    _, first = np.unique(keys, axis=1, return_index=True)
    first.sort()
    return Visits(*(getattr(visits, name)[first] for name in Visits.__dataclass_fields__))
