"""Every table and view, filled for two accounts from the catalogue: acting as one, the other does not exist."""

from contextlib import nullcontext
from uuid import UUID

import pytest
from psycopg import Connection, Rollback, sql
from psycopg.errors import InsufficientPrivilege

from castline.base.errors import CastlineError
from castline.catalogue.tables import Table, load_tables, tenant_parent
from store.fill import Pair, account_condition

pytestmark = pytest.mark.store
TABLES = [table for table in load_tables().values() if table.tenant]
RELATIONAL = [table.name for table in TABLES if not table.cut]
# Only the system role changes them: they say who may come in, or they are histories that are only added to.
KEPT = {"users", "memberships", "sessions", "measure_settings", "restatements"}
SERIES = [table.name for table in TABLES if table.cut]


def _count(connection: Connection, source: str, table: Table, owner_id: UUID) -> int:
    text = f"select count(*) from {source} as mine where {account_condition(table)}"
    row = connection.execute(text, {"owner_id": owner_id}).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_both_accounts_have_rows_in_every_table(pair: Pair, name: str) -> None:
    with pair.store.system() as connection:
        counts = [_count(connection, name, load_tables()[name], owner) for owner in (pair.mine, pair.theirs)]
    assert all(counts)


@pytest.mark.parametrize("role", ["account", "ingest"])
@pytest.mark.parametrize("name", [*RELATIONAL, *(f"my_{series}" for series in SERIES)])
def test_an_account_reads_its_own_rows_and_no_others(pair: Pair, name: str, role: str) -> None:
    table = load_tables()[name.removeprefix("my_")]
    with pair.store.system() as connection:
        mine = _count(connection, table.name, table, pair.mine)
    with getattr(pair.store, role)(pair.mine) as connection:
        seen = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(name))).fetchone()
        assert seen == (mine,)
        assert _count(connection, name, table, pair.theirs) == 0


@pytest.mark.parametrize("name", SERIES)
def test_an_account_reads_event_tables_only_through_its_views(pair: Pair, name: str) -> None:
    with pytest.raises(CastlineError, match="permission denied"), pair.store.account(pair.mine) as connection:
        connection.execute(sql.SQL("select from {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("verb", ["update", "delete"])
@pytest.mark.parametrize("role", ["castline_app", "castline_ingest"])
@pytest.mark.parametrize("name", RELATIONAL)
def test_an_account_that_changes_everything_it_can_changes_no_row_of_another(
    pair: Pair, name: str, role: str, verb: str
) -> None:
    table = load_tables()[name]
    names = {"table": sql.Identifier(name), "column": sql.Identifier(str(table.tenant))}
    text = "update {table} set {column} = {column}" if verb == "update" else "delete from {table}"
    with pair.store.system() as connection:
        before = _count(connection, name, table, pair.theirs)
    with pair.store.owner() as connection:
        # What is asked is whose rows go, not what refers to them; all of it is rolled back.
        _drop_references_to(connection, name)
        act_as(connection, role, pair.mine)
        refused = pytest.raises(InsufficientPrivilege) if name in KEPT else nullcontext()
        with refused, connection.transaction():
            connection.execute(sql.SQL(text).format(**names))
        act_as(connection, "castline_system", None)
        assert _count(connection, name, table, pair.theirs) == before
        if verb == "delete" and name not in KEPT:
            assert _count(connection, name, table, pair.mine) == 0
        connection.execute("reset role")
        raise Rollback


@pytest.mark.parametrize("role", ["castline_app", "castline_ingest"])
@pytest.mark.parametrize("name", [name for name in RELATIONAL if name not in KEPT])
def test_an_account_moves_no_row_of_its_own_to_another(pair: Pair, name: str, role: str) -> None:
    table = load_tables()[name]
    parent = tenant_parent(table)
    with pair.store.system() as connection:
        target = pair.theirs
        if parent is not None:
            text = f"select mine.{parent.key[0]} from {parent.name} as mine where {account_condition(parent)}"
            row = connection.execute(text, {"owner_id": pair.theirs}).fetchone()
            assert row is not None
            target = row[0]
    moved = sql.SQL("update {} set {} = %s").format(sql.Identifier(name), sql.Identifier(str(table.tenant)))
    acting = pair.store.account if role == "castline_app" else pair.store.ingest
    with pytest.raises(CastlineError, match="row-level security"), acting(pair.mine) as connection:
        connection.execute(moved, (target,))


def _drop_references_to(connection: Connection, name: str) -> None:
    references = connection.execute(
        "select conrelid::regclass::text, conname from pg_constraint"
        " where contype = 'f' and confrelid = %s::regclass and conparentid = 0",
        (name,),
    ).fetchall()
    for table, constraint in references:
        statement = sql.SQL("alter table {} drop constraint {}")
        connection.execute(statement.format(sql.Identifier(table), sql.Identifier(constraint)))


def act_as(connection: Connection, role: str, owner_id: UUID | None) -> None:
    connection.execute(
        "select set_config('role', %s, true), set_config('castline.tenant', %s, true)", (role, str(owner_id or ""))
    )
