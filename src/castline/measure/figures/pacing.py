"""Episodes from their release on: their first days beside the show's median. Method: docs/method/pacing.md"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final
from uuid import UUID

from castline.measure.figures.annotations import find_gaps
from castline.model.query import Query
from castline.store.listening.audience import EpisodeAge, load_episode_ages
from castline.store.listening.metrics import find_counting
from castline.store.listening.overview import find_freshness
from castline.store.pool import Connection

HORIZONS: Final = (1, 3, 7, 30, 60, 90)
# Fewer other episodes make no usual episode.
_MEDIAN_OF: Final = 3
_LONGEST_DAYS: Final = 7 * 366 - 1  # daily metrics are kept for seven years


@dataclass(frozen=True, slots=True)
class Pace:
    """Downloads in the first `days`, None while they are not over, beside the median of the show's other episodes."""

    days: int
    downloads: int | None
    median: float | None
    median_count: int
    pace_rate: float | None


@dataclass(frozen=True, slots=True)
class EpisodePacing:
    """An episode's first days; `by_age` are its downloads by age in days, from the day of publication (0) on."""

    episode_id: UUID
    podcast_id: UUID
    episode: str
    publish_on: date
    paces: tuple[Pace, ...]
    by_age: tuple[int, ...]


def load_pacing(
    connection: Connection, owner_id: UUID, as_of_on: date, podcast_ids: Sequence[UUID] | None = None
) -> list[EpisodePacing]:
    """Every published episode with its first days as known on the morning of `as_of_on`, newest first.

    Nothing is known of days after the newest request that came in.
    """
    measured_from = find_counting(connection, owner_id).first_on
    until = find_freshness(connection, owner_id).requests_until
    known_on = min(as_of_on, until.astimezone(UTC).date() + timedelta(days=1)) if until else as_of_on
    rows = load_episode_ages(connection, owner_id, podcast_ids, day_count=HORIZONS[-1], as_of_on=as_of_on)
    gaps: list[date] = []
    if measured_from is not None and measured_from < known_on:
        first_on = max(measured_from, known_on - timedelta(days=_LONGEST_DAYS))
        gaps = list(find_gaps(connection, owner_id, Query(first_on, known_on - timedelta(days=1))))
    return compute_pacing(rows, known_on, measured_from, gaps)


def compute_pacing(
    rows: Iterable[EpisodeAge], as_of_on: date, measured_from: date | None, gaps: Sequence[date] = ()
) -> list[EpisodePacing]:
    """One value per episode, in the order of the rows; no count of first days that hold one of the `gaps`, in order."""
    episodes: dict[UUID, EpisodeAge] = {}
    ages: dict[UUID, dict[int, int]] = defaultdict(dict)
    for row in rows:
        episodes.setdefault(row.episode_id, row)
        if row.age_days is not None:
            ages[row.episode_id][row.age_days] = row.downloads
    firsts = {
        key: {
            days: None
            if _has_gap(gaps, row.publish_on, days)
            else count_first_days(ages[key], row.publish_on, days, as_of_on, measured_from)
            for days in HORIZONS
        }
        for key, row in episodes.items()
    }
    known: dict[tuple[UUID, int], list[int]] = defaultdict(list)
    for key, counts in firsts.items():
        for days, count in counts.items():
            if count is not None:
                insort(known[episodes[key].podcast_id, days], count)
    return [
        EpisodePacing(
            key,
            row.podcast_id,
            row.title,
            row.publish_on,
            tuple(_pace(firsts[key][days], days, known[row.podcast_id, days]) for days in HORIZONS),
            _by_age(ages[key], row.publish_on, as_of_on, measured_from),
        )
        for key, row in episodes.items()
    ]


def _has_gap(gaps: Sequence[date], publish_on: date, days: int) -> bool:
    """True if any of the first days is one that nobody measured."""
    return bisect_left(gaps, publish_on) < bisect_left(gaps, publish_on + timedelta(days=days))


def count_first_days(
    ages: Mapping[int, int], publish_on: date, days: int, as_of_on: date, measured_from: date | None
) -> int | None:
    """Downloads of ages 0 to `days` - 1; None while they are not over, or if the first was before the measured days."""
    if publish_on + timedelta(days=days) > as_of_on or measured_from is None or measured_from > publish_on:
        return None
    return sum(ages.get(age, 0) for age in range(days))


def _pace(downloads: int | None, days: int, known: Sequence[int]) -> Pace:
    """Beside the others of `known`, which is in order and holds the episode's own downloads where there are any."""
    count = len(known) - (downloads is not None)
    usual = _median_without(known, downloads) if count >= _MEDIAN_OF else None
    return Pace(days, downloads, usual, count, downloads / usual if downloads is not None and usual else None)


def _median_without(known: Sequence[int], own: int | None) -> float:
    """The median of all but one `own`, without building the rest: shows have thousands of episodes."""
    left = len(known) if own is None else bisect_left(known, own)
    count = len(known) - (own is not None)
    middle = ((count - 1) // 2, count // 2)
    return sum(known[place + (place >= left)] for place in middle) / 2


def _by_age(ages: Mapping[int, int], publish_on: date, as_of_on: date, measured_from: date | None) -> tuple[int, ...]:
    if measured_from is None or measured_from > publish_on:
        return ()
    days = min((as_of_on - publish_on).days, HORIZONS[-1])
    return tuple(ages.get(age, 0) for age in range(days))
