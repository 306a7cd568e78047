"""The report as one tidy CSV: a row per figure, with where it stands, its unit and how it is counted."""

import csv
from io import StringIO
from typing import Final

from castline.model.figures import Document, Missing, Term, Value
from castline.report.formats.cells import Cell, iter_cells, write_plain

COLUMNS: Final = ("section", "table", "row", "name", "label", "value", "unit", "metric", "window", "missing")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")  # what spreadsheets take for the beginning of a formula
_WIDE: Final = (
    "\N{FULLWIDTH EQUALS SIGN}",
    "\N{FULLWIDTH PLUS SIGN}",
    "\N{FULLWIDTH HYPHEN-MINUS}",
    "\N{FULLWIDTH COMMERCIAL AT}",
)


def render_csv(document: Document) -> bytes:
    """The document as RFC 4180 in UTF-8; text that a spreadsheet would run as a formula begins with an apostrophe."""
    out = StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for name, value in (("report_id", document.report_id), ("content_hash", document.content_hash)):
        writer.writerow(("report", "", "", name, "", value, "text", "", "", ""))
    for cell in iter_cells(document):
        writer.writerow(_row(cell))
    return out.getvalue().encode()


def guard_formula(text: str) -> str:
    """The text, with an apostrophe in front if a spreadsheet would take it for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA + _WIDE) or text.startswith(_FORMULA) else text


def _row(cell: Cell) -> tuple[str, ...]:
    figure = cell.figure
    missing = figure.value.reason if isinstance(figure.value, Missing) else ""
    row = str(cell.row) if cell.row else ""
    return (
        cell.section,
        cell.table,
        row,
        figure.name,
        figure.label,
        _write(figure.value),
        figure.unit,
        figure.metric,
        figure.window,
        missing,
    )


def _write(value: Value) -> str:
    return guard_formula(write_plain(value)) if isinstance(value, str | Term) else write_plain(value)
