"""A report tells of how many days it is, what happened on them and how episodes began; older ones keep their bytes."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from castline.model.figures import Beginning, DayDownloads, Missing, ReportFigures, Trend
from castline.model.query import Annotation
from castline.report.formats.excel import render_excel
from castline.report.formats.json import render_json
from castline.report.formats.pdf import render_pdf
from castline.report.frozen import freeze_figures, thaw_figures
from castline.report.layout import lay_out
from castline.report.recompute import recompute
from castline.report.trend import describe_measured, list_marks
from castline.report.verify import verify_report
from make_report import FLIGHT, make_figures

FIRST_ON: Final = FLIGHT.start_at.date()
GAP_ON: Final = FIRST_ON + timedelta(days=4)
NOTES: Final = (
    Annotation("release", FIRST_ON, FIRST_ON, "Released", "The first tide"),
    Annotation("gap", GAP_ON, GAP_ON + timedelta(days=1), "No log", "No log that came in covers 2 days."),
    Annotation("platform", date(2026, 3, 20), date(2026, 3, 20), "iOS 30", "Fewer.", "https://example.org/ios"),
)
BEGUN: Final = (
    Beginning("The second tide", date(2026, 3, 30), 40, Decimal("1.25"), None, None),
    Beginning("The first tide", FIRST_ON, 30, None, 90, Decimal("0.8")),
)


def told() -> ReportFigures:
    figures = make_figures()
    lost = {GAP_ON, GAP_ON + timedelta(days=1)}
    daily = tuple(DayDownloads(day.day_on, None if day.day_on in lost else day.downloads) for day in figures.daily)
    return replace(figures, daily=daily, trend=Trend(NOTES, BEGUN))


def test_a_report_of_before_has_neither_table_nor_figure_nor_bytes_of_a_trend() -> None:
    figures = make_figures()
    delivery = lay_out(figures).section("delivery")
    assert b"trend" not in freeze_figures(figures)
    assert (delivery.figures, [table.name for table in delivery.tables]) == ((), ["placements", "daily"])
    assert list_marks(figures) == []
    assert verify_report(render_json(lay_out(figures))).differences == ()


def test_a_report_says_of_how_many_days_it_is_and_what_happened_on_them() -> None:
    figures = told()
    assert thaw_figures(freeze_figures(figures)) == figures
    assert recompute(figures) == []
    delivery = lay_out(figures).section("delivery")
    assert [(item.name, item.value) for item in delivery.figures] == [("measured_days", 28), ("flight_days", 30)]
    _, daily, begun, notes = delivery.tables
    assert daily.note == "Measured on 28 of 30 days. Not measured: 2026-03-05 to 2026-03-06: unknown, and not zero."
    assert notes.rows[1:] == (
        ("No log", 2, GAP_ON, GAP_ON + timedelta(days=1), "No log that came in covers 2 days."),
        ("iOS 30", 3, date(2026, 3, 20), date(2026, 3, 20), "Fewer. https://example.org/ios"),
    )
    young = Missing("these days are not over, or not all of them were measured")
    few = Missing("fewer than three other episodes of the show are as old")
    assert begun.rows == (
        ("The second tide", date(2026, 3, 30), 40, Decimal("1.25"), young, young),
        ("The first tide", FIRST_ON, 30, few, 90, Decimal("0.8")),
    )
    assert {column.metric for column in begun.columns} == {"", "first_days/1", "pace_rate/1"}
    assert list_marks(figures) == [FIRST_ON, GAP_ON, date(2026, 3, 20)]


def test_every_format_has_it_and_the_json_is_verified() -> None:
    document = lay_out(told())
    content = render_json(document)
    assert verify_report(content).differences == ()
    assert content.count(b'"table": "day_notes"') == 15
    assert render_pdf(document).startswith(b"%PDF")
    assert render_excel(document).startswith(b"PK")


def test_without_three_other_episodes_there_is_nothing_to_lay_beginnings_beside() -> None:
    alone = tuple(replace(item, rate_7=None, rate_30=None) for item in BEGUN)
    tables = lay_out(replace(told(), trend=Trend((), alone))).section("delivery").tables
    assert [table.name for table in tables] == ["placements", "daily"]


def test_days_are_told_in_words() -> None:
    days = [DayDownloads(FIRST_ON + timedelta(days=place), place) for place in range(3)]
    unknown = [replace(day, downloads=None) for day in days]
    assert describe_measured([]) == ""
    assert describe_measured(days[:1]) == "Measured."
    assert describe_measured(days) == "Measured on all 3 days."
    assert describe_measured([*days[:2], unknown[2]]) == (
        "Measured on 2 of 3 days. Not measured: 2026-03-03: unknown, and not zero."
    )
    assert describe_measured(unknown) == "Not measured: 2026-03-01 to 2026-03-03: unknown, and not zero."
