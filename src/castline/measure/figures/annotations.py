"""What readers of a trend must know of its days: changed platforms, settings and rules, restatements, gaps, releases.

Method: docs/method/annotations.md
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Final
from uuid import UUID

import msgspec

from castline.base.text import count_noun
from castline.model.measurement import Stretch
from castline.model.query import Annotation, Query
from castline.store.listening.annotations import (
    CountedDay,
    GapCause,
    load_empty_days,
    load_release_days,
    load_restated_days,
)
from castline.store.pool import Connection

# Where this many downloads or lines would be usual, none at all is one in a thousand (Poisson): no chance.
_USUAL: Final = 7
_CAUSES: Final = {
    "settings": "other settings",
    "rules": "other rules or lists",
    "late_data": "late data",
    "withdrawn": "a log that was withdrawn",
    "feeds": "changed feeds",
}
_GAPS: Final[dict[GapCause, tuple[str, str]]] = {
    "no_request": (
        "No requests",
        "Not one request of {} came in: the server was down, or its log is missing.",
    ),
    "no_log": ("No log", "No log that came in covers {}: it is missing, or the server was down."),
    "not_counted": ("Not counted yet", "The requests of {} came in and are not counted yet: `castline measure run`."),
}


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """What a platform changed, where that can be read, and whose downloads it touches."""

    on: date
    title: str
    detail: str
    source: str
    apps: tuple[str, ...]


@cache
def load_platform_events() -> tuple[PlatformEvent, ...]:
    """The known changes of platforms, in order of time."""
    declared = tomllib.loads(files("castline.measure.figures").joinpath("platform_events.toml").read_text("utf-8"))
    return tuple(sorted(msgspec.convert(declared["event"], list[PlatformEvent]), key=attrgetter("on")))


def find_gaps(connection: Connection, owner_id: UUID, query: Query) -> dict[date, GapCause]:
    """The UTC days of the query between measured ones that nobody could measure or did yet, in order, and why."""
    return {item.day_on: item.cause for item in load_empty_days(connection, owner_id, query, least_count=_USUAL)}


def load_annotations(
    connection: Connection,
    owner_id: UUID,
    query: Query,
    counted: Sequence[CountedDay],
    gaps: Mapping[date, GapCause],
) -> tuple[Annotation, ...]:
    """What happened on the query's days, in order; `load_counted_days` and `find_gaps` gave the last two of them."""
    found = [
        *_iter_platforms(query),
        *_iter_versions(counted),
        *_iter_restated(connection, owner_id, query),
        *_iter_gaps(gaps),
        *_iter_releases(connection, owner_id, query),
    ]
    return tuple(sorted(found, key=lambda item: (item.first_on, item.kind, item.title)))


def find_stretches(counted: Sequence[CountedDay]) -> tuple[Stretch, ...]:
    """The days with figures, in order, put together where they were counted under the same settings."""
    found = []
    for version, members in groupby(counted, key=attrgetter("settings_version")):
        days = sorted({day.day_on for day in members})
        found.append(Stretch(version, days[0], days[-1], len(days)))
    return tuple(found)


def _iter_platforms(query: Query) -> Iterator[Annotation]:
    apps = {*query.filters.apps}
    for event in load_platform_events():
        if query.first_on <= event.on <= query.last_on and not (apps and apps.isdisjoint(event.apps)):
            yield Annotation("platform", event.on, event.on, event.title, event.detail, event.source)


def _iter_versions(counted: Sequence[CountedDay]) -> Iterator[Annotation]:
    """The first day of each stretch that was counted by other settings or rules than the day before it."""
    for before, day in pairwise(counted):
        if before.settings_version != day.settings_version:
            detail = (
                f"Counted by the settings {day.settings_version} from here on, by {before.settings_version} before."
            )
            yield Annotation("settings", day.day_on, day.day_on, "Other settings", detail)
        if before.rules_version != day.rules_version:
            detail = f"Counted by the rules {day.rules_version} from here on, by {before.rules_version} before."
            yield Annotation("rules", day.day_on, day.day_on, "Other rules", detail)


def _iter_restated(connection: Connection, owner_id: UUID, query: Query) -> Iterator[Annotation]:
    for row in load_restated_days(connection, owner_id, query):
        causes = ", ".join(_CAUSES.get(cause, cause) for cause in row.causes)
        detail = (
            f"{row.change_count:+,} downloads after the day was final, last on {row.restated_at:%Y-%m-%d}: {causes}."
        )
        yield Annotation("restatement", row.day_on, row.day_on, "Restated", detail)


def _iter_gaps(gaps: Mapping[date, GapCause]) -> Iterator[Annotation]:
    """Each run of days that have no figure for one cause."""
    for (_, cause), run in groupby(
        enumerate(gaps), key=lambda item: (item[1] - timedelta(days=item[0]), gaps[item[1]])
    ):
        gap = [day for _, day in run]
        title, detail = _GAPS[cause]
        yield Annotation("gap", gap[0], gap[-1], title, detail.format(count_noun(len(gap), "day")))


def load_release_notes(connection: Connection, owner_id: UUID, query: Query) -> tuple[Annotation, ...]:
    """The releases of the query's days alone: what players tell is changed by no log, rule or platform's downloads."""
    return tuple(_iter_releases(connection, owner_id, query))


def _iter_releases(connection: Connection, owner_id: UUID, query: Query) -> Iterator[Annotation]:
    for row in load_release_days(connection, owner_id, query):
        title = row.title if row.episode_count == 1 else count_noun(row.episode_count, "episode")
        yield Annotation("release", row.day_on, row.day_on, "Released", title)
