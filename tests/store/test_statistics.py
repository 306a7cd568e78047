"""The planner knows of a table as soon as castline has filled it."""

import pytest

from castline.store.pool import Store
from castline.store.statistics import analyse_fresh_tables

pytestmark = pytest.mark.store


def test_a_filled_table_has_statistics_and_is_not_asked_twice(own_store: Store) -> None:
    with own_store.system() as connection:
        connection.execute("insert into users (email, password_hash, name) values ('a@example.org', '!', 'A')")
    assert "users" in analyse_fresh_tables(own_store)
    assert "users" not in analyse_fresh_tables(own_store)
    with own_store.owner() as connection:
        rows = connection.execute("select reltuples from pg_class where oid = 'users'::regclass").fetchall()
    assert rows == [(1.0,)]


def test_empty_tables_are_left_alone(own_store: Store) -> None:
    assert "sponsors" not in analyse_fresh_tables(own_store)
