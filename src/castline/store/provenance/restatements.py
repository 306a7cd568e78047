"""What measuring again changed on days that were final."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.base.period import Period
from castline.model.measurement import RestatedDay, Restatement
from castline.store.rows import load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("restatements")


@dataclass(frozen=True, slots=True)
class _DayCount:
    day_on: date
    podcast_id: UUID
    value: int


@dataclass(frozen=True, slots=True)
class _DayBatch:
    day_on: date
    batch_id: UUID


def load_daily_downloads(connection: Connection, owner_id: UUID, days: Sequence[date]) -> dict[tuple[date, UUID], int]:
    """The downloads of the UTC days as they stand, by day and show; a show without any is not in it."""
    rows = load_all(connection, _DayCount, _SQL["load_daily_downloads"], {"tenant": owner_id, "days": list(days)})
    return {(row.day_on, row.podcast_id): row.value for row in rows}


def load_day_batches(connection: Connection, owner_id: UUID, days: Sequence[date]) -> dict[date, set[UUID]]:
    """The batches whose requests were judged when the UTC days were last measured."""
    found: dict[date, set[UUID]] = {}
    for row in load_all(connection, _DayBatch, _SQL["load_day_batches"], {"tenant": owner_id, "days": list(days)}):
        found.setdefault(row.day_on, set()).add(row.batch_id)
    return found


def save_restatements(connection: Connection, owner_id: UUID, run_id: UUID, rows: Sequence[RestatedDay]) -> int:
    """How many rows were written."""
    facts = {
        "tenant": owner_id,
        "run_id": run_id,
        "days": [row.day_on for row in rows],
        "podcast_ids": [row.podcast_id for row in rows],
        "before_counts": [row.before_count for row in rows],
        "after_counts": [row.after_count for row in rows],
        "causes": [row.cause for row in rows],
        "settings_before": [row.settings_before for row in rows],
        "settings_after": [row.settings_after for row in rows],
    }
    return save(connection, _SQL["save_restatements"], facts) if rows else 0


def load_restatements(connection: Connection, owner_id: UUID, period: Period | None = None) -> list[Restatement]:
    """Every restatement of the period's UTC days, or of all, the newest first."""
    facts = {
        "tenant": owner_id,
        "first_on": None if period is None else period.start_at.astimezone(UTC).date(),
        "last_on": None if period is None else (period.end_at.astimezone(UTC) - timedelta(microseconds=1)).date(),
    }
    return load_all(connection, Restatement, _SQL["load_restatements"], facts)
