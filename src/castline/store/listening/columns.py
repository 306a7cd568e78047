"""Raw downloads of a UTC day, a column at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from castline.store.rows import load_scalars, save, save_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("columns")


@dataclass(frozen=True, slots=True)
class DayColumn:
    """One column of a day's downloads: the place of each download's value among `members`.

    `codes` has as many little-endian bytes for each download as the number of members needs, none where there is one.
    A column without members holds its values themselves.
    """

    day_on: date
    name: str
    download_count: int
    members: list[str]
    codes: bytes


def replace_columns(
    connection: Connection, owner_id: UUID, run_id: UUID, days: Sequence[date], rows: Sequence[DayColumn]
) -> None:
    """Of the UTC days these are the columns, and no others."""
    save(connection, _SQL["delete_columns"], {"tenant": owner_id, "days": list(days)})
    facts = {"tenant": owner_id, "run_id": run_id}
    save_all(
        connection,
        _SQL["save_column"],
        (
            facts
            | {
                "day_on": row.day_on,
                "name": row.name,
                "download_count": row.download_count,
                "members": Jsonb(row.members),
                "codes": row.codes,
            }
            for row in rows
        ),
    )


def load_columns(
    connection: Connection, owner_id: UUID, first_on: date, last_on: date, names: Sequence[str]
) -> list[DayColumn]:
    """The named columns of the account's UTC days, by day."""
    facts = {"tenant": owner_id, "first_on": first_on, "last_on": last_on, "names": list(names)}
    # As text the codes would be twice their size.
    with connection.cursor(binary=True, row_factory=class_row(DayColumn)) as cursor:
        return cursor.execute(_SQL["load_columns"], facts).fetchall()


def has_columns(connection: Connection, owner_id: UUID, first_on: date, last_on: date) -> bool:
    """True if the columns hold every download that daily metrics tell of on the UTC days."""
    facts = {"tenant": owner_id, "first_on": first_on, "last_on": last_on}
    return load_scalars(connection, _SQL["has_columns"], facts) == [True]
