"""`castline conversion import`: a CSV file of conversions and refunds."""

from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from castline.base.errors import SourceUnreadable
from castline.base.text import printable
from castline.ingest.conversions.receive import ConversionBatch, receive_conversions
from castline.ingest.conversions.replay import replay_as_read
from castline.sources.conversions.csv import CsvOptions, parse_conversions
from castline.store.pool import Store

SOURCE: Final = "csv"


def import_conversions(
    store: Store, owner_id: UUID, path: Path, options: CsvOptions, *, source: str = SOURCE
) -> ConversionBatch:
    """The file's conversions and refunds are in the store, its bad rows in quarantine.

    The file is known by its bytes, whatever the options: again, it changes nothing, except that rows which were
    refused are taken where other options make them readable. Raises SourceUnreadable, and NotConversions if its first
    line is no header.
    """
    body = read_file(path)
    parsed = parse_conversions(body, source=path.name, options=options)
    outcome = receive_conversions(
        store,
        owner_id,
        parsed.rows,
        source=source,
        content_hash=sha256(body).digest(),
        name=printable(path.name),
        read_as={
            "format": "csv",
            "header": parsed.header_text,
            "delimiter": parsed.delimiter,
            "options": asdict(options),
            "ignored_columns": parsed.ignored,
        },
    )
    if outcome.already_imported and outcome.refused:
        return replay_as_read(store, owner_id, outcome, parsed.rows, options)
    return outcome


def read_file(path: Path) -> bytes:
    """The file's bytes. Raises SourceUnreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceUnreadable(source=str(path), detail=error.strerror or str(error)) from None
