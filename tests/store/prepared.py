"""A named query as the server sees it: prepared, with the types that it gives the parameters."""

import re
from dataclasses import dataclass

from psycopg import Connection

from castline.store.sql import Query

_PARAMETER = re.compile(r"%\((\w+)\)s")


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
