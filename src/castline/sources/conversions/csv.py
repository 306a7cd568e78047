"""Conversions in a CSV file: any usual delimiter and encoding, headers by their usual names, bad rows apart.

Method: docs/how-to/import-conversions.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from castline.base.errors import EXIT_FAILURE, EXIT_USAGE, InvalidInput, SourceUnreadable
from castline.base.money import check_currency
from castline.base.text import normalise_name
from castline.model.lineage import Drop
from castline.sources.conversions.fields import (
    FIELD_OF,
    SYNONYMS,
    Parsed,
    Reading,
    is_known,
    parse_facts,
)
from castline.sources.table_file import Table, TableRow, parse_table

_EVIDENCE: Final = ("order_id", "conversion_value", "source_key", "conversion_type", "promo_code")


class NotConversions(SourceUnreadable):
    """{source}, line {line}, is no header of conversions: no column for {missing}; its columns are {found}."""

    fix = "Name the columns: --map 'Their Name=occurred_at' --map 'Other=order_id'."
    exit_code = EXIT_FAILURE


class UnknownColumn(InvalidInput):
    """--map: {detail}"""

    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How a file is to be read: columns by hand (their name -> our field), zone of naive times, and
    the sponsor and currency of rows that name none."""

    columns: Mapping[str, str] = field(default_factory=dict)
    zone_name: str = "UTC"
    sponsor: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One row that could be read, and where it stood."""

    line_number: int
    text: str
    value: Parsed


@dataclass(frozen=True, slots=True)
class ConversionFile:
    """What a file holds: rows and drops in its order, and how it was read."""

    rows: tuple[ParsedRow | Drop, ...]
    header_text: str
    encoding: str
    delimiter: str
    fields: tuple[str | None, ...]
    ignored: tuple[str, ...]


def parse_conversions(data: bytes, *, source: str, options: CsvOptions) -> ConversionFile:
    """Every row of the file as a conversion, a refund or a Drop. Raises NoRows, NotConversions, UnknownColumn."""
    columns = {normalise_name(name): target for name, target in options.columns.items()}
    for target in columns.values():
        if target not in SYNONYMS:
            raise UnknownColumn(field="--map", detail=f"{target!r} is none of {', '.join(SYNONYMS)}")
    table = parse_table(data, source=source, known=lambda name: is_known(name) or normalise_name(name) in columns)
    fields = _match_header(table, columns, source)
    currency = check_currency(options.currency, field="--currency") if options.currency else None
    reading = Reading(parse_zone(options.zone_name), options.sponsor, currency, localised=True)
    return ConversionFile(
        rows=tuple(_parse_row(row, fields, reading) for row in table.rows),
        header_text=table.header_text,
        encoding=table.encoding,
        delimiter=table.delimiter,
        fields=fields,
        ignored=tuple(name for name, target in zip(table.header, fields, strict=True) if target is None and name),
    )


def parse_zone(name: str) -> tzinfo:
    """The zone of an IANA name. Raises InvalidInput."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(field="--tz", detail=f"{name!r} is no time zone, such as UTC or Europe/Berlin") from None


def _match_header(table: Table, columns: Mapping[str, str], source: str) -> tuple[str | None, ...]:
    """The field of each column, None for a column that is not read: where two mean one field, the better name wins."""
    names = [normalise_name(name) for name in table.header]
    if missing := set(columns) - set(names):
        raise UnknownColumn(field="--map", detail=f"there is no column {min(missing)!r} in {', '.join(table.header)}")
    best: dict[str, tuple[int, int]] = {}
    for place, name in enumerate(names):
        target = columns.get(name) or FIELD_OF.get(name)
        if target is not None:
            rank = -1 if name in columns else SYNONYMS[target].index(name)
            best[target] = min(best.get(target, (rank, place)), (rank, place))
    if "occurred_at" not in best or not any(name in best for name in _EVIDENCE):
        missing_text = "occurred_at" if "occurred_at" not in best else f"any of {', '.join(_EVIDENCE)}"
        found = ", ".join(name[:40] for name in table.header[:20])
        raise NotConversions(source=source, line=table.header_line, missing=missing_text, found=found)
    places = {place: target for target, (_, place) in best.items()}
    return tuple(places.get(place) for place in range(len(names)))


def _parse_row(row: TableRow, fields: tuple[str | None, ...], reading: Reading) -> ParsedRow | Drop:
    if row.fault:
        return Drop(row.line_number, "malformed_row", row.fault, row.text)
    if len(row.cells) != len(fields):
        detail = f"has {len(row.cells)} cells where the header has {len(fields)}"
        return Drop(row.line_number, "malformed_row", detail, row.text)
    facts = {target: cell for target, cell in zip(fields, row.cells, strict=True) if target and cell.strip()}
    try:
        return ParsedRow(row.line_number, row.text, parse_facts(facts, reading))
    except InvalidInput as error:
        return Drop(row.line_number, reason_of(error), error.message, row.text)


def reason_of(error: InvalidInput) -> str:
    """The drop's reason: what is missing, an unknown currency, else the field that cannot be read."""
    name, detail = str(error.facts.get("field")), str(error.facts.get("detail"))
    if detail.startswith(("is missing", "is needed")):
        return "missing_field"
    return "unknown_currency" if name == "currency" else "invalid_field"
