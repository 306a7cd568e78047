"""Sets of consumers, and episodes by their age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.base.period import Period
from castline.store.rows import load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("audience")


@dataclass(frozen=True, slots=True)
class SharedConsumers:
    """How many consumers heard both shows; where the two are one, how many heard it."""

    first_id: UUID
    second_id: UUID
    consumers: int


@dataclass(frozen=True, slots=True)
class EpisodeAge:
    """Downloads of an episode on one day of its life; `age_days` is None where it has none at all."""

    episode_id: UUID
    podcast_id: UUID
    title: str
    publish_on: date
    age_days: int | None
    downloads: int


def count_shared_consumers(
    connection: Connection, owner_id: UUID, period: Period, podcast_ids: Sequence[UUID] | None
) -> list[SharedConsumers]:
    """One row per pair of shows with a common consumer and one per show with itself, the most first."""
    facts = _of(owner_id, podcast_ids) | {"start_at": period.start_at, "end_at": period.end_at}
    return load_all(connection, SharedConsumers, _SQL["count_shared_consumers"], facts)


def load_episode_ages(
    connection: Connection, owner_id: UUID, podcast_ids: Sequence[UUID] | None, *, day_count: int, as_of_on: date
) -> list[EpisodeAge]:
    """Downloads of each published episode's first days by age, newest episode first."""
    facts = _of(owner_id, podcast_ids) | {"day_count": day_count, "as_of_on": as_of_on}
    return load_all(connection, EpisodeAge, _SQL["load_episode_ages"], facts)


def _of(owner_id: UUID, podcast_ids: Sequence[UUID] | None) -> dict[str, object]:
    return {"tenant": owner_id, "podcast_ids": None if podcast_ids is None else list(podcast_ids)}
