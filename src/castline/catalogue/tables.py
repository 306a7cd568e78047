"""Every table and column of the product, declared once: meaning, unit, personal data, origin, retention, indexes.

The declarations are data (one file per noun beside this module). The migrated database, the lineage graph, retention,
the partitions and the reference pages are compared with them or made from them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

from castline.base.errors import NotFound

Personal = Literal["none", "possible", "pseudonymous", "identifying", "secret"]
Cut = Literal["week", "year"]

_NOUNS: Final = (
    "accounts",
    "shows",
    "addresses",
    "campaigns",
    "ledger",
    "listening",
    "measurement",
    "behaviour",
    "sketches",
    "columns",
    "conversions",
    "reports",
)


class UnknownTable(NotFound):
    """No table {key} is in the catalogue."""

    fix = "`castline lineage` lists every table."


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `type` and `default` as PostgreSQL writes them, `source` as who or what fills it.

    `personal`: none; possible (free text may hold it); pseudonymous (tells people apart); identifying; secret.
    `vocabulary` names the Literal of castline.model.vocab whose values it takes, `choices` are values without one.
    """

    type: str
    meaning: str
    source: str
    required: bool = False
    default: str | None = None
    unit: str | None = None
    personal: Personal = "none"
    references: str | None = None
    vocabulary: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Index:
    """One index that no constraint gives: what it is on, the named query it serves or the question it answers, and why.

    A `question` is SQL that is asked by hand or over all accounts; either way a test shows by EXPLAIN that it is used.
    """

    on: str
    reason: str
    serves: str | None = None
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows stay: `keep` after the moment in column `by`; how: partitions, rows, with_parent, job or never."""

    keep: str
    how: Literal["partitions", "rows", "with_parent", "job", "never"]
    reason: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class TimeCut:
    """How a time-series table is cut into partitions."""

    column: str
    by: Cut


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `tenant` is the column by which a row finds its account: the account's id, or a parent's key.

    `source`, `transforms`, `dependencies` and `downstream` are the specification's lineage of the table; `built` says
    which commands fill it today.
    """

    name: str
    purpose: str
    grain: str
    owner: str
    source: str
    transforms: str
    dependencies: tuple[str, ...]
    downstream: str
    retention: Retention
    columns: Mapping[str, Column]
    key: tuple[str, ...] = ()
    unique: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    indexes: Mapping[str, Index] = field(default_factory=dict)
    tenant: str | None = None
    cut: TimeCut | None = None
    built: str = ""

    @property
    def references(self) -> dict[str, str]:
        """The tables that foreign keys of this one point to, by column."""
        return {name: column.references for name, column in self.columns.items() if column.references}


@cache
def load_tables() -> Mapping[str, Table]:
    """Every table by its name, parents before children within a noun."""
    tables = {}
    for noun in _NOUNS:
        for name, facts in load_noun(noun).items():
            tables[name] = msgspec.convert({"name": name} | facts, Table)
    return tables


def load_noun(noun: str) -> dict[str, Any]:
    """The declarations of one file as plain data."""
    return tomllib.loads(files("castline.catalogue").joinpath(f"{noun}.toml").read_text("utf-8"))


def find_table(name: str) -> Table:
    """The table of that name. Raises UnknownTable."""
    try:
        return load_tables()[name]
    except KeyError:
        raise UnknownTable(key=name) from None


def parents_first() -> list[Table]:
    """Every table after the tables that its foreign keys point to."""
    tables, done = load_tables(), dict[str, Table]()
    waiting = list(tables.values())
    while waiting:
        ready = [table for table in waiting if set(table.references.values()) - {table.name} <= done.keys()]
        done |= {table.name: table for table in ready}
        waiting = [table for table in waiting if table.name not in done]
        if not ready:
            raise AssertionError([table.name for table in waiting])
    return list(done.values())


def tenant_parent(table: Table) -> Table | None:
    """The table whose row says which account a row of `table` belongs to; None where it says so itself or has none."""
    column = table.tenant
    if column is None or table.references.get(column) == "users" or table.name == "users":
        return None
    return next(parent for parent in load_tables().values() if parent.key == (column,))
