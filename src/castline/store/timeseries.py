"""The one module that knows how time-series tables are cut: native partitions, made ahead and dropped by retention.

Events and hourly metrics are cut by ISO week (Monday, UTC): planning over 90 daily partitions costs 4-9 ms a query.
Daily metrics live for seven years and are small, so they are cut by year.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

from psycopg import Connection, sql

from castline.catalogue.tables import Cut, load_tables
from castline.store.statistics import analyse_tables


@dataclass(frozen=True, slots=True)
class SeriesTable:
    """One time-partitioned table: its time column, the column's type, and how it is cut."""

    name: str
    column: str
    column_type: str
    cut: Cut


@cache
def iter_series() -> tuple[SeriesTable, ...]:
    """Every time-partitioned table, as the catalogue cuts it."""
    return tuple(
        SeriesTable(table.name, table.cut.column, table.columns[table.cut.column].type, table.cut.by)
        for table in load_tables().values()
        if table.cut is not None
    )


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: [first_on, end_on), both UTC dates."""

    table: str
    name: str
    first_on: date
    end_on: date


def partition_of(table: SeriesTable, day: date) -> Partition:
    """The partition that holds `day`."""
    if table.cut == "year":
        first, end = date(day.year, 1, 1), date(day.year + 1, 1, 1)
        return Partition(table.name, f"{table.name}_y{day.year}", first, end)
    first = day - timedelta(days=day.weekday())
    return Partition(table.name, f"{table.name}_w{first:%Y%m%d}", first, first + timedelta(days=7))


def ensure_partitions(
    connection: Connection, first_on: date, last_on: date, *, tables: Collection[str] | None = None
) -> list[Partition]:
    """Every series table, or each of `tables`, can take rows of the UTC days from `first_on` to `last_on`.

    Returns the partitions made.

    Runs as the schema's owner, in a transaction of its own before the one that writes. Attaching a table that was made
    beside takes no lock that readers or writers wait for.
    """
    series = [table for table in iter_series() if tables is None or table.name in tables]
    missing = _lock_missing(connection, {table.name: _iter_partitions(table, first_on, last_on) for table in series})
    for table in series:
        for partition in missing[table.name]:
            _make_beside(connection, table, partition)
            _attach(connection, table, partition)
    return [partition for partitions in missing.values() for partition in partitions]


def begin_partitions(
    connection: Connection, table_names: Collection[str], days: Collection[date]
) -> dict[tuple[str, date], Partition]:
    """Tables for COPY alone that `attach_partitions` makes partitions of, by their series and the day they begin with.

    Only for days that no partition takes yet. Rows go into a table without indexes, and each index is built from all
    of them at once: half the work of adding row by row. Nobody else sees the tables before the caller's transaction
    commits, and nobody else makes the same partitions meanwhile; others may be made.
    """
    series = [table for table in iter_series() if table.name in table_names]
    missing = _lock_missing(connection, {table.name: {partition_of(table, day) for day in days} for table in series})
    begun = {}
    for table in series:
        for partition in missing[table.name]:
            with _as_owner(connection) as role:
                _make_beside(connection, table, partition)
                grant = sql.SQL("grant insert on {} to {}").format(sql.Identifier(partition.name), sql.Identifier(role))
                connection.execute(grant)
            begun[table.name, partition.first_on] = partition
    return begun


def attach_partitions(connection: Connection, partitions: Collection[Partition]) -> None:
    """What `begin_partitions` made are partitions of their tables, with the indexes, rights and statistics of any."""
    series = {table.name: table for table in iter_series()}
    with _as_owner(connection) as role:
        analyse_tables(connection, [sql.Identifier(partition.name) for partition in partitions])
        for partition in partitions:
            name = sql.Identifier(partition.name)
            connection.execute(sql.SQL("revoke all on {} from {}").format(name, sql.Identifier(role)))
            _attach(connection, series[partition.table], partition)


def list_partitions(connection: Connection) -> list[Partition]:
    """Every partition there is, by table and time."""
    names = _existing_names(connection)
    found = []
    for table in iter_series():
        for name in names:
            suffix = name.removeprefix(f"{table.name}_")
            if suffix != name and suffix[0] in "wy":
                first = date(int(suffix[1:]), 1, 1) if suffix[0] == "y" else _week_of(suffix[1:])
                found.append(partition_of(table, first))
    return sorted(found, key=lambda partition: (partition.table, partition.first_on))


def drop_partition(connection: Connection, partition: Partition) -> None:
    """The partition and its rows are gone."""
    connection.execute(sql.SQL("drop table {}").format(sql.Identifier(partition.name)))


def _week_of(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()


def _existing_names(connection: Connection) -> set[str]:
    rows = connection.execute(
        "select child.relname from pg_inherits"
        " join pg_class child on child.oid = inhrelid join pg_class parent on parent.oid = inhparent"
        " where parent.relname = any(%s) and parent.relkind = 'p' and pg_table_is_visible(parent.oid)",
        ([table.name for table in iter_series()],),
    ).fetchall()
    return {str(row[0]) for row in rows}


def _iter_partitions(table: SeriesTable, first_on: date, last_on: date) -> Iterator[Partition]:
    """The partitions that hold the days, in order."""
    day = first_on
    while day <= last_on:
        partition = partition_of(table, day)
        yield partition
        day = partition.end_on


def _lock_missing(connection: Connection, wanted: Mapping[str, Iterable[Partition]]) -> dict[str, list[Partition]]:
    """Those of each table's partitions that are not there, by time; nobody else makes them until the transaction ends.

    All are locked before any is made, and in one order everywhere: whoever attaches waits for nobody who begins, so
    that two that make partitions wait for each other and never deadlock.
    """
    known = _existing_names(connection)
    missing = {
        name: sorted({one for one in partitions if one.name not in known}, key=lambda one: one.first_on)
        for name, partitions in wanted.items()
    }
    for name, partitions in missing.items():
        for partition in partitions:
            day = partition.first_on.toordinal()
            connection.execute("select pg_advisory_xact_lock(hashtext(%s), %s)", (name, day))
    # Somebody else may have made them while we waited.
    known = _existing_names(connection) if any(missing.values()) else known
    return {name: [one for one in partitions if one.name not in known] for name, partitions in missing.items()}


def _make_beside(connection: Connection, table: SeriesTable, partition: Partition) -> None:
    """A table of the partition's name that takes its rows and is no partition yet."""
    for statement in (
        "create table {child} (like {parent} including defaults including constraints)",
        # The check lets ATTACH skip its scan; it says the same as the bounds, so it goes afterwards.
        "alter table {child} add constraint {bounds} check ({column} >= {first} and {column} < {end})",
    ):
        connection.execute(sql.SQL(statement).format(**_names(table, partition)))


def _attach(connection: Connection, table: SeriesTable, partition: Partition) -> None:
    for statement in (
        "alter table {parent} attach partition {child} for values from ({first}) to ({end})",
        "alter table {child} drop constraint {bounds}",
    ):
        connection.execute(sql.SQL(statement).format(**_names(table, partition)))


def _names(table: SeriesTable, partition: Partition) -> dict[str, sql.Composable]:
    return {
        "parent": sql.Identifier(table.name),
        "child": sql.Identifier(partition.name),
        "column": sql.Identifier(table.column),
        "bounds": sql.Identifier(f"{partition.name}_bounds"),
        "first": _bound(table, partition.first_on),
        "end": _bound(table, partition.end_on),
    }


@contextmanager
def _as_owner(connection: Connection) -> Iterator[str]:
    """The transaction acts as the schema's owner, whose session it is, and afterwards in its role again: the value."""
    [role] = connection.execute("select current_user").fetchone() or [""]
    connection.execute("set local role none")
    # What fails in here ends the transaction, and its role with it.
    yield str(role)
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))


def _bound(table: SeriesTable, day: date) -> sql.Literal:
    if table.column_type == "date":
        return sql.Literal(day)
    return sql.Literal(datetime(day.year, day.month, day.day, tzinfo=UTC))
