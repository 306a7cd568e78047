"""A schema of its own beside the store's tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from castline.store.pool import Store


@contextmanager
def make_schema(store: Store) -> Iterator[str]:
    """An empty schema of the store's database, as a DSN that sees nothing else; the owner may make no database."""
    name = f"beside_{uuid4().hex}"
    with psycopg.connect(store.dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
        yield make_conninfo(store.dsn, options=f"-c search_path={name}")
        connection.execute("set client_min_messages = warning")
        connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
