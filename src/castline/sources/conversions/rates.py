"""Exchange rates in a CSV file: date, base, quote, rate; one row per pair of currencies and day."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from castline.base.errors import InvalidInput, SourceUnreadable
from castline.base.money import check_currency, parse_amount
from castline.base.text import normalise_name
from castline.model.lineage import Drop
from castline.model.roi import ExchangeRate
from castline.sources.conversions.csv import reason_of
from castline.sources.table_file import Table, TableRow, parse_table

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "rate_on": ("date", "rate_on", "day"),
    "base": ("base", "base_currency", "from", "from_currency"),
    "quote": ("quote", "quote_currency", "to", "to_currency", "currency"),
    "rate": ("rate", "exchange_rate", "value"),
}
_DECIMALS: Final = Decimal("1e-12")  # numeric(24, 12)


class NotRates(SourceUnreadable):
    """{source}, line {line}, is no header of exchange rates: no column for {missing}; its columns are {found}."""

    fix = "The columns are date,base,quote,rate: one base costs so many quote."


@dataclass(frozen=True, slots=True)
class RateRow:
    """One rate and the line it stood in."""

    line_number: int
    text: str
    value: ExchangeRate


def parse_rates(data: bytes, *, source: str) -> list[RateRow | Drop]:
    """Every row of the file as a rate or a Drop. Raises NoRows, NotRates."""
    known = {name for names in _NAMES.values() for name in names}
    table = parse_table(data, source=source, known=lambda name: normalise_name(name) in known)
    places = _match_header(table, source)
    return [_parse_row(row, len(table.header), places, source) for row in table.rows]


def _match_header(table: Table, source: str) -> dict[str, int]:
    names = [normalise_name(name) for name in table.header]
    places = {
        field: names.index(hit) for field, ours in _NAMES.items() if (hit := next(iter(set(ours) & set(names)), ""))
    }
    if missing := [field for field in _NAMES if field not in places]:
        wanted = ", ".join(_NAMES[field][0] for field in missing)
        raise NotRates(source=source, line=table.header_line, missing=wanted, found=", ".join(table.header[:20]))
    return places


def _parse_row(row: TableRow, width: int, places: dict[str, int], source: str) -> RateRow | Drop:
    if row.fault or len(row.cells) != width:
        fault = row.fault or f"has {len(row.cells)} cells where the header has {width}"
        return Drop(row.line_number, "malformed_row", fault, row.text)
    try:
        return RateRow(row.line_number, row.text, _parse_rate(row, places, source))
    except InvalidInput as error:
        return Drop(row.line_number, reason_of(error), error.message, row.text)


def _parse_rate(row: TableRow, places: dict[str, int], source: str) -> ExchangeRate:
    cell = {field: row.cells[place].strip() for field, place in places.items()}
    found = ExchangeRate(
        base=check_currency(cell["base"], field="base"),
        quote=check_currency(cell["quote"], field="quote"),
        rate_on=_parse_day(cell["rate_on"]),
        rate=parse_amount(cell["rate"], field="rate"),
        source=source,
    )
    # Only after its size is known to fit: a number of more digits than a Decimal's context holds cannot be rounded.
    if found.rate.quantize(_DECIMALS) != found.rate:
        raise InvalidInput(field="rate", detail=f"{cell['rate'][:40]} has more than 12 decimals")
    return found


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field="date", detail=f"{text!r} is no day, such as 2026-03-01") from None
