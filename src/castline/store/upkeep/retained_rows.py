"""The rows and partitions that are past their retention, found and deleted by the catalogue's rules."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg import Connection, sql
from psycopg.abc import Query

from castline.base.period import start_of_day
from castline.catalogue.tables import Table, find_table, load_tables, tenant_parent
from castline.store.timeseries import Partition, drop_partition, iter_series, list_partitions, partition_of

BATCH_ROWS: Final = 10_000
_ADVISORY_LOCK: Final = 0x6361_7374_7265_7461  # "castreta"
_LOCK_TIMEOUT: Final = "5s"
Gone = dict[UUID, int]
"""How many rows went, by the account they belonged to."""
Span = tuple[int, datetime | None, datetime | None]
"""How many rows there are, and their first and last moment."""


def compute_cutoff(table: Table, at: datetime) -> datetime:
    """Rows of the table from before this moment are past their retention."""
    number, unit = table.retention.keep.split()
    if unit.startswith("day"):
        return at - timedelta(days=int(number))
    try:
        return at.replace(year=at.year - int(number))
    except ValueError:  # 29 February, and the other year has none
        return at.replace(year=at.year - int(number), day=28)


def list_expired_partitions(connection: Connection, at: datetime) -> list[Partition]:
    """Every partition whose last moment is past the retention of its table."""
    return [
        partition
        for partition in list_partitions(connection)
        if start_of_day(partition.end_on) <= compute_cutoff(find_table(partition.table), at)
    ]


def measure_partition(connection: Connection, partition: Partition) -> Span:
    """How many rows the partition holds, and their first and last moment."""
    column = next(table.column for table in iter_series() if table.name == partition.table)
    return _one_range(connection, _range_of(sql.Identifier(column), sql.Identifier(partition.name), sql.SQL("true")))


def drop_expired_partition(connection: Connection, partition: Partition) -> tuple[Span, Gone] | None:
    """The partition is gone; returns what it held, None where somebody else dropped it first.

    Begins as the schema's owner, whose the partitions are, and ends as the system role, which sees every account.
    """
    connection.execute("select set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
    connection.execute("select pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
    if partition not in list_partitions(connection):
        return None
    span = measure_partition(connection, partition)
    counting = sql.SQL("select podcast_id, count(*) from {} group by podcast_id").format(sql.Identifier(partition.name))
    counted = connection.execute(counting).fetchall()
    drop_partition(connection, partition)
    connection.execute("select set_config('role', 'castline_system', true)")
    shows: dict[UUID, UUID] = dict(connection.execute("select podcast_id, user_id from podcasts").fetchall())
    gone: Counter[UUID] = Counter()
    for podcast_id, row_count in counted:
        if podcast_id in shows:
            gone[shows[podcast_id]] += row_count
    return span, dict(gone)


def count_expired(connection: Connection, table: Table, at: datetime) -> Span:
    """How many rows will go, and their first and last moment. Rows that wait for a child that goes too are counted."""
    rows = sql.SQL("{} as gone").format(sql.Identifier(table.name))
    return _one_range(connection, _range_of(_moment(table), rows, _expired(table, "gone", at)))


def delete_batch(connection: Connection, table: Table, at: datetime) -> tuple[int, Gone, list[str]]:
    """Up to 10,000 expired rows are gone that no other row refers to.

    Returns how many, how many by account (none for tables without one), and the files that they named.
    """
    names = {
        "table": sql.Identifier(table.name),
        "by": _moment(table),
        "owner": _owner_of(table),
        "file": sql.SQL("gone.file_url") if "file_url" in table.columns else sql.SQL("null"),
        "joins": _joins_of(table),
        "free": _unreferred(table, "gone"),
    }
    found = connection.execute(
        sql.SQL(
            "select gone.ctid::text, {owner}, {file} from {table} as gone {joins}"
            " where {by} < %s and {free} limit %s for update of gone skip locked"
        ).format(**names),
        (compute_cutoff(table, at), BATCH_ROWS),
    ).fetchall()
    rows = [row[0] for row in found]
    for child, column in _children(table, with_parent=True):
        statement = sql.SQL(
            "delete from {child} where {column} in (select {key} from {table} where ctid = any(%s::tid[]))"
        )
        connection.execute(
            statement.format(
                child=sql.Identifier(child.name),
                column=sql.Identifier(column),
                key=sql.Identifier(*table.key),
                table=names["table"],
            ),
            (rows,),
        )
    connection.execute(sql.SQL("delete from {table} where ctid = any(%s::tid[])").format(**names), (rows,))
    owners = Counter(row[1] for row in found if row[1] is not None)
    return len(rows), dict(owners), [row[2] for row in found if row[2]]


def _one_range(connection: Connection, query: Query) -> Span:
    row = connection.execute(query).fetchone()
    if row is None:
        raise AssertionError
    return int(row[0]), row[1], row[2]


def _range_of(column: sql.Composable, rows: sql.Composable, condition: sql.Composable) -> sql.Composed:
    text = "select count(*), min({column})::timestamptz, max({column})::timestamptz from {rows} where {condition}"
    return sql.SQL(text).format(column=column, rows=rows, condition=condition)


def _moment(table: Table, alias: str = "gone") -> sql.Identifier:
    return sql.Identifier(alias, str(table.retention.by))


def _expired(table: Table, alias: str, at: datetime) -> sql.Composed:
    """Whether a row will have gone when every step is done: it is old enough, and so is whatever refers to it."""
    by = str(table.retention.by)
    cutoff = compute_cutoff(table, at)
    if table.retention.how == "partitions":
        series = next(one for one in iter_series() if one.name == table.name)
        cutoff = start_of_day(partition_of(series, cutoff.astimezone(UTC).date()).first_on)
    conditions = [sql.SQL("{} < {}").format(sql.Identifier(alias, by), sql.Literal(cutoff))]
    for child, column in _children(table, with_parent=False):
        inner = f"{alias}_{child.name}"
        stays: sql.Composable = sql.SQL("true")
        if child.retention.how in {"rows", "partitions"}:
            stays = sql.SQL("({}) is not true").format(_expired(child, inner, at))
        conditions.append(_no_child(table, alias, child, column, stays))
    return sql.SQL(" and ").join(conditions)


def _unreferred(table: Table, alias: str) -> sql.Composed:
    found = [
        _no_child(table, alias, child, column, sql.SQL("true")) for child, column in _children(table, with_parent=False)
    ]
    return sql.SQL(" and ").join([sql.SQL("true"), *found])


def _no_child(table: Table, alias: str, child: Table, column: str, condition: sql.Composable) -> sql.Composed:
    inner = f"{alias}_{child.name}"
    return sql.SQL("not exists (select from {child} as {inner} where {refers} = {key} and {condition})").format(
        child=sql.Identifier(child.name),
        inner=sql.Identifier(inner),
        refers=sql.Identifier(inner, column),
        key=sql.Identifier(alias, *table.key),
        condition=condition,
    )


def _children(table: Table, *, with_parent: bool) -> list[tuple[Table, str]]:
    return [
        (child, column)
        for child in load_tables().values()
        for column, parent in child.references.items()
        if parent == table.name and (child.retention.how == "with_parent") is with_parent
    ]


def _owner_of(table: Table) -> sql.Composable:
    parent = tenant_parent(table)
    if parent is not None:
        return sql.Identifier("parent", str(parent.tenant))
    return sql.Identifier("gone", table.tenant) if table.tenant else sql.SQL("null")


def _joins_of(table: Table) -> sql.Composable:
    parent = tenant_parent(table)
    if parent is None:
        return sql.SQL("")
    return sql.SQL("join {parent} as parent using ({column})").format(
        parent=sql.Identifier(parent.name), column=sql.Identifier(str(table.tenant))
    )
