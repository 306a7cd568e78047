"""Which objects of buckets have been imported, so that they need not be fetched again."""

from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.store.listening.downloads import LOG_KIND
from castline.store.rows import load_scalars
from castline.store.sql import load_sql

_SQL: Final = load_sql("log_objects")


def save_log_object(connection: Connection, owner_id: UUID, batch_id: UUID, name: str) -> None:
    """`URL TAG` is known as an object of that batch's content."""
    connection.execute(_SQL["save_log_object"], {"tenant": owner_id, "batch_id": batch_id, "name": name})


def load_log_objects(connection: Connection, owner_id: UUID, prefix: str) -> frozenset[str]:
    """`URL TAG` of each object below the prefix whose content became a batch."""
    escaped = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    facts = {"tenant": owner_id, "kind": LOG_KIND, "prefix": f"{escaped}%"}
    return frozenset(str(text) for text in load_scalars(connection, _SQL["load_log_objects"], facts))
