"""The settings by which an account counts, every one it ever adopted, and which days stand under which."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline.base.period import Period
from castline.model.measurement import Adoption, MeasureSettings, Stretch, parse_settings
from castline.store.rows import load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("measure_settings")
_ALL: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class DayVersion:
    """A measured UTC day, the run that judged its requests, and the versions of all that decided."""

    day_on: date
    run_id: UUID
    rule_versions: dict[str, Any]
    started_at: datetime

    @property
    def settings_version(self) -> str:
        """The version of the settings; empty for a run that told none."""
        return str(self.rule_versions.get("settings", ""))


@dataclass(frozen=True, slots=True)
class _AdoptedRow:
    version: str
    settings: dict[str, Any]
    adopted_at: datetime
    adopted_by: UUID | None
    reason: str


def load_live_settings(connection: Connection, owner_id: UUID) -> MeasureSettings:
    """The settings in use: the newest adopted, the product's own where the account adopted none."""
    adopted = load_adoptions(connection, owner_id, row_limit=1)
    return adopted[0].settings if adopted else MeasureSettings()


def load_adoptions(connection: Connection, owner_id: UUID, *, row_limit: int = _ALL) -> list[Adoption]:
    """Every adoption of settings, the newest first."""
    rows = load_all(connection, _AdoptedRow, _SQL["load_adoptions"], {"tenant": owner_id, "row_limit": row_limit})
    return [
        Adoption(row.version, parse_settings(row.settings), row.adopted_at, row.adopted_by, row.reason) for row in rows
    ]


def save_adoption(
    connection: Connection, owner_id: UUID, settings: MeasureSettings, *, adopted_by: UUID | None, reason: str
) -> None:
    """The account counts by the settings from now on; what it adopted before stays in the history."""
    facts = {
        "tenant": owner_id,
        "version": settings.version,
        "settings": Jsonb(asdict(settings)),
        "adopted_by": adopted_by,
        "reason": reason,
    }
    save(connection, _SQL["save_adoption"], facts)


def load_day_versions(
    connection: Connection, owner_id: UUID, period: Period | None = None, *, days: Sequence[date] | None = None
) -> list[DayVersion]:
    """The measured days of the period and of the list, in order; all of them without either."""
    facts = {
        "tenant": owner_id,
        "days": None if days is None else list(days),
        "first_on": None if period is None else period.start_at.astimezone(UTC).date(),
        "last_on": None if period is None else (period.end_at.astimezone(UTC) - timedelta(microseconds=1)).date(),
    }
    return load_all(connection, DayVersion, _SQL["load_day_versions"], facts)


def load_stretches(connection: Connection, owner_id: UUID) -> list[Stretch]:
    """The measured days, in order, put together where they stand under the same settings."""
    found = []
    days = load_day_versions(connection, owner_id)
    for version, members in groupby(days, key=lambda day: day.settings_version):
        stretch = [day.day_on for day in members]
        found.append(Stretch(version, stretch[0], stretch[-1], len(stretch)))
    return found


def lock_measuring(connection: Connection, owner_id: UUID) -> None:
    """Nobody else measures the account until the transaction ends: two runs may replace the same neighbouring days."""
    connection.execute(_SQL["lock_measuring"], {"tenant": owner_id})
