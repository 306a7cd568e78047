"""A named query as the server sees it: prepared, with the types that it gives the parameters."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from psycopg import Connection, errors

from castline.catalogue.tables import Table, load_tables
from castline.store.sql import Query
from store.fill import account_condition

_PARAMETER = re.compile(r"%\((\w+)\)s")


# What a parameter of that type is when no column has its name.
BY_TYPE: dict[str, object] = {
    "uuid": uuid4(),
    "integer": 1,
    "bigint": 1,
    "numeric": 1,
    "boolean": True,
    "text": "x",
    "character varying": "x",
    "character": "USD",
    "bytea": b"x",
    "jsonb": "{}",
    "inet": "192.0.2.0/24",
    "interval": timedelta(days=30),
    "date": date(2026, 3, 3),
    "timestamp with time zone": datetime(2026, 3, 2, tzinfo=UTC),
}
NAMED: dict[str, object] = {
    "start_at": datetime(2026, 1, 1, tzinfo=UTC),
    "end_at": datetime(2027, 1, 1, tzinfo=UTC),
    "first_at": datetime(2026, 1, 1, tzinfo=UTC),
    "orders_end_at": datetime(2027, 1, 1, tzinfo=UTC),
    "as_of": datetime(2027, 1, 1, tzinfo=UTC),
    "start_on": date(2026, 1, 1),
    "first_on": date(2026, 1, 1),
    "end_on": date(2027, 1, 1),
    "last_on": date(2027, 1, 1),
    "beginning": "%",  # of an id, as a pattern
    "grain": "day",
    "counted": "downloads",
    "sources": "file",  # what downloads are from that tell no source
    "tz": "Europe/Oslo",
    "row_limit": 1000,
    "limit": 1000,
}


OWNED = [table for table in load_tables().values() if table.tenant]


@dataclass(frozen=True, slots=True)
class Prepared:
    """`parameters` are in the order of their numbers."""

    name: str
    parameters: tuple[tuple[str, str], ...]


def prepare(connection: Connection, query: Query) -> Prepared:
    """The query is prepared in this transaction. Raises what the server has against it."""
    names = sorted(query.parameters)
    numbered = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", query.text).replace("%%", "%")
    name = f"{query.noun}_{query.name}"
    connection.execute(f"prepare {name} as {numbered}")
    row = connection.execute(
        "select parameter_types::text[] from pg_prepared_statements where name = %s", (name,)
    ).fetchone()
    assert row is not None
    connection.execute(f"deallocate {name}")
    return Prepared(name, tuple(zip(names, row[0], strict=True)))


def check_may_run(connection: Connection, query: Query) -> None:
    """The current role has the rights that the query needs; nothing is run. Raises InsufficientPrivilege."""
    nothing = dict.fromkeys(query.parameters)
    connection.execute(f"explain {query.text}", nothing)


def find_parameters(connection: Connection, query: Query, owner_id: UUID) -> dict[str, object]:
    """What the account has by each parameter's name: its ids, keys and texts, from the query's own tables."""
    connection.execute("select set_config('role', 'castline_system', true)")
    named = [table for table in OWNED if table.name in query.text]
    values: dict[str, object] = {}
    for name, kind in prepare(connection, query).parameters:
        base = kind.removesuffix("[]")
        value = NAMED.get(name) or _column_value(connection, name, base, [*named, *OWNED], owner_id)
        if name == "tenant":
            value = owner_id
        values[name] = [value] if kind.endswith("[]") else value
    return values


def _column_value(connection: Connection, name: str, kind: str, tables: list[Table], owner_id: UUID) -> object:
    singular = name.removesuffix("s")
    for column in (name, singular, f"{singular}_on"):
        for table in tables:
            if column in table.columns and column != "user_id" and _fits(table.columns[column].type, kind):
                text = f"select {column} from {table.name} as mine where {account_condition(table)} limit 1"
                row = connection.execute(text, {"owner_id": owner_id}).fetchone()
                if row is not None and row[0] is not None:
                    return row[0]
    return BY_TYPE[kind]


def _fits(declared: str, kind: str) -> bool:
    if declared.startswith("varchar"):
        return kind in {"text", "character varying"}
    return kind != "jsonb" and declared.split("(", 1)[0] == {"timestamp with time zone": "timestamptz"}.get(kind, kind)


def role_of(connection: Connection, query: Query) -> str:
    """The role that may run the query and sees least."""
    for role in ("castline_app", "castline_ingest"):
        connection.execute("select set_config('role', %s, true)", (role,))
        with suppress(errors.InsufficientPrivilege), connection.transaction():
            check_may_run(connection, query)
            return role
    return "castline_system"
