"""What the planner knows of fresh tables.

Autovacuum looks about once a minute; until then a table that was just filled counts as nearly empty, and a join over it
can take seconds instead of milliseconds.

A large table is best looked at by the transaction that fills it. Whoever reads its pages first after the commit marks
each row as committed and, under checksums, writes the page into the log: ten times the work of the look itself.
"""

from collections.abc import Iterable
from typing import Final

from psycopg import Connection, sql

from castline.store.pool import Store

# Three tenths of the usual sample, in a third of its time: enough to tell a full table from an empty one.
_DETAIL: Final = 30
# A table that got its indexes after its rows knows how many they are, and nothing else. Of tables under row-level
# security pg_stats tells their owner nothing; none of them is filled so.
_NEVER_ANALYSED: Final = (
    "select oid::regclass::text from pg_class"
    " where relkind = 'r' and relnamespace = current_schema()::regnamespace"
    " and pg_has_role(relowner, 'usage') and pg_relation_size(oid) > 0"
    " and (reltuples = -1 or reltuples > 0 and not relrowsecurity"
    " and relname not in (select tablename from pg_stats where schemaname = current_schema()))"
)


def analyse_fresh_tables(store: Store) -> list[str]:
    """The planner has statistics of every filled table that had none; returns their names. Others stay as they are."""
    with store.owner() as connection:
        names = [str(row[0]) for row in connection.execute(_NEVER_ANALYSED).fetchall()]
        analyse_tables(connection, map(sql.SQL, names))
    return names


def analyse_tables(connection: Connection, names: Iterable[sql.Composable]) -> None:
    """The planner has statistics of the tables, as the transaction sees them; it acts as their owner."""
    connection.execute(sql.SQL("set local default_statistics_target = {}").format(sql.Literal(_DETAIL)))
    for name in names:
        connection.execute(sql.SQL("analyze {}").format(name))
