"""The report as PDF/UA-1, set by typst from one template. The same document gives the same bytes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from threading import Lock
from typing import Any, Final, cast

import typst

from castline.base.assets import asset_path
from castline.base.errors import Terminal
from castline.model.figures import Document, Figure, Missing, Section, Table, Term, Value
from castline.report.charts import ChartStep, ChartStyle, render_daily_chart, render_waterfall_chart
from castline.report.formats.glyphs import FAMILIES, find_uncovered, is_right_to_left, replace_uncovered
from castline.report.layout import DUE
from castline.report.numbers import format_value
from castline.report.trend import list_marks
from castline.store.payload import encode_json

_TEMPLATE: Final = "sponsor_report.typ"
_COMPILING: Final = Lock()  # one compiler serves every thread, one after the other
# Rows that a reader still looks at; the rest is in the other formats, and the page says how many there are.
_ROW_LIMITS: Final = {"app": 12, "country": 12, "device": 12, "batches": 30, "beginnings": 12}
_LEFT_OUT: Final = frozenset({"daily"})  # drawn as a chart; the numbers are in the other formats


class PdfRefused(Terminal):
    """typst could not set the report: {detail}"""


def render_pdf(document: Document) -> bytes:
    """The document as PDF/UA-1, without a character that no font has and without a warning. Raises PdfRefused."""
    data = encode_json(_prepare(document)).decode()
    as_of = cast(datetime, _value(document.section("subject"), "as_of"))
    try:
        with _COMPILING:
            content, warnings = _compiler().compile_with_warnings(
                format="pdf",
                sys_inputs={"data": data},
                pdf_standards=["ua-1"],
                timestamp=as_of.astimezone(UTC).replace(microsecond=0),
            )
    except typst.TypstError as error:
        raise PdfRefused(detail=error.message) from error
    if warnings:
        raise PdfRefused(detail="; ".join(warning.message for warning in warnings))
    if not isinstance(content, bytes):
        raise PdfRefused(detail="no single file came out")
    return content


@cache
def _compiler() -> typst.Compiler:
    template = files("castline.report.formats").joinpath(_TEMPLATE)
    fonts = typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=False,
        font_paths=[str(asset_path("fonts/NotoSans-Regular.ttf").parent)],
    )
    return typst.Compiler(str(template), root=str(template).removesuffix(_TEMPLATE), font_paths=fonts)


def _prepare(document: Document) -> dict[str, Any]:
    """Everything the template shows, as text that is ready to be shown."""
    uncovered = find_uncovered(_all_text(document))
    subject, summary, delivery = (document.section(name) for name in ("subject", "summary", "delivery"))
    as_of = cast(datetime, _value(subject, "as_of"))
    labels = document.name_metrics()
    return {
        "report_id": document.report_id,
        "content_hash": document.content_hash,
        "currency": document.currency,
        "families": FAMILIES,
        "date": {"year": as_of.year, "month": as_of.month, "day": as_of.day},
        "subject": {figure.name: _figure(figure, document) for figure in subject.figures},
        "summary": {figure.name: _figure(figure, document) for figure in summary.figures},
        "chart": _draw_days(delivery, list_marks(document.figures)),
        "waterfall": _draw_return(document),
        "progress": _progress(summary),
        "sections": {section.name: _section(section, document) for section in document.sections},
        "definitions": [
            {"name": item.name, "label": labels[item.name], "how": item.explained} for item in document.definitions
        ],
        "uncovered": [
            {"script": name, "points": " ".join(f"U+{ord(character):04X}" for character in characters)}
            for name, characters in uncovered.items()
        ],
    }


def _section(section: Section, document: Document) -> dict[str, Any]:
    return {
        "title": section.title,
        "figures": [_figure(figure, document) for figure in section.figures],
        "tables": {table.name: _table(table, document) for table in section.tables if table.name not in _LEFT_OUT},
    }


def _figure(figure: Figure, document: Document) -> dict[str, Any]:
    shown = format_value(figure.value, figure.unit, document.currency)
    return _words(shown) | {
        "name": figure.name,
        "label": figure.label,
        "unit": figure.unit,
        "missing": figure.value.reason if isinstance(figure.value, Missing) else "",
    }


def _table(table: Table, document: Document) -> dict[str, Any]:
    rows = _shown_rows(table)
    return {
        "title": table.title,
        "columns": [{"name": column.name, "label": column.label, "unit": column.unit} for column in table.columns],
        "rows": [
            [
                _words(format_value(cell, column.unit, document.currency)) | {"part": _part(cell, column.unit)}
                for cell, column in zip(row, table.columns, strict=True)
            ]
            for row in rows
        ],
        "note": table.note,
        "missing": _reasons(rows),
        "left_count": len(table.rows) - len(rows),
    }


def _shown_rows(table: Table) -> tuple[tuple[Value, ...], ...]:
    return table.rows[: _ROW_LIMITS.get(table.name)]


def _reasons(rows: Sequence[Sequence[Value]]) -> list[str]:
    """Why cells have no value; dates to come are one reason, since every other format names each."""
    reasons = dict.fromkeys(cell.reason for row in rows for cell in row if isinstance(cell, Missing))
    due = sorted(reason for reason in reasons if reason.startswith(DUE))
    rest = [reason for reason in reasons if not reason.startswith(DUE)]
    if not due:
        return rest
    last = due[-1].removeprefix(DUE)
    return [due[0] if len(due) == 1 else f"not over yet, {due[0]} at the earliest and on {last} at the latest", *rest]


def _part(cell: Value, unit: str) -> float:
    return float(cell) if unit == "rate" and isinstance(cell, Decimal) else 0.0


def _words(text: str) -> dict[str, Any]:
    return {"text": replace_uncovered(text), "rtl": is_right_to_left(text)}


def _progress(summary: Section) -> float | None:
    rate = _value(summary, "delivery_rate")
    return float(rate) if isinstance(rate, Decimal) else None


def _draw_days(delivery: Section, marks: Sequence[date]) -> dict[str, str]:
    table = next(table for table in delivery.tables if table.name == "daily")
    series = [(cast(date, day), count if isinstance(count, int) else None) for day, count in table.rows]
    total = sum(count or 0 for _, count in series)
    first, last = (f"{series[0][0]:%Y-%m-%d}", f"{series[-1][0]:%Y-%m-%d}") if series else ("", "")
    alt = f"Downloads by day, {first} to {last}: {total:,} in all. {table.note}".strip() if series else "No days yet."
    svg = render_daily_chart(series, ChartStyle(height=345), marks=marks)
    return {"svg": svg, "alt": alt, "note": table.note}


def _draw_return(document: Document) -> dict[str, str] | None:
    """From revenue to return as a drawing; None where nobody knows what came in."""
    figures = {figure.name: figure for figure in document.section("return").figures}
    if isinstance(figures["return"].value, Missing):
        return None
    steps = [
        ChartStep(
            figures[name].label,
            _signed(figures[name]),
            format_value(_signed(figures[name]), "money", document.currency),
            is_total=name in {"net_revenue", "return"},
        )
        for name in ("gross_revenue", "refunds", "net_revenue", "cost", "return")
    ]
    words = ", ".join(f"{step.label} {step.shown}" for step in steps)
    svg = render_waterfall_chart(steps, ChartStyle(height=220), title="From revenue to return")
    return {"svg": svg, "alt": f"From revenue to return in {document.currency}: {words}."}


def _signed(figure: Figure) -> Decimal:
    amount = Decimal(cast(Decimal, figure.value))
    return -amount if figure.name == "cost" else amount


def _value(section: Section, name: str) -> Value:
    return next(figure.value for figure in section.figures if figure.name == name)


def _all_text(document: Document) -> str:
    figures = (figure.value for section in document.sections for figure in section.figures)
    tables = (table for section in document.sections for table in section.tables)
    cells = (cell for table in tables for row in _shown_rows(table) for cell in row)
    texts = (value.word if isinstance(value, Term) else value for value in (*figures, *cells))
    return "".join(value for value in texts if isinstance(value, str))
