"""Logs that were taken back: their batches stay in the ledger under a kind of their own, which no figure reads."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from castline.model.lineage import Batch
from castline.store.listening.downloads import LOG_KIND
from castline.store.pool import Connection
from castline.store.provenance.ledger import OpenRun
from castline.store.rows import load_all, load_scalars, save
from castline.store.sql import load_sql

WITHDRAWN_KIND: Final = "withdrawn_log"

_SQL: Final = load_sql("withdrawn_logs")


def load_log_with_rest(connection: Connection, owner_id: UUID, batch_id: UUID) -> list[Batch]:
    """The log's batch, those that continue it and those of their refused lines, oldest first; none if withdrawn."""
    facts = {"tenant": owner_id, "kind": LOG_KIND, "batch_id": batch_id}
    return load_all(connection, Batch, _SQL["load_log_with_rest"], facts)


def find_logs(connection: Connection, owner_id: UUID, beginning: str) -> list[UUID]:
    """At most two batches of logs, withdrawn or not, whose ids begin so; only hexadecimal digits and hyphens do."""
    if not beginning or set(beginning) - set("0123456789abcdef-"):
        return []
    facts = {"tenant": owner_id, "kinds": [LOG_KIND, WITHDRAWN_KIND], "beginning": f"{beginning}%"}
    return [UUID(str(found)) for found in load_scalars(connection, _SQL["find_logs"], facts)]


def withdraw_batches(run: OpenRun, batch_ids: Sequence[UUID], reason: str) -> None:
    """The batches are withdrawn in this run: nothing of them is read any more, and their content may come again."""
    facts = {"tenant": run.owner_id, "run_id": run.run_id, "batch_ids": list(batch_ids)}
    save(run.connection, _SQL["reopen_refused_lines"], {name: facts[name] for name in ("tenant", "batch_ids")})
    save(run.connection, _SQL["close_refused_lines"], facts)
    save(run.connection, _SQL["withdraw_batches"], facts | {"withdrawn": WITHDRAWN_KIND, "reason": reason})


def count_withdrawn(connection: Connection, owner_id: UUID, content_hash: bytes) -> int:
    """How many times this content was imported and withdrawn."""
    facts = {"tenant": owner_id, "withdrawn": WITHDRAWN_KIND, "content_hash": content_hash.hex()}
    return int(str(load_scalars(connection, _SQL["count_withdrawn"], facts)[0]))
