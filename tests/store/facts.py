"""A schema as flat facts, each a name and a text, so that two schemas can be compared fact by fact."""

import re
from collections.abc import Iterable, Iterator

from psycopg import Connection

from store.schema import load_schema

_DELETE_RULES = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
_REFERENCES = """
select conrelid::regclass::text, attname, confrelid::regclass::text, confdeltype::text
from pg_constraint
join pg_attribute on attrelid = conrelid and attnum = conkey[1]
join pg_class on pg_class.oid = conrelid
where contype = 'f' and relnamespace = current_schema()::regnamespace and conparentid = 0
"""
_CHECKS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(pg_constraint.oid)
from pg_constraint
join pg_class on pg_class.oid = conrelid
where contype = 'c' and relnamespace = current_schema()::regnamespace and not relispartition
"""


def load_facts(connection: Connection, tables: Iterable[str]) -> dict[str, str]:
    """Every fact of the tables: columns, keys, references, checks, indexes."""
    schema, wanted = load_schema(connection), set(tables)
    facts = dict[str, str]()
    for name in sorted(wanted & schema.keys()):
        table = schema[name]
        for column, found in table.columns.items():
            facts[f"{name}.{column} type"] = found.type
            facts[f"{name}.{column} required"] = "yes" if found.required else "no"
            facts[f"{name}.{column} default"] = found.default or "none"
        facts[f"{name} key"] = f"({', '.join(table.key)})"
        for unique, columns in table.unique.items():
            facts[f"{name} unique {unique}"] = f"({', '.join(columns)})"
        for index, on in table.indexes.items():
            facts[f"{name} index {index}"] = on
    for table_name, column, parent, rule in connection.execute(_REFERENCES).fetchall():
        if table_name in wanted:
            facts[f"{table_name}.{column} references"] = f"{parent} on delete {_DELETE_RULES[rule]}"
    for table_name, check, text in connection.execute(_CHECKS).fetchall():
        if table_name in wanted:
            facts[f"{table_name} check {check}"] = _plain(text)
    return facts


def iter_differences(document: dict[str, str], ours: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every fact that is not the same: its name, what the document says, what is here; `-` where nothing is.

    A column or constraint that only one side has is one difference, its type or text.
    """
    for name in [*document, *(name for name in ours if name not in document)]:
        theirs, mine = document.get(name, "-"), ours.get(name, "-")
        if theirs != mine and not _is_detail_of_added_column(name, document, ours):
            yield name, theirs, mine


def _is_detail_of_added_column(name: str, document: dict[str, str], ours: dict[str, str]) -> bool:
    column, _, detail = name.partition(" ")
    if "." not in column or detail == "type":
        return False
    return f"{column} type" not in document or f"{column} type" not in ours


def _plain(text: str) -> str:
    return re.sub(r"::[a-z ]+(\[\])?", "", text)
