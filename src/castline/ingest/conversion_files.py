"""`castline conversion import`: a CSV file of conversions and refunds."""

from dataclasses import asdict
from pathlib import Path
from typing import Final
from uuid import UUID

from castline.base.errors import SourceUnreadable
from castline.ingest.conversions import ConversionBatch, hash_delivery, receive_conversions
from castline.sources.conversion_csv import CsvOptions, parse_conversions
from castline.store.pool import Store

SOURCE: Final = "csv"


def import_conversions(
    store: Store, owner_id: UUID, path: Path, options: CsvOptions, *, source: str = SOURCE
) -> ConversionBatch:
    """The file's conversions and refunds are in the store, its bad rows in quarantine.

    Raises SourceUnreadable, and NotConversions if its first line is no header.
    """
    body = read_file(path)
    said = asdict(options) | {"zone_name": None if options.zone_name == "UTC" else options.zone_name}
    parsed = parse_conversions(body, source=path.name, options=options)
    return receive_conversions(
        store,
        owner_id,
        parsed.rows,
        source=source,
        content_hash=hash_delivery(body, said | {"source": None if source == SOURCE else source}),
        name=path.name,
        read_as={
            "format": "csv",
            "header": parsed.header_text,
            "delimiter": parsed.delimiter,
            "options": asdict(options),
            "ignored_columns": parsed.ignored,
        },
    )


def read_file(path: Path) -> bytes:
    """The file's bytes. Raises SourceUnreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceUnreadable(source=str(path), detail=error.strerror or str(error)) from None
