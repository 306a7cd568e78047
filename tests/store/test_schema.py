"""The chain of migrations gives exactly what the catalogue declares."""

from typing import get_args

import pytest

from castline.catalogue.tables import load_tables
from castline.model import vocab
from castline.store.pool import Store
from store.schema import FoundColumn, FoundTable, load_choices, load_schema

pytestmark = pytest.mark.store


def _declared() -> dict[str, FoundTable]:
    return {
        table.name: FoundTable(
            {
                name: FoundColumn(column.type, column.required, column.default, column.references)
                for name, column in table.columns.items()
            },
            table.key,
            dict(table.unique),
            frozenset(table.checks),
            {name: index.on for name, index in table.indexes.items()},
        )
        for table in load_tables().values()
    }


def test_the_migrated_database_has_exactly_the_declared_tables(store: Store) -> None:
    with store.owner() as connection:
        assert set(load_schema(connection)) == set(_declared())


@pytest.mark.parametrize("name", load_tables())
def test_a_table_is_exactly_as_declared(store: Store, name: str) -> None:
    with store.owner() as connection:
        found = load_schema(connection)[name]
    assert found == _declared()[name]
    assert list(found.columns) == list(load_tables()[name].columns)


def test_every_listed_check_has_the_values_of_its_vocabulary(store: Store) -> None:
    declared = {
        (table.name, name): frozenset(
            get_args(getattr(vocab, column.vocabulary)) if column.vocabulary else column.choices
        )
        for table in load_tables().values()
        for name, column in table.columns.items()
        if column.vocabulary or column.choices
    }
    with store.owner() as connection:
        assert load_choices(connection) == declared


def test_every_event_table_is_read_through_a_scoped_view_of_all_its_columns(store: Store) -> None:
    series = {table.name for table in load_tables().values() if table.cut}
    with store.owner() as connection:
        views = {
            row[0]: row[1]
            for row in connection.execute(
                "select table_name, array_agg(column_name::text order by ordinal_position)"
                " from information_schema.columns join information_schema.views using (table_schema, table_name)"
                " where table_schema = current_schema() and table_name like 'my\\_%' group by table_name"
            ).fetchall()
        }
    assert views == {f"my_{name}": list(load_tables()[name].columns) for name in series}


def test_updated_at_is_maintained_by_the_trigger_in_every_table_that_has_it(store: Store) -> None:
    with store.owner() as connection:
        touched = connection.execute(
            "select relname from pg_trigger"
            " join pg_proc on pg_proc.oid = tgfoid join pg_class on pg_class.oid = tgrelid"
            " where proname = 'castline_touch' and relnamespace = current_schema()::regnamespace"
        ).fetchall()
    assert {row[0] for row in touched} == {
        table.name for table in load_tables().values() if "updated_at" in table.columns
    }


def test_the_parents_of_every_row_are_kept_while_it_is_there(store: Store) -> None:
    with store.owner() as connection:
        other = connection.execute(
            "select conrelid::regclass::text, conname from pg_constraint join pg_class on pg_class.oid = conrelid"
            " where contype = 'f' and confdeltype <> 'r' and relnamespace = current_schema()::regnamespace"
        ).fetchall()
    assert other == []


def test_the_user_id_of_an_attribution_event_says_that_it_is_not_ours(store: Store) -> None:
    with store.owner() as connection:
        comment = connection.execute(
            "select col_description('attribution_events'::regclass, attnum) from pg_attribute"
            " where attrelid = 'attribution_events'::regclass and attname = 'user_id'"
        ).fetchone()
    assert comment is not None
    assert "never an account of this platform" in comment[0]
