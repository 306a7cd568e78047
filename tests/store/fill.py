"""Rows for any table, made from the catalogue: a table that is added is filled without a word here."""

from datetime import date
from typing import NamedTuple
from uuid import UUID

from psycopg import Connection, sql

from castline.catalogue.tables import Column, Table, load_tables, parents_first, tenant_parent
from castline.model import vocab
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions
from make import make_account

# What a check demands beyond type and vocabulary; `n` counts the rows of one filling, `seed` tells fillings apart.
EXAMPLES = {
    ("users", "email"): "md5(random()::text || n) || '@example.org'",
    ("users", "is_active"): "n % 50 <> 0",
    ("campaigns", "end_date"): "timestamptz '2027-01-01' + n * interval '1 minute'",
    ("batches", "received_count"): "n + 1",
    ("batches", "refused_count"): "1",
    ("quarantine", "replayed_at"): "null",
    ("quarantine", "replayed_by"): "null",
    ("refunds", "amount"): "-n",
    ("refunds", "reason"): "'refund'",
    ("placements", "end_seconds"): "n + 30",
    ("attribution_events", "credit"): "0.5",
    ("sessions", "expires_at"): "now() + n * interval '1 minute'",
    ("listener_events", "timestamp"): "timestamptz '2026-03-02' + n * interval '10 seconds'",
    ("listener_events", "event_type"): "'download'",
    ("hourly_metrics", "metric"): "'downloads'",
    ("hourly_metrics", "dimension"): "'total'",
    ("daily_metrics", "metric"): "'downloads'",
    ("daily_metrics", "dimension"): "'total'",
    ("exchange_rates", "rate"): "1.1",
}
BY_TYPE = {
    "uuid": "gen_random_uuid()",
    "uuid[]": "array[gen_random_uuid()]",
    "text[]": "array['read']",
    "boolean": "n % 2 = 0",
    "integer": "n",
    "bigint": "n",
    "bytea": "decode(md5(seed || ' ' || n), 'hex')",
    "jsonb": "'{}'::jsonb",
    "inet": "inet '192.0.2.0/24'",
    "date": "date '2026-03-02' + n % 250",
    "timestamptz": "timestamptz '2026-03-02' + n * interval '1 minute'",
    "char(3)": "'USD'",
    "varchar(2)": "'DE'",
    "numeric(5,4)": "0.5",
    "numeric(6,5)": "0.5",
    "numeric(10,3)": "n",
    "numeric(14,4)": "n",
    "numeric(12,10)": "0.5",
    "numeric(24,12)": "n",
}
Ids = dict[str, list[UUID]]


class Pair(NamedTuple):
    """Two accounts with rows in every table; tests act as `mine`."""

    store: Store
    mine: UUID
    theirs: UUID
    their_ids: Ids


def make_pair(store: Store) -> Pair:
    """Two new accounts with rows in every table: two of mine, one of theirs."""
    mine, theirs = make_account(store).user_id, make_account(store).user_id
    with store.owner() as connection:
        ensure_partitions(connection, date(2026, 3, 1), date(2026, 3, 31))
    with store.system() as connection:
        fill_accounts(connection, [mine], count=2)
        return Pair(store, mine, theirs, fill_accounts(connection, [theirs]))


def fill_accounts(connection: Connection, owner_ids: list[UUID], *, count: int = 1) -> Ids:
    """Every table that belongs to accounts holds `count` rows of these, as far as its key lets it; returns the ids.

    Time-series rows lie in March 2026 (the caller makes the partitions). Runs in the system role.
    """
    ids: Ids = {"users": owner_ids}
    # Event tables have no foreign keys, but their rows belong to shows and runs.
    for table in sorted(parents_first(), key=lambda table: table.cut is not None):
        if table.name == "users" or table.tenant is None:
            continue
        made = fill_table(connection, table, ids, count=count)
        if len(table.key) == 1 and table.columns[table.key[0]].type == "uuid":
            ids[table.name] = [row for row in made if isinstance(row, UUID)]
    return ids


def fill_table(connection: Connection, table: Table, ids: Ids, *, count: int) -> list[object]:
    """The table has up to `count` more rows whose parents are among `ids`; returns the first column of each."""
    columns = [name for name, column in table.columns.items() if _is_filled(table, name, column)]
    statement = sql.SQL(
        "insert into {table} ({columns}) select {values} from generate_series(1, %(count)s) as n"
        " on conflict do nothing returning {first}"
    ).format(
        table=sql.Identifier(table.name),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(sql.SQL(_expression(table, name, ids)) for name in columns),
        first=sql.Identifier((table.key or tuple(table.columns))[0]),
    )
    parents = {f"of_{name}": values for name, values in ids.items()}
    return [row[0] for row in connection.execute(statement, {"count": count} | parents).fetchall()]


def _is_filled(table: Table, name: str, column: Column) -> bool:
    """Keys that the database makes itself stay away, so that they can be read back."""
    return not (table.key == (name,) and column.default)


def _expression(table: Table, name: str, ids: Ids) -> str:
    column = table.columns[name]
    if (table.name, name) in EXAMPLES:
        return EXAMPLES[table.name, name].replace("%", "%%")
    parent = column.references or _named_after(table, name)
    if parent is not None:
        return f"(%(of_{parent})s::uuid[])[1 + n %% {len(ids[parent])}]" if ids.get(parent) else "null"
    if column.vocabulary or column.choices:
        values = column.choices or getattr(vocab, str(column.vocabulary)).__args__
        return f"(array[{', '.join(repr(value) for value in values)}])[1 + n %% {len(values)}]"
    return _of_type(name, column, seed=str(ids["users"][0])).replace("%", "%%")


def _named_after(table: Table, name: str) -> str | None:
    """The parent of a column of a time-series table, which has no foreign key."""
    parents = (parent.name for parent in load_tables().values() if parent.key == (name,) and parent.tenant)
    return next((parent for parent in parents if parent != table.name and table.cut and name != "user_id"), None)


def _of_type(name: str, column: Column, *, seed: str) -> str:
    if column.type in BY_TYPE:
        return BY_TYPE[column.type].replace("seed", f"'{name} {seed}'")
    limit = column.type.removeprefix("varchar(").rstrip(")")
    text = f"'{name} ' || n || ' {seed}'"
    return text if column.type == "text" else f"left({text}, {int(limit)})"


def account_condition(table: Table, alias: str = "mine") -> str:
    """The row belongs to the account %(owner_id)s, followed through its parents."""
    parent = tenant_parent(table)
    if parent is None:
        return f"{alias}.{table.tenant} = %(owner_id)s"
    inner = account_condition(parent, f"{alias}_{parent.name}")
    return (
        f"{alias}.{table.tenant} in (select {parent.key[0]} from {parent.name} as {alias}_{parent.name} where {inner})"
    )
