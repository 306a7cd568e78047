"""What the database says of itself, for `castline doctor`."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from psycopg import Connection

from castline.store.migrate import find_version, newest_version
from castline.store.rows import load_scalars
from castline.store.sql import load_sql
from castline.store.timeseries import iter_series, list_partitions

SUPPORTED: Final = range(15, 19)  # PostgreSQL 15 to 18
ROLES: Final = ("castline_app", "castline_ingest", "castline_system")
_SQL: Final = load_sql("health")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One look at the server. `partitions_until` is the first UTC day that some time-series table has no place for."""

    server_version: str
    major: int
    schema_version: int
    needed_version: int
    missing_roles: tuple[str, ...]
    clock_at: datetime
    partitions_until: date | None


def load_server_facts(connection: Connection) -> ServerFacts:
    """The server as it is now, whatever version its schema has. Runs as the schema's owner."""
    row = connection.execute(
        "select current_setting('server_version'), current_setting('server_version_num')::integer, clock_timestamp()"
    ).fetchone()
    if row is None:
        raise AssertionError
    found = set(load_scalars(connection, "select rolname from pg_roles where pg_has_role(oid, 'member')"))
    schema_version = find_version(connection)
    return ServerFacts(
        server_version=row[0],
        major=row[1] // 10_000,
        schema_version=schema_version,
        needed_version=newest_version(),
        missing_roles=tuple(role for role in ROLES if role not in found),
        clock_at=row[2],
        partitions_until=_partitions_until(connection) if schema_version else None,
    )


def load_titles(connection: Connection) -> list[str]:
    """Every name that pages and reports show, over all accounts. Runs in the system role."""
    return [str(title) for title in load_scalars(connection, _SQL["load_titles"])]


def _partitions_until(connection: Connection) -> date | None:
    ends: dict[str, date] = {}
    for partition in list_partitions(connection):
        ends[partition.table] = max(partition.end_on, ends.get(partition.table, partition.end_on))
    return min(ends.values()) if len(ends) == len(iter_series()) else None
