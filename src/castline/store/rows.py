"""Rows out of PostgreSQL as the model's values."""

from collections.abc import Iterable, Mapping
from typing import LiteralString, TypeVar

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

Row = TypeVar("Row")
Params = Mapping[str, object]


def load_all(connection: Connection, row: type[Row], query: LiteralString, params: Params | None = None) -> list[Row]:
    """Every row of the query as a `row`; column names are the value's field names."""
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, params).fetchall()


def find_one(connection: Connection, row: type[Row], query: LiteralString, params: Params | None = None) -> Row | None:
    """The first row of the query as a `row`, None if there is none."""
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(query, params).fetchone()


def load_scalars(connection: Connection, query: LiteralString, params: Params | None = None) -> list[object]:
    """The first column of every row."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query, params).fetchall()


def save(connection: Connection, query: LiteralString, params: Params | None = None) -> int:
    """How many rows the statement wrote."""
    return connection.execute(query, params).rowcount


def save_all(connection: Connection, query: LiteralString, rows: Iterable[Params]) -> int:
    """How many rows the statement wrote over all its parameter sets, sent as one pipeline."""
    with connection.cursor() as cursor:
        cursor.executemany(query, rows)
        return max(cursor.rowcount, 0)
