"""Logs that were read wrongly, or are not the account's, are taken back, with all that rests on them.

Nothing is removed: the batches stay in the ledger as withdrawn, with the run and the reason, and their files until
retention takes them. Their days are measured again without them. Method: docs/how-to/import-logs.md
"""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from castline.base.errors import Conflict, InvalidInput, NotFound
from castline.model.lineage import DatasetUse
from castline.store.landing.files import decode_parts
from castline.store.listening.downloads import hold_log_beginning, mark_dirty_days
from castline.store.pool import Store
from castline.store.provenance.ledger import open_run
from castline.store.provenance.withdrawn_logs import find_logs, load_log_with_rest, withdraw_batches

JOB: Final = "log.withdraw"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The batches that were taken back, their requests, and the UTC days that wait to be measured without them.

    `continues` is the batch of the same log that came before and stays.
    """

    batch_ids: tuple[UUID, ...]
    sources: tuple[str, ...]
    request_count: int
    days: tuple[date, ...]
    continues: UUID | None


def withdraw_log(store: Store, owner_id: UUID, beginning: str, reason: str) -> Withdrawal:
    """The log whose batch's id begins so is taken back, with what continues it and its lines that were tried again.

    Raises InvalidInput without a reason, NotFound where no batch of a log, or more than one, begins so, and Conflict
    where it was withdrawn before.
    """
    if not reason.strip():
        raise InvalidInput(field="--reason", detail="say why the log is withdrawn: the ledger keeps it")
    with open_run(store, owner_id, JOB, parameters={"batch": beginning, "reason": reason}) as run:
        found = find_logs(run.connection, owner_id, beginning.strip().lower())
        if len(found) != 1:
            raise NotFound(noun="batch of one log", key=beginning, listed_by="batch list")
        batches = load_log_with_rest(run.connection, owner_id, found[0])
        if not batches:
            raise Conflict(noun="withdrawal of", key=beginning, detail="it was withdrawn before")
        for first_line in sorted({str(batch.metadata.get("first_line", "")) for batch in batches} - {""}):
            hold_log_beginning(run.connection, owner_id, first_line)
        # What continued it until nobody else could is withdrawn, too.
        batches = load_log_with_rest(run.connection, owner_id, found[0])
        withdraw_batches(run, [batch.batch_id for batch in batches], reason)
        days = sorted({part.day_on for batch in batches for part in decode_parts(batch)})
        mark_dirty_days(run.connection, owner_id, days)
        requests = sum(batch.accepted_count for batch in batches)
        run.count("batches", len(batches))
        run.count("requests", requests)
        run.uses = [
            DatasetUse("output", "batches", str(batch.batch_id), batch.accepted_count, batch.content_hash)
            for batch in batches
        ]
    before = batches[0].metadata.get("continues")
    return Withdrawal(
        batch_ids=tuple(batch.batch_id for batch in batches),
        sources=tuple(sorted({batch.source for batch in batches})),
        request_count=requests,
        days=tuple(days),
        continues=None if before is None else UUID(before),
    )
