"""What happened on the days of a query: by what they were counted, what changed, what is missing, what was released."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from psycopg import Connection

from castline.model.query import Query
from castline.store.rows import load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("annotations")
GapCause = Literal["no_request", "no_log", "not_counted"]


@dataclass(frozen=True, slots=True)
class CountedDay:
    """A UTC day with figures, and the versions of settings and rules that it was counted by; empty if none is known."""

    day_on: date
    settings_version: str
    rules_version: str


@dataclass(frozen=True, slots=True)
class RestatedSum:
    """How many downloads of a UTC day came or went after it was final, when for the last time, and why."""

    day_on: date
    change_count: int
    restated_at: datetime
    causes: list[str]


@dataclass(frozen=True, slots=True)
class EmptyDay:
    """A UTC day without a counted request: none came in though logs cover it, no log covers it, or it waits."""

    day_on: date
    cause: GapCause


@dataclass(frozen=True, slots=True)
class ReleaseDay:
    """A day on which episodes were published; `title` is of one of them."""

    day_on: date
    episode_count: int
    title: str


@dataclass(frozen=True, slots=True)
class PublishedEpisode:
    """An episode and the day of its publication."""

    episode_id: UUID
    podcast_id: UUID
    publish_on: date


def load_counted_days(connection: Connection, owner_id: UUID, query: Query) -> list[CountedDay]:
    """The days of the query with downloads of its shows, in order; a day twice where shows were counted apart."""
    return load_all(connection, CountedDay, _SQL["load_counted_days"], _scope(owner_id, query))


def load_restated_days(connection: Connection, owner_id: UUID, query: Query) -> list[RestatedSum]:
    """The days of the query whose downloads changed after they were final, in order."""
    return load_all(connection, RestatedSum, _SQL["load_restated_days"], _scope(owner_id, query))


def load_empty_days(connection: Connection, owner_id: UUID, query: Query, *, least_count: int) -> list[EmptyDay]:
    """The days between measured ones of which nothing is known, in order.

    Days within a log are among them where `least_count` downloads, or lines of the log, or more would be usual.
    """
    facts = _scope(owner_id, query) | {"least_count": least_count}
    return load_all(connection, EmptyDay, _SQL["load_empty_days"], facts)


def load_release_days(connection: Connection, owner_id: UUID, query: Query) -> list[ReleaseDay]:
    """The days of the query on which episodes of its shows, or those that it names, were published, in order."""
    facts = _scope(owner_id, query) | {"episode_ids": list(query.filters.episode_ids) or None}
    return load_all(connection, ReleaseDay, _SQL["load_release_days"], facts)


def load_releases(connection: Connection, owner_id: UUID, query: Query) -> list[PublishedEpisode]:
    """Every episode of the query's shows that was published by the end of its last day, the newest first."""
    return load_all(connection, PublishedEpisode, _SQL["load_releases"], _scope(owner_id, query))


def _scope(owner_id: UUID, query: Query) -> dict[str, object]:
    period = query.period
    return {
        "tenant": owner_id,
        "start_at": period.start_at,
        "end_at": period.end_at,
        "first_on": period.start_at.astimezone(UTC).date(),
        "last_on": (period.end_at.astimezone(UTC) - timedelta(microseconds=1)).date(),
        "tz": query.tz,
        "podcast_ids": list(query.filters.podcast_ids) or None,
    }
