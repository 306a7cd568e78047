"""The report as a workbook: real numbers with formats, native charts, and no text that becomes a formula."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any, Final, cast
from unicodedata import east_asian_width

from xlsxwriter import Workbook  # type: ignore[import-untyped]  # xlsxwriter ships no types
from xlsxwriter.format import Format  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from castline.base.money import minor_unit
from castline.model.figures import Document, Figure, Missing, Section, Table, Term, Unit, Value
from castline.report.numbers import NO_VALUE

_HEAD: Final = ("Figure", "Value", "Unit", "Counted by", "Window", "Remark")
# Sheet, its sections, and which tables of theirs: None for all.
_SHEETS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...] | None], ...]] = (
    ("Summary", ("subject", "summary"), None),
    ("Delivery", ("delivery",), ("placements",)),
    ("Daily", ("delivery",), ("daily",)),
    ("Trend", ("delivery",), ("beginnings", "day_notes")),
    ("Audience", ("audience",), None),
    ("Attribution", ("attribution",), None),
    ("ROI", ("return",), None),
    ("Waterfall", ("counting",), None),
    ("Provenance", ("provenance",), None),
)
# Left out where there is nothing to stand on it.
_OPTIONAL: Final = frozenset({"Trend"})
# What stands in the column of units; money shows its currency there.
_UNITS: Final[dict[Unit, str]] = {
    "text": "",
    "count": "count",
    "share": "count",
    "rate": "%",
    "ratio": "times",
    "date": "date",
    "moment": "UTC",
}
_A4: Final = 9  # the number of the paper in the file format
_ACCENT: Final = "#0B6E6E"
_WIDEST: Final = 60
_CHART_COLUMN: Final = 3  # beside the days, of which there are too many to look below them
_CHART_ROWS: Final = 17  # that a chart covers
_NOTE_COLUMNS: Final = 6  # that a note may fill, and more where its table is wider
_TEXTS: Final = frozenset({"text", "date", "moment"})


class _Book:
    """A workbook under way, with its formats made once."""

    def __init__(self, document: Document) -> None:
        self.content = BytesIO()
        self.document = document
        self.workbook = Workbook(
            self.content,
            {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )
        digits = -int(minor_unit(document.currency).as_tuple().exponent)
        money = "#,##0" + ("." + "0" * digits if digits else "")
        codes: dict[Unit, str] = {
            "text": "@",
            "count": "#,##0",
            "share": "#,##0.00",
            "money": f"{money};[Color 53]-{money}",
            "rate": "0.0%",
            "ratio": '0.00"\N{MULTIPLICATION SIGN}"',
            "date": "yyyy-mm-dd",
            "moment": "yyyy-mm-dd hh:mm",
        }
        self.formats = {unit: self._format(num_format=code) for unit, code in codes.items()}
        self.head = self._format(bold=True, bottom=1, text_wrap=True)
        self.number_head = self._format(bold=True, bottom=1, text_wrap=True, align="right")
        self.note = self._format(font_color="#5B6875", text_wrap=True)
        self.title = self._format(bold=True, font_size=14)
        self.muted = self._format(font_color="#5B6875", align="right")

    def _format(self, **properties: Any) -> Format:
        return cast(Format, self.workbook.add_format({"valign": "top"} | properties))


class _Sheet:
    """A worksheet that is written downwards; `row` is the next free one."""

    def __init__(self, book: _Book, name: str) -> None:
        self.book = book
        self.sheet = cast(Worksheet, book.workbook.add_worksheet(name))
        self.row = 0
        self.widths: dict[int, int] = {}
        self.frozen_rows = 0

    def write(self, column: int, value: Value, unit: Unit) -> None:
        """The value stands in the next row as what it is; a missing one as a dash with its reason as a note."""
        # A share of an order shows its fraction only where it has one.
        wanted = self.book.formats["count" if unit == "share" and value == _whole(value) else unit]
        if isinstance(value, Missing):
            self.sheet.write_string(self.row, column, NO_VALUE, self.book.muted)
            self.sheet.write_comment(self.row, column, value.reason)
        elif isinstance(value, str | Term):
            self.sheet.write_string(self.row, column, _words(value), wanted)
        elif isinstance(value, date | datetime):
            self.sheet.write_datetime(self.row, column, _naive(value), wanted)
        else:
            self.sheet.write_number(self.row, column, _number(value), wanted)
        self.widths[column] = max(self.widths.get(column, 8), min(_width(value, unit), _WIDEST))

    def write_head(self, labels: tuple[str, ...], units: tuple[Unit, ...] = ()) -> None:
        """The labels stand in bold, those of numbers to the right as their numbers do."""
        for column, words in enumerate(labels):
            is_text = not units or units[column] in _TEXTS
            self.sheet.write_string(self.row, column, words, self.book.head if is_text else self.book.number_head)
            self.widths[column] = max(self.widths.get(column, 8), min(len(words) + 2, 18))
        self.row += 1

    def write_note(self, text: str, column_count: int) -> None:
        """The text fills the columns and as many lines as it takes, so that a page is no wider for it."""
        last = max(column_count, _NOTE_COLUMNS) - 1
        room = sum(self.widths.get(column, 8) for column in range(last + 1))
        self.sheet.merge_range(self.row, 0, self.row, last, "", self.book.note)
        self.sheet.write_string(self.row, 0, text, self.book.note)
        self.sheet.set_row(self.row, 15 * -(-len(text) // room))
        self.row += 1

    def close(self) -> None:
        """The columns are as wide as their content."""
        for column, width in self.widths.items():
            self.sheet.set_column(column, column, width)

    def lay_out_print(self) -> None:
        """It prints as wide as a page, the frozen rows on every page, with the report's id and the page below."""
        self.sheet.set_landscape()
        self.sheet.set_paper(_A4)
        self.sheet.fit_to_pages(1, 0)
        self.sheet.set_footer(f"&L&8castline report {self.book.document.report_id}&R&8&A, page &P of &N")
        if self.frozen_rows:
            self.sheet.repeat_rows(0, self.frozen_rows - 1)

    def freeze(self, rows: int, columns: int) -> None:
        """The first rows and columns stay in view."""
        self.sheet.freeze_panes(rows, columns)
        self.frozen_rows = rows


def render_excel(document: Document) -> bytes:
    """The document as XLSX; the same document gives the same bytes."""
    book = _Book(document)
    as_of = document.figures.as_of.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    subject = document.figures.subject
    book.workbook.set_properties(
        {"title": f"{subject.sponsor}: {subject.campaign}"[:255], "author": "castline", "created": as_of}
    )
    for name, names, tables in _SHEETS:
        sections = [_choose(document.section(section), tables) for section in names]
        if name not in _OPTIONAL or any(section.figures or section.tables for section in sections):
            _write_sheet(_Sheet(book, name), sections)
    _write_definitions(_Sheet(book, "Definitions"))
    book.workbook.close()
    return book.content.getvalue()


def _choose(section: Section, names: tuple[str, ...] | None) -> Section:
    """The section with these tables alone, and its figures where all of it is shown or what happened on its days."""
    if names is None:
        return section
    figures = section.figures if "day_notes" in names else ()
    return replace(section, figures=figures, tables=tuple(item for item in section.tables if item.name in names))


def _write_sheet(sheet: _Sheet, sections: list[Section]) -> None:
    for section in sections:
        if section.figures:
            _write_figures(sheet, section)
        for table in section.tables:
            _write_table(sheet, table, titled=len(section.tables) > 1 or bool(section.figures))
    sheet.close()
    sheet.lay_out_print()


def _write_figures(sheet: _Sheet, section: Section) -> None:
    if sheet.row == 0:
        sheet.freeze(2, 1)
    sheet.sheet.write_string(sheet.row, 0, section.title, sheet.book.title)
    sheet.row += 1
    sheet.write_head(_HEAD)
    first = sheet.row
    for figure in section.figures:
        _write_figure(sheet, figure)
    sheet.row += 1
    if section.name == "return" and not any(isinstance(figure.value, Missing) for figure in section.figures):
        _add_chart(sheet, "Return", (first, 0), (first, 1), len(section.figures) - 1)


def _write_figure(sheet: _Sheet, figure: Figure) -> None:
    remark = figure.value.reason if isinstance(figure.value, Missing) else ""
    unit = sheet.book.document.currency if figure.unit == "money" else _UNITS[figure.unit]
    sheet.write(0, figure.label, "text")
    sheet.write(1, figure.value, figure.unit)
    for column, words in enumerate((unit, figure.metric, figure.window, remark), 2):
        sheet.write(column, words, "text")
    sheet.row += 1


def _write_table(sheet: _Sheet, table: Table, *, titled: bool) -> None:
    if titled:
        sheet.sheet.write_string(sheet.row, 0, table.title, sheet.book.title)
        sheet.row += 1
    elif sheet.row == 0:
        sheet.freeze(1, 2 if len(table.columns) > 4 else 1)  # noqa: PLR2004  # wide tables keep two in view
    sheet.write_head(tuple(column.label for column in table.columns), tuple(column.unit for column in table.columns))
    first = sheet.row
    for row in table.rows:
        for column, value in enumerate(row):
            sheet.write(column, value, table.columns[column].unit)
        sheet.row += 1
    if table.note:
        sheet.write_note(table.note, len(table.columns))
    sheet.row += 1
    if table.rows and table.name == "daily":
        _add_chart(sheet, "Downloads by day", (first, 0), (first, 1), len(table.rows), beside=True)
    if table.rows and table.name == "verdicts":
        _add_chart(sheet, "Requests by verdict and reason", (first, 1), (first, 3), len(table.rows))


def _add_chart(  # noqa: PLR0913  # where it takes its words and numbers, and where it stands
    sheet: _Sheet, title: str, labels: tuple[int, int], values: tuple[int, int], count: int, *, beside: bool = False
) -> None:
    """A column for each row, below what is written or beside it."""
    chart = sheet.book.workbook.add_chart({"type": "column"})
    if chart is None:
        raise AssertionError
    name = sheet.sheet.get_name()
    chart.add_series(
        {
            "name": title,
            "categories": [name, labels[0], labels[1], labels[0] + count - 1, labels[1]],
            "values": [name, values[0], values[1], values[0] + count - 1, values[1]],
            "fill": {"color": _ACCENT},
            "gap": 40,
        }
    )
    chart.set_title({"name": title, "name_font": {"size": 11}})
    chart.set_legend({"none": True})
    if beside:
        chart.set_x_axis({"num_format": "d mmm", "num_font": {"size": 8}})
    chart.set_size({"width": 760, "height": 320})
    place = (1, _CHART_COLUMN) if beside else (sheet.row, 0)
    sheet.sheet.insert_chart(*place, chart, {"description": title})
    sheet.row += 0 if beside else _CHART_ROWS


def _write_definitions(sheet: _Sheet) -> None:
    sheet.freeze(1, 1)
    sheet.write_head(("Figure", "Counted by", "How"))
    document = sheet.book.document
    labels = document.name_metrics()
    facts = [(labels[item.name], item.name, item.explained) for item in document.definitions]
    ends = [("Report id", "", document.report_id), ("Content hash", "", document.content_hash)]
    for row in (*facts, *ends):
        for column, words in enumerate(row):
            sheet.write(column, words, "text")
        sheet.row += 1
    sheet.close()
    sheet.sheet.set_column(2, 2, 120)
    sheet.lay_out_print()


def _whole(value: Value) -> int | None:
    return int(value) if isinstance(value, int | Decimal) else None


def _words(value: str | Term) -> str:
    return value.word if isinstance(value, Term) else value


def _number(value: int | Decimal) -> float:
    return float(value)


def _naive(value: date | datetime) -> date | datetime:
    """Workbooks know no time zones: the moment as UTC."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _width(value: Value, unit: Unit) -> int:
    if isinstance(value, str | Term):
        return 2 + sum(2 if east_asian_width(character) in "WF" else 1 for character in _words(value))
    if isinstance(value, Missing | date):  # and moments, which are dates too
        return {"date": 12, "moment": 18}.get(unit, 8)
    return 3 + len(f"{value:,.0f}" if unit == "count" else f"{value:,.2f}")
