"""A document as one long list of figures, for formats that have no pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from castline.model.figures import Column, Document, Figure, Missing, Section, Term, Value


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure and its place. `table` is empty and `row` is 0 for a section's own figures; rows count from 1."""

    section: str
    table: str
    row: int
    figure: Figure


def iter_cells(document: Document) -> Iterator[Cell]:
    """Every figure of the document in the order of its pages."""
    for section in document.sections:
        for figure in section.figures:
            yield Cell(section.name, "", 0, figure)
        yield from _iter_tables(section)


def _iter_tables(section: Section) -> Iterator[Cell]:
    for table in section.tables:
        for number, row in enumerate(table.rows, 1):
            for column, value in zip(table.columns, row, strict=True):
                yield Cell(section.name, table.name, number, _figure_of(column, value))


def _figure_of(column: Column, value: Value) -> Figure:
    return Figure(column.name, column.label, value, column.unit, column.metric, column.window)


def write_plain(value: Value) -> str:
    """The value for machines: plain digits, ISO 8601, empty where there is none."""
    if isinstance(value, Missing):
        return ""
    if isinstance(value, Term):
        return value.code
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
