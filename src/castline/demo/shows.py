"""The episodes of the demo's shows: when they came out, how long they are, where their audio lies."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np

from castline.demo.plan import ShowPlan

_LEAD_DAYS: Final = 12  # the first episodes came out before the 90 days, so that their first day has listeners too
_COVER_BYTES: Final = 48_000  # the ID3 header with its cover picture
_TRAILER_SECONDS: Final = 45  # the first episode is shorter than the minute that makes a download


@dataclass(frozen=True, slots=True)
class MadeEpisode:
    """One episode; `number` counts from 1 within its show, `path` is what the server logs."""

    show: int
    number: int
    guid: str
    title: str
    path: str
    audio_url: str
    published_at: datetime
    duration_seconds: int
    bytes_per_second: int
    audio_bytes: int


@dataclass(frozen=True, slots=True)
class MadeShow:
    """One show with its episodes, oldest first."""

    plan: ShowPlan
    episodes: tuple[MadeEpisode, ...]


def make_shows(plans: tuple[ShowPlan, ...], rng: np.random.Generator, first_on: date, day_count: int) -> list[MadeShow]:
    """The shows; each spreads its episodes evenly from twelve days before `first_on` to four days before the end."""
    return [
        MadeShow(plan, tuple(_make_episodes(index, plan, rng, (first_on, day_count))))
        for index, plan in enumerate(plans)
    ]


def _make_episodes(show: int, plan: ShowPlan, rng: np.random.Generator, span: tuple[date, int]) -> list[MadeEpisode]:
    first_on, day_count = span
    days = np.linspace(-_LEAD_DAYS, day_count - 4, len(plan.titles)).round().astype(int)
    seconds = rng.integers(plan.minutes[0] * 60, plan.minutes[1] * 60, len(plan.titles))
    seconds[0] = _TRAILER_SECONDS
    return [
        _make_episode(plan, (show, number), first_on + timedelta(days=int(day)), int(length))
        for number, (day, length) in enumerate(zip(days, seconds, strict=True), start=1)
    ]


def _make_episode(plan: ShowPlan, place: tuple[int, int], published_on: date, seconds: int) -> MadeEpisode:
    show, number = place
    path = f"/{plan.slug}/{number:03}.{plan.extension}"
    rate = plan.bits_per_second // 8
    return MadeEpisode(
        show=show,
        number=number,
        guid=f"{plan.slug}-{number:03}",
        title=plan.titles[number - 1],
        path=path,
        audio_url=f"{plan.prefix}{plan.host}{path}",
        published_at=datetime.combine(published_on, time(4), UTC),
        duration_seconds=seconds,
        bytes_per_second=rate,
        audio_bytes=_COVER_BYTES + seconds * rate,
    )
