"""Every index is used by the query that the catalogue says it serves, on tables that are filled as in life."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from castline.base.config import Settings
from castline.catalogue.tables import Index, find_table, load_tables
from castline.store.pool import Store, open_store
from castline.store.sql import iter_queries
from castline.store.timeseries import ensure_partitions
from store.beside import make_schema
from store.fill import fill_accounts, fill_table
from store.prepared import find_parameters, role_of

pytestmark = pytest.mark.store
INDEXES = {(table.name, name): index for table in load_tables().values() for name, index in table.indexes.items()}
QUERIES = {f"{query.noun}.{query.name}": query for query in iter_queries()}


@pytest.fixture(scope="module")
def filled(settings: Settings, store: Store) -> Iterator[tuple[Store, UUID]]:
    """A store with 2,000 accounts and some thousand rows in every table, analysed; and one of the accounts."""
    with make_schema(store) as dsn, open_store(replace(settings, database_url=dsn)) as opened:
        with opened.owner() as connection:
            ensure_partitions(connection, date(2026, 3, 1), date(2026, 4, 12))
        with opened.system() as connection:
            users = fill_table(connection, find_table("users"), {"users": [UUID(int=0)]}, count=2000)
            owners = [user for user in users if isinstance(user, UUID)]
            ids = fill_accounts(connection, owners, count=4000)
            fill_table(connection, find_table("listener_events"), ids, count=16_000)
            fill_table(connection, find_table("cache_entries"), ids, count=4000)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("vacuum (analyze)")
        yield opened, owners[1]


def _used(plan: Any) -> set[str]:
    """The names of all indexes in the plan; a partition's index by its own name."""
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    return found.union(*(_used(child) for child in plan.get("Plans", [])))


def _explain(connection: Connection, index: Index, owner_id: UUID) -> set[str]:
    if index.serves is None:
        connection.execute("select set_config('role', 'castline_system', true)")
        row = connection.execute(f"explain (format json) {index.question}").fetchone()
    else:
        query = QUERIES[index.serves]
        role = role_of(connection, query)
        asked = find_parameters(connection, query, owner_id)
        connection.execute(
            "select set_config('role', %s, true), set_config('castline.tenant', %s, true)", (role, str(owner_id))
        )
        row = connection.execute(f"explain (format json) {query.text}", asked).fetchone()
    assert row is not None
    return _used(row[0][0]["Plan"])


def _names_in_partitions(connection: Connection, name: str) -> set[str]:
    rows = connection.execute(
        "select child.relname from pg_inherits join pg_class child on child.oid = inhrelid"
        " where inhparent = to_regclass(%s)",
        (name,),
    ).fetchall()
    return {name, *(row[0] for row in rows)}


@pytest.mark.parametrize(("table", "name"), INDEXES)
def test_an_index_is_used_by_what_it_serves(filled: tuple[Store, UUID], table: str, name: str) -> None:
    store, owner_id = filled
    with store.owner() as connection:
        names = _names_in_partitions(connection, name)
        used = _explain(connection, INDEXES[table, name], owner_id)
    assert used & names


@pytest.mark.parametrize(("table", "name"), INDEXES)
def test_an_index_says_either_which_query_it_serves_or_which_question_it_answers(table: str, name: str) -> None:
    index = INDEXES[table, name]
    assert index.reason
    assert (index.serves is None) != (index.question is None)
    assert index.serves is None or index.serves in QUERIES
