"""Every format of a report shows the same figures, and the same figures give the same file."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any, cast

import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped]  # its types are a package of their own
from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped]
from pypdf import PdfReader

from castline.base.errors import InvalidInput
from castline.model.figures import Document, Missing, PlayedAds, Term, Value
from castline.model.vocab import ReportFormat
from castline.report.formats.cells import iter_cells
from castline.report.formats.csv import guard_formula, render_csv
from castline.report.formats.excel import render_excel
from castline.report.formats.json import render_json
from castline.report.formats.pdf import render_pdf
from castline.report.formats.table import RENDERERS, parse_formats
from castline.report.layout import lay_out
from castline.report.numbers import format_value
from castline.store.payload import decode_json
from make_report import empty, make_figures, untold

FORMATS: list[ReportFormat] = ["pdf", "excel", "csv", "json"]


@pytest.fixture(scope="module")
def document() -> Document:
    return lay_out(make_figures())


def pdf_text(content: bytes) -> str:
    """The PDF's text without any white space."""
    return "".join("".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages).split())


def squeezed(text: str) -> str:
    return "".join(text.split())


def by_place(document: Document) -> dict[tuple[str, str, int, str], Value]:
    return {(cell.section, cell.table, cell.row, cell.figure.name): cell.figure.value for cell in iter_cells(document)}


def test_the_golden_figures_stand_in_the_document(document: Document) -> None:
    # By hand in make_report.make_roi; over 1,500 - 1,000 = 500 and 1,500 - 2,000 = -500; 500 / 1,500 x 1,000 = 333.33.
    figures = by_place(document)
    summary = {name: figures["summary", "", 0, name] for name in ("delivered", "contracted", "delivery_rate", "roas")}
    assert summary == {"delivered": 3000, "contracted": 3000, "delivery_rate": Decimal(1), "roas": Decimal("2.3")}
    assert figures["summary", "", 0, "roi_rate"] == Decimal("1.3")
    assert [figures["delivery", "placements", row, "over_delivery"] for row in (1, 2)] == [500, -500]
    assert figures["delivery", "placements", 1, "cost_per_mille"] == Decimal("333.33")
    assert figures["delivery", "placements", 1, "delivered_days_60"] == Missing("due on 2026-04-30")
    assert figures["return", "", 0, "return"] == Decimal("1300.00")
    assert figures["audience", "app", 1, "share"] == Decimal("0.75")
    assert figures["counting", "", 0, "received"] == 3363


def test_json_holds_every_figure_with_how_it_is_counted(document: Document) -> None:
    payload = decode_json(render_json(document))
    found = {
        (item["section"], item.get("table", ""), item.get("row", 0), item["name"]): item for item in payload["figures"]
    }
    assert {place: plain(item) for place, item in found.items()} == {
        place: told(value) for place, value in by_place(document).items()
    }
    roas = found["summary", "", 0, "roas"]
    assert roas == {
        "section": "summary",
        "name": "roas",
        "label": "ROAS",
        "unit": "ratio",
        "value": Decimal("2.3"),
        "metric": "roas/1",
        "window": "flight",
    }
    assert payload["definitions"]["roas/1"] == "net_revenue / spend; null where the spend is zero"


def plain(item: dict[str, Any]) -> object:
    return item["missing"] if item["value"] is None else item["value"]


def told(value: Value) -> object:
    """The value as JSON tells it."""
    if isinstance(value, Missing):
        return value.reason
    if isinstance(value, Term):
        return value.code
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def test_csv_holds_every_figure(document: Document) -> None:
    rows = [row for row in csv.DictReader(StringIO(render_csv(document).decode())) if row["section"] != "report"]
    found = {(row["section"], row["table"], int(row["row"] or 0), row["name"]): row for row in rows}
    assert len(found) == len(rows)
    assert {place: row["missing"] or row["value"] for place, row in found.items()} == {
        place: written(value) for place, value in by_place(document).items()
    }


def written(value: Value) -> str:
    """The value as CSV writes it; no text of this report looks like a formula."""
    if isinstance(value, Missing):
        return value.reason
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Term):
        return value.code
    return value.isoformat() if isinstance(value, date) else str(value)


def test_the_workbook_holds_every_figure_as_a_number(document: Document) -> None:
    book = load_workbook(BytesIO(render_excel(document)))
    assert book.sheetnames == [
        "Summary",
        "Delivery",
        "Daily",
        "Audience",
        "Attribution",
        "ROI",
        "Waterfall",
        "Provenance",
        "Definitions",
    ]
    for section in document.sections:
        expected = [(item.label, in_cell(item.value)) for item in section.figures]
        cells = [(row[0], row[1]) for name in book.sheetnames for row in values(book[name])]
        assert [pair for pair in expected if pair not in cells] == []
        for table in section.tables:
            rows = [row for name in book.sheetnames for row in values(book[name])]
            wanted = [tuple(in_cell(value) for value in row) for row in table.rows]
            assert [row for row in wanted if row not in [found[: len(row)] for found in rows]] == []


def values(sheet: Worksheet) -> Iterator[tuple[Any, ...]]:
    """Each row of the sheet, padded, with numbers rounded as floating point needs it."""
    for row in sheet.iter_rows(values_only=True):
        cells = [round(cell, 9) if isinstance(cell, int | float) else cell for cell in row]
        yield (*cells, *[None] * (13 - len(cells)))


def in_cell(value: Value) -> object:
    if isinstance(value, Missing):
        return "—"
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  # workbooks know no zones
    if isinstance(value, Term):
        return value.word
    if isinstance(value, str):
        return value or None
    return round(float(value), 9)


def test_the_pdf_shows_every_table_row_and_every_key_figure(document: Document) -> None:
    text = pdf_text(render_pdf(document))
    for name in ("methods", "verdicts", "app", "country", "device", "runs", "tables", "lists", "batches"):
        table = next(table for section in document.sections for table in section.tables if table.name == name)
        for row in table.rows:
            units = [column.unit for column in table.columns]
            line = "".join(format_value(cell, unit, "USD") for cell, unit in zip(row, units, strict=True))
            assert squeezed(line) in text
    assert "Number11Mar2026·Host-read,pre-roll1,0001,500—5003501,500—500.00333.33" in text
    assert "Number22Mar2026·Host-read,mid-roll2,0001,500—−500350——500.00333.33" in text
    for words in (
        "Delivereddownloads3,000of3,000contracted,100.0%",
        "AttributedrevenueUSD2,300.00",
        "Conversions40eachcountedonce;modeled:7.5",
        "ROAS2.30×ROI130.0%",
        "CPAUSD25.00breaksevenat17orders",
        "eCPMUSD333.33",
        "706448610403",  # records, orders, here, elsewhere, nobody, of known value, without a rate
        "3,3633,00021033120",  # received, counted, duplicate, partial, dropped
        "1,000.001,000.002,300.001,300.00",  # cost, spend, net revenue, return
        f"contenthash{document.content_hash[:32]}",
    ):
        assert words in text


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_figures_give_the_same_bytes(name: ReportFormat, document: Document) -> None:
    again = lay_out(make_figures())
    assert RENDERERS[name].render(document) == RENDERERS[name].render(again)


@pytest.mark.parametrize("name", FORMATS)
def test_other_figures_give_other_bytes(name: ReportFormat, document: Document) -> None:
    other = lay_out(replace(make_figures(), as_of=datetime(2026, 4, 11, tzinfo=UTC)))
    assert other.content_hash != document.content_hash
    assert RENDERERS[name].render(document) != RENDERERS[name].render(other)


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders_every_number_of_digits(name: ReportFormat, currency: str) -> None:
    assert RENDERERS[name].render(lay_out(make_figures(currency=currency)))


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "JPY2,300"), ("KWD", "KWD2,300.000")])
def test_money_shows_the_digits_of_its_currency(currency: str, shown: str) -> None:
    assert f"Attributedrevenue{shown}after" in pdf_text(render_pdf(lay_out(make_figures(currency=currency))))


def test_a_figure_that_is_not_measurable_is_a_dash_with_its_reason_and_never_zero() -> None:
    document = lay_out(empty(make_figures()))
    text = pdf_text(render_pdf(document))
    assert "Delivereddownloads—Notmeasurable:norequestofthisflightwasmeasured" in text
    assert "CPA—Notmeasurable:noorderwascredited" in text
    rows = {row["name"]: row for row in csv.DictReader(StringIO(render_csv(document).decode())) if not row["table"]}
    assert (rows["delivered"]["value"], rows["delivered"]["missing"]) == ("", "no request of this flight was measured")
    sheet = load_workbook(BytesIO(render_excel(document)))["Summary"]
    shown = {row[0]: (row[1], row[5]) for row in sheet.iter_rows(values_only=True)}
    assert shown["CPA"] == ("—", "no order was credited")


def test_before_any_conversion_came_in_every_format_has_no_return_and_says_why() -> None:
    document = lay_out(untold(make_figures()))
    reason = "no conversion has come in"
    untold_names = {"credited_orders", "net_revenue", "modeled_net_revenue", "roas", "roi_rate", "visits", "return"}
    rows = [row for row in csv.DictReader(StringIO(render_csv(document).decode())) if row["missing"] == reason]
    assert {row["name"] for row in rows} >= untold_names
    assert [row["value"] for row in rows] == [""] * len(rows)
    figures = decode_json(render_json(document))["figures"]
    assert {item["name"] for item in figures if item.get("missing") == reason} == {row["name"] for row in rows}
    book = load_workbook(BytesIO(render_excel(document)))
    shown = {row[0]: (row[1], row[5]) for row in book["Summary"].iter_rows(values_only=True)}
    assert (shown["ROI"], shown["Attributed revenue"]) == (("\N{EM DASH}", reason),) * 2
    text = pdf_text(render_pdf(document))
    assert f"ROAS\N{EM DASH}Notmeasurable:{squeezed(reason)}" in text
    assert not re.search("[-\N{MINUS SIGN}]100", text)


def test_a_hundred_placements_all_have_their_row() -> None:
    figures = make_figures(placement_count=100)
    text = pdf_text(render_pdf(lay_out(figures)))
    rows = [f"{squeezed(row.episode)}{row.air_on.day}{row.air_on:%b%Y}·Host-read" for row in figures.placements]
    assert (len(rows), [row for row in rows if row not in text]) == (100, [])


def test_an_episode_title_of_fifty_letters_stands_on_one_line_of_its_delivery() -> None:
    figures = make_figures(placement_count=1)
    title = "How the harbour got its bell, and who rings it now"
    placed = replace(figures, placements=(replace(figures.placements[0], episode=title),))
    pages = PdfReader(BytesIO(render_pdf(lay_out(placed)))).pages
    assert title in [line.strip() for line in pages[1].extract_text().splitlines()]


def test_the_delivery_of_a_campaign_on_two_shows_names_the_show_of_each_episode() -> None:
    figures = make_figures()
    first, second = figures.placements
    text = pdf_text(render_pdf(lay_out(replace(figures, placements=(first, replace(second, show="Night Ferry"))))))
    assert "Number1TheLongTide1Mar2026·Host-read" in text
    assert "Number2NightFerry2Mar2026·Host-read" in text


def test_names_as_long_as_their_columns_stay_on_the_cover() -> None:
    long = ("Extraordinarily long sponsor name " * 8)[:255]
    pages = PdfReader(BytesIO(render_pdf(lay_out(make_figures(sponsor=long, campaign=long)))))
    assert "At a glance" in pages.pages[0].extract_text()
    assert "Downloads by day" in pages.pages[0].extract_text()


def test_text_is_never_read_as_markup() -> None:
    name = '#panic("x") *bold* $x$ `raw` \\ @ref <label> // no'
    text = pdf_text(render_pdf(lay_out(make_figures(campaign=name))))
    assert squeezed(name) in text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"])
def test_text_that_a_spreadsheet_would_run_is_made_plain(text: str) -> None:
    assert guard_formula(text) == f"'{text}"


def test_numbers_below_zero_are_no_formulas_to_guard(document: Document) -> None:
    rows = csv.DictReader(StringIO(render_csv(document).decode()))
    assert [row["value"] for row in rows if row["section"] == "return" and row["name"] == "refunds"] == ["-100.00"]


def test_a_name_that_looks_like_a_formula_is_text_in_the_workbook() -> None:
    name = '=HYPERLINK("https://example.org","x")'
    book = load_workbook(BytesIO(render_excel(lay_out(make_figures(sponsor=name)))))
    cell = book["Summary"]["B3"]
    assert (cell.value, cell.data_type) == (name, "s")


def test_the_workbook_has_charts_and_frozen_heads(document: Document) -> None:
    book = load_workbook(BytesIO(render_excel(document)))
    charts = {name: len(book[name]._charts) for name in book.sheetnames}
    assert {name for name, count in charts.items() if count} == {"Daily", "ROI", "Waterfall"}
    assert [name for name in book.sheetnames if book[name].freeze_panes is None] == []


def test_the_workbook_prints_as_wide_as_a_page_with_its_head_on_every_page(document: Document) -> None:
    book = load_workbook(BytesIO(render_excel(document)))
    for sheet in book:
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) in {(1, 0), (None, 0)}
        assert sheet.print_title_rows in {"$1:$1", "$1:$2"}
        assert document.report_id in str(sheet.oddFooter.left.text)


def test_a_whole_order_has_no_decimal_point_in_the_workbook(document: Document) -> None:
    sheet = load_workbook(BytesIO(render_excel(document)))["Summary"]
    shown = {row[0].value: (row[1].value, row[1].number_format, row[2].value) for row in sheet.iter_rows(min_row=3)}
    assert shown["Conversions"] == (40, "#,##0", "count")
    assert shown["Modeled conversions"] == (7.5, "#,##0.00", "count")
    assert shown["ROI"] == (1.3, "0.0%", "%")


def test_definitions_are_told_in_words(document: Document) -> None:
    sheet = load_workbook(BytesIO(render_excel(document)))["Definitions"]
    told = {row[1]: (row[0], row[2]) for row in sheet.iter_rows(values_only=True)}
    assert told["roas/1"] == ("ROAS", "net revenue / spend; no value where the spend is zero")
    assert [how for _, how in told.values() if "_" in str(how) or "null" in str(how)] == []


def test_what_is_delivered_and_what_is_counted_for_the_show_are_told_apart(document: Document) -> None:
    text = pdf_text(render_pdf(document))
    assert "Delivered counts downloads of the campaign's episodes".replace(" ", "") in text
    assert "Counted(wholeshow)" in text
    assert "Requests for any episode of the show within the flight".replace(" ", "") in text


def test_a_report_in_a_script_without_a_font_is_built_and_says_so() -> None:
    korean = "한국 커피"
    text = pdf_text(render_pdf(lay_out(make_figures(campaign=korean))))
    assert "Charactersthatthisfilecouldnotshow" in text
    assert "Hangul:U+AD6DU+CEE4U+D53CU+D55C,shownas" in text
    assert korean in render_json(lay_out(make_figures(campaign=korean))).decode()


@pytest.mark.parametrize(
    "text", ["ߒߞߏ", "𓂀 eye", "ไทย", "👨‍👩‍👧 ❤️ 🇩🇪", "bell\a and\ttab\nline", "￾", "\ud7ff", "a\u0301\u0323"]
)
def test_no_title_stops_a_report(text: str) -> None:
    assert render_pdf(lay_out(make_figures(show=text, campaign=text)))


def test_arabic_and_japanese_titles_are_text_in_the_pdf() -> None:
    text = pdf_text(render_pdf(lay_out(make_figures(campaign="海辺のラジオ", show="ليالي"))))
    assert "海辺のラジオ" in text
    assert "Charactersthatthisfile" not in text


def test_the_pdf_is_tagged_and_says_its_language(document: Document) -> None:
    root = cast(Any, PdfReader(BytesIO(render_pdf(document))).trailer["/Root"])
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()


def test_formats_are_named_as_people_say_them() -> None:
    assert parse_formats("pdf,xlsx, CSV,json,pdf") == ("pdf", "excel", "csv", "json")
    with pytest.raises(InvalidInput, match="'docx' is none of pdf, xlsx, csv, json"):
        parse_formats("docx")
    with pytest.raises(InvalidInput, match="names no format"):
        parse_formats(" , ")


def test_a_note_of_the_workbook_wraps_in_the_width_of_its_table(document: Document) -> None:
    sheet = load_workbook(BytesIO(render_excel(document)))["Delivery"]
    note = next(cell for row in sheet.iter_rows() for cell in row if str(cell.value).startswith("Delivered counts"))
    [merged] = sheet.merged_cells.ranges
    assert merged.coord == f"A{note.row}:N{note.row}"
    assert note.alignment.wrap_text
    width = sum(sheet.column_dimensions[column].width for column in "ABCDEFGHIJKLMN")
    assert sheet.row_dimensions[note.row].height >= 15 * len(str(note.value)) / width
    assert width < 200  # so that it can be read where it prints as wide as a page


def test_heads_of_numbers_stand_over_their_numbers(document: Document) -> None:
    sheet = load_workbook(BytesIO(render_excel(document)))["Delivery"]
    aligned = {str(cell.value): cell.alignment.horizontal for cell in sheet[1]}
    assert (aligned["Episode"], aligned["Delivered"], aligned["CPM"]) == (None, "right", "right")


def test_what_players_told_of_ads_stands_in_every_format() -> None:
    told = lay_out(replace(make_figures(), played_ads=PlayedAds(date(2026, 3, 1), 4040, 3636, 3030, 2424, 2020, 909)))
    assert "AdsplayedasplayerssayCametoPlays" in pdf_text(render_pdf(told)).replace(",", "")
    assert "Thirdquarter2,424" in pdf_text(render_pdf(told))
    book = load_workbook(BytesIO(render_excel(told)))
    rows = [[cell for cell in row if cell is not None] for row in book["Audience"].iter_rows(values_only=True)]
    assert ["Third quarter", 2424] in rows
    lines = list(csv.reader(StringIO(render_csv(told).decode("utf-8-sig"))))
    assert sum("played_ads" in line and "2424" in line for line in lines) == 1
    figures = decode_json(render_json(told))["figures"]
    assert [item["value"] for item in figures if item.get("table") == "played_ads" and item["name"] == "ad_plays"] == [
        4040, 3636, 3030, 2424, 2020, 909,
    ]  # fmt: skip
