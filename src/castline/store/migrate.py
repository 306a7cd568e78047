"""Numbered SQL migrations, each in one transaction, under one lock, never waiting long for another's lock."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, LiteralString

import psycopg
from psycopg import Connection

_NAME: Final = re.compile(r"^(\d{4})_([a-z_]+)\.sql$")
_ADVISORY_LOCK: Final = 0x6361_7374_6C69_6E65  # "castline"
_LOCK_TIMEOUT: Final = "5s"
_STATEMENT_TIMEOUT: Final = "5min"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: its number, its name, its text."""

    version: int
    name: str
    text: LiteralString


@cache
def iter_migrations() -> tuple[Migration, ...]:
    """Every migration, in order."""
    found = []
    for entry in files("castline.store").joinpath("migrations").iterdir():
        if match := _NAME.match(entry.name):
            text = entry.read_text("utf-8")
            found.append(Migration(int(match[1]), match[2], text))
    return tuple(sorted(found, key=lambda migration: migration.version))


def newest_version() -> int:
    """The schema version that this code needs."""
    return iter_migrations()[-1].version


def find_version(connection: Connection) -> int:
    """The schema version of the database, 0 when castline has never been there."""
    row = connection.execute("select to_regclass('schema_migrations')").fetchone()
    if row is None or row[0] is None:
        return 0
    row = connection.execute("select coalesce(max(version), 0) from schema_migrations").fetchone()
    return int(row[0]) if row else 0


def apply_migrations(dsn: str) -> list[Migration]:
    """The migrations that were missing are applied, each whole or not at all; returns them."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
        connection.execute(
            "create table if not exists schema_migrations ("
            "version integer primary key, name text not null, applied_at timestamptz not null default now())"
        )
        found = find_version(connection)
        missing = [migration for migration in iter_migrations() if migration.version > found]
        for migration in missing:
            _apply(connection, migration)
        return missing


def _apply(connection: Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(
            "select set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
            (_LOCK_TIMEOUT, _STATEMENT_TIMEOUT),
        )
        connection.execute(migration.text)
        connection.execute(
            "insert into schema_migrations (version, name) values (%s, %s)", (migration.version, migration.name)
        )
