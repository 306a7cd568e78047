"""The job queue's own tables, in a schema of their own beside ours."""

from typing import Final

from procrastinate.schema import SchemaManager
from psycopg import sql

from castline.store.pool import Store

QUEUE_SCHEMA: Final = "castline_queue"
_ADVISORY_LOCK: Final = 0x6361_7374_7175_6575  # "castqueu"


def ensure_queue(store: Store) -> None:
    """The queue's tables are there; making them twice fails, so whoever comes second waits and looks."""
    with store.owner() as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
        found = connection.execute("select to_regclass(%s)", (f"{QUEUE_SCHEMA}.procrastinate_jobs",)).fetchone()
        if found is not None and found[0] is not None:
            return
        schema = sql.Identifier(QUEUE_SCHEMA)
        connection.execute(sql.SQL("create schema if not exists {}").format(schema))
        connection.execute(sql.SQL("set local search_path to {}").format(schema))
        connection.execute(SchemaManager.get_schema())
