"""What the scheduler asks before a tenant is known: which accounts have work. Runs in the system role."""

from datetime import date
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.store.rows import load_scalars
from castline.store.sql import load_sql

_SQL: Final = load_sql("jobs")


def load_owners_to_measure(connection: Connection) -> list[UUID]:
    """The accounts with UTC days due for measuring, the longest waiting first."""
    return [UUID(str(owner)) for owner in load_scalars(connection, _SQL["load_owners_to_measure"])]


def load_owners_to_attribute(connection: Connection) -> list[UUID]:
    """The accounts where something that attribution rests on changed since it last ran."""
    return [UUID(str(owner)) for owner in load_scalars(connection, _SQL["load_owners_to_attribute"])]


def count_late_days(connection: Connection, today: date) -> int:
    """How many closed UTC days still wait to be measured."""
    return int(str(load_scalars(connection, _SQL["count_late_days"], {"today": today})[0]))
