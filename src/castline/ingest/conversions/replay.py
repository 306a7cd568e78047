"""Refused rows, tried again after the reason is gone: a sponsor was added, a rule was mended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import msgspec

from castline.base.errors import InvalidInput
from castline.ingest.conversions.receive import (
    BATCH_KIND,
    JOB,
    ConversionBatch,
    Names,
    Received,
    Refused,
    resolve_row,
)
from castline.model.lineage import DatasetUse, Drop
from castline.sources.conversions.csv import CsvOptions, ParsedRow, parse_conversions, reason_of
from castline.sources.conversions.json import parse_conversion
from castline.store.entities.campaigns import load_campaigns, load_sponsors
from castline.store.money.conversions import (
    Refusal,
    ToldRow,
    load_bodies,
    load_refusals,
    lock_conversions,
    save_refusal_reason,
    save_told,
)
from castline.store.payload import decode_json
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, mark_replayed, open_run


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What became of the refused rows: tried = accepted + refused; of the accepted, `duplicate_count` were there."""

    tried_count: int
    accepted_count: int
    duplicate_count: int
    refused_count: int


def replay_conversions(store: Store, owner_id: UUID, quarantine_ids: Sequence[UUID] | None = None) -> ReplayResult:
    """Each refused conversion that can now be taken is in the store; the others stay, with their reason of today."""
    with open_run(store, owner_id, JOB, parameters={"replay": True}) as run:
        lock_conversions(run.connection, owner_id)
        names = Names(load_sponsors(run.connection, owner_id), load_campaigns(run.connection, owner_id))
        refusals = load_refusals(run.connection, owner_id, BATCH_KIND, quarantine_ids)
        outcomes = [_replay(store, run, refusal, names) for refusal in refusals]
        accepted = outcomes.count("accepted") + outcomes.count("duplicate")
        result = ReplayResult(len(outcomes), accepted, outcomes.count("duplicate"), outcomes.count("refused"))
        run.counts |= {
            "received": result.tried_count,
            "accepted": result.accepted_count - result.duplicate_count,
            "duplicate": result.duplicate_count,
            "refused": result.refused_count,
        }
        run.uses.append(DatasetUse("input", "quarantine", "replay", result.tried_count))
        return result


def replay_as_read(
    store: Store, owner_id: UUID, known: ConversionBatch, rows: Sequence[Received], options: CsvOptions
) -> ConversionBatch:
    """Rows of the batch that wait, and that these options make readable, are in the store; no other row is touched.

    `rows` are the same file, read with the options. With those that it was read with before, nothing changes.
    """
    with store.account(owner_id) as connection:
        waiting = [item for item in load_refusals(connection, owner_id, BATCH_KIND) if item.batch_id == known.batch_id]
    readable = {row.line_number: row for row in rows if isinstance(row, ParsedRow)}
    again = [
        item.quarantine_id
        for item in waiting
        if item.line_number in readable and msgspec.convert(item.metadata.get("options", {}), CsvOptions) != options
    ]
    accepted = _take_readable(store, owner_id, again, readable) if again else 0
    refused = len(waiting) - accepted
    return replace(known, accepted=accepted, duplicate=known.received - accepted - refused, refused=refused)


def _take_readable(
    store: Store, owner_id: UUID, quarantine_ids: Sequence[UUID], readable: Mapping[int, ParsedRow]
) -> int:
    """How many of the refused rows went through."""
    with open_run(store, owner_id, JOB, parameters={"replay": True, "options": "others"}) as run:
        lock_conversions(run.connection, owner_id)
        names = Names(load_sponsors(run.connection, owner_id), load_campaigns(run.connection, owner_id))
        refusals = load_refusals(run.connection, owner_id, BATCH_KIND, quarantine_ids)
        outcomes = [_replay(store, run, item, names, readable[item.line_number]) for item in refusals]
        accepted = len(outcomes) - outcomes.count("refused")
        run.counts |= {"received": len(outcomes), "accepted": accepted, "refused": len(outcomes) - accepted}
        run.uses.append(DatasetUse("input", "quarantine", "replay", len(outcomes)))
        return accepted


def _replay(store: Store, run: OpenRun, refusal: Refusal, names: Names, row: ParsedRow | None = None) -> str:
    source = str(refusal.metadata.get("source", refusal.source))
    try:
        row = row or _parse_again(refusal)
        told = resolve_row(store.settings, run.owner_id, source, row.value, names)
        outcome = _save_again(run, refusal, source, told)
    except Refused as refused:
        save_refusal_reason(
            run.connection, run.owner_id, refusal.quarantine_id, reason=refused.reason, detail=refused.detail
        )
        return "refused"
    mark_replayed(run, refusal.quarantine_id)
    return outcome


def _save_again(run: OpenRun, refusal: Refusal, source: str, told: ToldRow) -> str:
    known = load_bodies(run.connection, run.owner_id, source, [told.source_key]).get(told.source_key)
    if known == told.body_hash:
        return "duplicate"
    if known is not None:
        raise Refused("conflict", f"source_key: {told.source_key!r} was told before with another body")
    save_told(run.connection, run.owner_id, source, refusal.batch_id, [told])
    return "accepted"


def _parse_again(refusal: Refusal) -> ParsedRow:
    """The row as its format reads it today. Raises Refused."""
    row = _parse_csv(refusal) if refusal.metadata.get("format") == "csv" else _parse_json(refusal)
    if isinstance(row, Drop):
        raise Refused(row.reason, row.detail)
    return row


def _parse_csv(refusal: Refusal) -> ParsedRow | Drop:
    said = refusal.metadata
    options = msgspec.convert(said.get("options", {}), CsvOptions)
    header = "\n".join(("sep=" + str(said["delimiter"]), str(said["header"])))
    file = parse_conversions(f"{header}\n{refusal.payload}\n".encode(), source=refusal.source, options=options)
    if len(file.rows) != 1:
        return Drop(refusal.line_number, "malformed_row", f"is {len(file.rows)} rows, not one", refusal.payload)
    return file.rows[0]


def _parse_json(refusal: Refusal) -> ParsedRow | Drop:
    try:
        body = decode_json(refusal.payload)
        if not isinstance(body, Mapping):
            return Drop(refusal.line_number, "malformed_row", "is no JSON object", refusal.payload)
        return ParsedRow(refusal.line_number, refusal.payload, parse_conversion(body))
    except msgspec.DecodeError as error:
        return Drop(refusal.line_number, "malformed_row", f"is no JSON: {error}", refusal.payload)
    except InvalidInput as error:
        return Drop(refusal.line_number, reason_of(error), error.message, refusal.payload)


# Kind of batch -> what tries its refused rows again; without ids, all of them.
REPLAYERS: Final[Mapping[str, Callable[[Store, UUID, Sequence[UUID] | None], ReplayResult]]] = {
    BATCH_KIND: replay_conversions,
}


def replay(store: Store, owner_id: UUID) -> ReplayResult:
    """Every refused row that something can try again has been tried."""
    results = [again(store, owner_id, None) for again in REPLAYERS.values()]
    return ReplayResult(
        tried_count=sum(item.tried_count for item in results),
        accepted_count=sum(item.accepted_count for item in results),
        duplicate_count=sum(item.duplicate_count for item in results),
        refused_count=sum(item.refused_count for item in results),
    )
