"""Exchange rates into the store: one per pair and day, and a second opinion is a conflict."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from castline.base.clock import now
from castline.base.period import start_of_day
from castline.base.text import printable
from castline.ingest.conversions.files import read_file
from castline.ingest.conversions.receive import ConversionBatch, describe_same
from castline.model.lineage import Batch, DatasetUse, Drop
from castline.sources.conversions.rates import RateRow, parse_rates
from castline.store.money.conversions import load_rates, lock_conversions, save_rates
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, find_batch, open_run, save_batch

BATCH_KIND: Final = "rates"
_AHEAD: Final = timedelta(days=1)  # of our clock: where the day begins first, a bank is that much earlier


def import_rates(store: Store, owner_id: UUID, path: Path) -> ConversionBatch:
    """The file's rates are in the store, its bad rows in quarantine. Raises SourceUnreadable, NotRates."""
    body = read_file(path)
    name = printable(path.name)
    rows = [_refuse_future(row) for row in parse_rates(body, source=name)]
    with open_run(store, owner_id, "rate.import", role="app", parameters={"name": name}) as run:
        lock_conversions(run.connection, owner_id)
        content_hash = sha256(body).digest()
        if known := find_batch(run.connection, owner_id, BATCH_KIND, content_hash):
            run.count("already_imported")
            return describe_same(known)
        return _save(run, name, content_hash, rows)


def _refuse_future(row: RateRow | Drop) -> RateRow | Drop:
    """The row, or a Drop where its day has not come: nobody knows its rate, and an order would be converted at it."""
    if isinstance(row, Drop) or row.value.rate_on <= (now() + _AHEAD).date():
        return row
    detail = f"date: {row.value.rate_on} lies in the future; import its rate once it is known, in another file"
    return Drop(row.line_number, "invalid_field", detail, row.text)


def _save(run: OpenRun, name: str, content_hash: bytes, rows: list[RateRow | Drop]) -> ConversionBatch:
    drops = [row for row in rows if isinstance(row, Drop)]
    known = {(rate.base, rate.quote, rate.rate_on): rate.rate for rate in load_rates(run.connection, run.owner_id)}
    fresh: list[RateRow] = []
    for row in rows:
        if isinstance(row, Drop):
            continue
        key = (row.value.base, row.value.quote, row.value.rate_on)
        if key not in known:
            known[key] = row.value.rate
            fresh.append(row)
        elif known[key] != row.value.rate:
            detail = (
                f"rate: {row.value.base}/{row.value.quote} of {row.value.rate_on} is {known[key].normalize():f} already"
            )
            drops.append(Drop(row.line_number, "conflict", detail, row.text))
    drops.sort(key=lambda drop: drop.line_number)
    batch = _make_batch(run, (name, content_hash), rows, fresh, drops)
    save_batch(run, batch, drops)
    save_rates(run.connection, [_facts(run, batch.batch_id, row) for row in fresh])
    duplicates = len(rows) - len(fresh) - len(drops)
    run.counts |= {"received": len(rows), "accepted": len(fresh), "duplicate": duplicates, "refused": len(drops)}
    run.uses += [
        DatasetUse("input", "rate table", name, len(rows), content_hash),
        DatasetUse("output", "exchange_rates", str(batch.batch_id), len(fresh), None, batch.first_at, batch.last_at),
    ]
    return ConversionBatch(batch.batch_id, len(rows), len(fresh), duplicates, len(drops), tuple(drops))


def _make_batch(
    run: OpenRun, known_as: tuple[str, bytes], rows: list[RateRow | Drop], fresh: list[RateRow], drops: list[Drop]
) -> Batch:
    days = [row.value.rate_on for row in fresh]
    return Batch(
        batch_id=uuid4(),
        user_id=run.owner_id,
        run_id=run.run_id,
        kind=BATCH_KIND,
        source=known_as[0],
        content_hash=known_as[1],
        landed_as=None,
        received_count=len(rows),
        accepted_count=len(rows) - len(drops),
        refused_count=len(drops),
        first_at=start_of_day(min(days)) if days else None,
        last_at=start_of_day(max(days)) if days else None,
        created_at=now(),
        metadata={"format": "csv"},
    )


def _facts(run: OpenRun, batch_id: UUID, row: RateRow) -> dict[str, object]:
    return {
        "tenant": run.owner_id,
        "base": row.value.base,
        "quote": row.value.quote,
        "rate_on": row.value.rate_on,
        "rate": row.value.rate,
        "source": row.value.source,
        "batch_id": batch_id,
    }
