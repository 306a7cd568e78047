"""Sets of consumers by UTC day, show and campaign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from castline.model.query import Query
from castline.store.rows import load_scalars, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("sketches")


@dataclass(frozen=True, slots=True)
class DaySketch:
    """The listeners of a show on a UTC day, or those of them that a campaign's ad was delivered to."""

    day_on: date
    podcast_id: UUID
    campaign_id: UUID | None
    key_id: str
    registers: bytes


@dataclass(frozen=True, slots=True)
class StoredSketch:
    """A stored set, and the beginning of the query's bucket that it lies in, None where time is not split."""

    start_at: datetime | None
    podcast_id: UUID
    registers: bytes


def replace_sketches(
    connection: Connection, owner_id: UUID, run_id: UUID, days: Sequence[date], rows: Sequence[DaySketch]
) -> None:
    """Of the UTC days these are the sets, and no others."""
    save(connection, _SQL["delete_sketches"], {"tenant": owner_id, "days": list(days)})
    columns = {name: [getattr(row, name) for row in rows] for name in DaySketch.__dataclass_fields__}
    save(connection, _SQL["save_sketches"], columns | {"tenant": owner_id, "run_id": run_id})


def load_sketches(connection: Connection, owner_id: UUID, query: Query) -> list[StoredSketch]:
    """The sets of the query's days, shows and campaigns, in no order; without campaigns those of all listeners."""
    facts = _scope(owner_id, query) | {"campaign_ids": list(query.filters.campaign_ids) or None}
    # As text the sets would be twice their size.
    with connection.cursor(binary=True, row_factory=class_row(StoredSketch)) as cursor:
        return cursor.execute(_SQL["load_sketches"], facts).fetchall()


def has_mixed_keys(connection: Connection, owner_id: UUID, query: Query) -> bool:
    """True if what the query counts together was hashed with more than one secret."""
    facts = _scope(owner_id, query) | {"by_show": "show" in query.dimensions}
    return load_scalars(connection, _SQL["count_keys"], facts) not in ([], [1])


def find_unsketched_day(connection: Connection, owner_id: UUID, query: Query) -> date | None:
    """The first of the query's days with downloads of which there is no set; None where there is none."""
    [day] = load_scalars(connection, _SQL["find_unsketched_day"], _scope(owner_id, query))
    return day if isinstance(day, date) else None


def _scope(owner_id: UUID, query: Query) -> dict[str, object]:
    return {
        "tenant": owner_id,
        "first_on": query.first_on,
        "last_on": query.last_on,
        "grain": query.grain,
        "podcast_ids": list(query.filters.podcast_ids) or None,
    }
