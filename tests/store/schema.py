"""What the migrated database says of itself, in the catalogue's own words."""

import re
from dataclasses import dataclass

from psycopg import Connection


@dataclass(frozen=True, slots=True)
class FoundColumn:
    type: str
    required: bool
    default: str | None
    references: str | None


@dataclass(frozen=True, slots=True)
class FoundTable:
    columns: dict[str, FoundColumn]
    key: tuple[str, ...]
    unique: dict[str, tuple[str, ...]]
    checks: frozenset[str]
    indexes: dict[str, str]


_COLUMNS = """
select relname, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)
from pg_class
join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
left join pg_attrdef on adrelid = pg_class.oid and adnum = attnum
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
order by relname, attnum
"""
_CONSTRAINTS = """
select relname, conname, contype::text, pg_get_constraintdef(pg_constraint.oid), confrelid::regclass::text,
    array(select attname::text from unnest(conkey) with ordinality as k (number, place)
        join pg_attribute on attrelid = conrelid and attnum = number order by place)
from pg_constraint
join pg_class on pg_class.oid = conrelid
where relnamespace = current_schema()::regnamespace and not relispartition and contype in ('p', 'u', 'c', 'f')
    and conparentid = 0
"""
_INDEXES = """
select parent.relname, child.relname, pg_get_indexdef(indexrelid)
from pg_index
join pg_class child on child.oid = indexrelid
join pg_class parent on parent.oid = indrelid
where parent.relnamespace = current_schema()::regnamespace and not parent.relispartition
    and not exists (select from pg_constraint where conindid = indexrelid)
"""
SHORT = {"character varying": "varchar", "timestamp with time zone": "timestamptz", "character(": "char("}


def load_schema(connection: Connection) -> dict[str, FoundTable]:
    """Every table that is there, partitions apart."""
    constraints = connection.execute(_CONSTRAINTS).fetchall()
    references = {(table, columns[0]): parent for table, _, kind, _, parent, columns in constraints if kind == "f"}
    tables: dict[str, FoundTable] = {}
    for table, name, kind, required, default in connection.execute(_COLUMNS).fetchall():
        found = tables.setdefault(table, FoundTable({}, (), {}, frozenset(), {}))
        found.columns[name] = FoundColumn(_short(kind), required, _bare(default), references.get((table, name)))
    indexes = connection.execute(_INDEXES).fetchall()
    return {
        name: FoundTable(
            found.columns,
            next((tuple(row[5]) for row in constraints if row[0] == name and row[2] == "p"), ()),
            {row[1]: tuple(row[5]) for row in constraints if row[0] == name and row[2] == "u"},
            frozenset(row[1] for row in constraints if row[0] == name and row[2] == "c"),
            {index: on.split(" USING ", 1)[1] for table, index, on in indexes if table == name},
        )
        for name, found in tables.items()
    }


def load_choices(connection: Connection) -> dict[tuple[str, str], frozenset[str]]:
    """The values that a check allows a column, where it lists them."""
    found = {}
    for table, _, kind, text, _, columns in connection.execute(_CONSTRAINTS).fetchall():
        values = re.findall(r"'([^']*)'::character varying", text)
        if kind == "c" and len(columns) == 1 and "ANY" in text and values:
            found[table, columns[0]] = frozenset(values)
    return found


def _short(kind: str) -> str:
    for long, short in SHORT.items():
        kind = kind.replace(long, short)
    return kind


def _bare(default: str | None) -> str | None:
    return None if default is None else re.sub(r"::[a-z\[\] ]+$", "", default)
