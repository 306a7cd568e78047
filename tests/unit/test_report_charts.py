"""Charts: the same for the same values, safe to put into a page, and readable without sight."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from lxml import etree

from castline.report.charts import ChartStep, ChartStyle, find_ceiling, render_daily_chart, render_waterfall_chart

DAYS = [(date(2026, 3, 1) + timedelta(days=day), 10 * day) for day in range(31)]
STEPS = [
    ChartStep("Gross", Decimal(2400), "2,400"),
    ChartStep("Refunds", Decimal(-100), "-100"),
    ChartStep("Net", Decimal(2300), "2,300", is_total=True),
]
SVG = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[tuple[str | None, float, float]]:
    """Each bar's class, top and height."""
    found = etree.fromstring(svg.encode()).iter(f"{SVG}rect")
    return [(bar.get("class"), float(str(bar.get("y"))), float(str(bar.get("height")))) for bar in found]


def test_bars_are_as_high_as_their_values() -> None:
    # 220 px less 8 above and 22 below are 190; four steps of 80 hold 300, so 300 of 320 are 178.125 px.
    assert bars(render_daily_chart(DAYS))[-1] == ("chart-bar", 19.88, 178.12)
    assert bars(render_daily_chart(DAYS))[0] == ("chart-bar", 198.0, 0.0)


def test_a_waterfall_step_begins_where_the_last_one_ended() -> None:
    # 220 px less 24 above and 24 below are 172 for 2,400: 100 are 7.17 px.
    assert bars(render_waterfall_chart(STEPS)) == [
        ("chart-bar", 24.0, 172.0),
        ("chart-loss", 24.0, 7.17),
        ("chart-total", 31.17, 164.83),
    ]


def test_a_loss_hangs_below_the_ground() -> None:
    steps = [ChartStep("Cost", Decimal(-50), "-50"), ChartStep("Return", Decimal(-50), "-50", is_total=True)]
    assert bars(render_waterfall_chart(steps)) == [("chart-loss", 24.0, 172.0), ("chart-total", 24.0, 172.0)]


@pytest.mark.parametrize(
    ("highest", "ceiling"), [(0, 4), (4, 4), (5, 8), (9, 12), (99, 120), (121, 160), (1999, 2000), (8001, 12000)]
)
def test_a_scale_ends_on_a_round_number_above_the_highest_value(highest: int, ceiling: int) -> None:
    assert find_ceiling(highest) == ceiling


@pytest.mark.parametrize("highest", range(1, 3000, 7))
def test_no_bar_leaves_the_chart(highest: int) -> None:
    assert highest <= find_ceiling(highest) <= max(4, 2 * highest)


def test_equal_values_give_equal_charts() -> None:
    assert render_daily_chart(DAYS) == render_daily_chart(list(DAYS))


def test_a_chart_tells_its_content_in_words() -> None:
    root = etree.fromstring(render_daily_chart(DAYS).encode())
    assert (root.get("role"), root.get("aria-label")) == ("img", "Downloads by day")
    assert root.findtext(f"{SVG}desc") == (
        "31 days from 2026-03-01 to 2026-03-31, 4,650 in all, most on 2026-03-31 with 300."
    )


def test_a_strict_policy_finds_nothing_to_block() -> None:
    for svg in (render_daily_chart(DAYS), render_waterfall_chart(STEPS)):
        for element in etree.fromstring(svg.encode()).iter():
            assert element.tag in {f"{SVG}{name}" for name in ("svg", "title", "desc", "path", "rect", "text")}
            assert not [
                name for name in element.attrib if name in {"style", "id", "href"} or str(name).startswith("on")
            ]


def test_words_are_escaped() -> None:
    step = ChartStep('<script>"&', Decimal(1), "<b>")
    root = etree.fromstring(render_waterfall_chart([step], title='a"<b>&').encode())
    assert root.get("aria-label") == 'a"<b>&'
    assert [text.text for text in root.iter(f"{SVG}text")] == ["<b>", '<script>"&']


def test_unknown_days_are_a_gap_with_words_and_not_zero() -> None:
    days = [(day, None if day.day <= 10 or day.day == 31 else value) for day, value in DAYS]
    root = etree.fromstring(render_daily_chart(days).encode())
    # 720 px less 46 and 6 beside are 668 for 31 days: 21.548 each, so ten are 215.48 px and one has no room for words.
    gaps = [(gap.get("x"), gap.get("width")) for gap in root.iter(f"{SVG}rect") if gap.get("class") == "chart-gap"]
    assert gaps == [("46", "215.48"), ("692.45", "21.55")]
    assert [text.text for text in root.iter(f"{SVG}text")].count("not measured") == 1
    # The days of 11 to 30 March: 10 x (10 + ... + 29) = 3,900, a bar each.
    assert len([bar for bar in bars(render_daily_chart(days)) if bar[0] == "chart-bar"]) == 20
    assert root.findtext(f"{SVG}desc") == (
        "31 days from 2026-03-01 to 2026-03-31, 11 of them not measured, 3,900 in all, most on 2026-03-30 with 290."
    )


def test_a_chart_of_days_that_nobody_measured_says_so() -> None:
    root = etree.fromstring(render_daily_chart([(day, None) for day, _ in DAYS]).encode())
    assert root.findtext(f"{SVG}desc") == "31 days from 2026-03-01 to 2026-03-31, none of them measured."


def test_a_chart_of_nothing_is_a_chart() -> None:
    assert bars(render_daily_chart([])) == []
    assert bars(render_waterfall_chart([])) == []


def test_a_chart_takes_its_colours_from_its_style() -> None:
    assert 'fill="#123456"' in render_daily_chart(DAYS, ChartStyle(bar="#123456"))


def test_a_marks_number_stands_above_its_line_and_every_bar_and_keeps_from_the_next() -> None:
    marks = [DAYS[2][0], DAYS[2][0], DAYS[3][0], DAYS[30][0]]
    root = etree.fromstring(render_daily_chart(DAYS, marks=marks).encode())
    lines = [element for element in root.iter(f"{SVG}path") if element.get("class") == "chart-mark"]
    assert [line.findtext(f"{SVG}title") for line in lines] == [
        "2026-03-03: notes 1, 2",
        "2026-03-04: note 3",
        "2026-03-31: note 4",
    ]
    # 21.55 px a day: beside "1+", 9.9 px to either side of its middle, "3" has room with 6.6; the last is alone.
    numbers = {
        text.text: float(text.get("y") or 0) for text in root.iter(f"{SVG}text") if text.text in {"1+", "3", "4"}
    }
    tops = [float((line.get("d") or "").split()[1].split("V")[0]) for line in lines]
    highest = min(float(bar.get("y") or 0) for bar in root.iter(f"{SVG}rect"))
    assert (len(numbers), tops) == (3, [23.0] * 3)
    assert all(y < 23 <= highest for y in numbers.values())
    close = render_daily_chart(DAYS, ChartStyle(width=300), marks=marks)
    assert [text.text for text in etree.fromstring(close.encode()).iter(f"{SVG}text")][-2:] == ["1+", "4"]


def test_many_marks_are_ticks_above_the_bars_and_no_lines_through_them() -> None:
    marks = [day for day, _ in DAYS[:21]]
    for count, length in ((20, 175), (21, 6)):  # 220 - 23 above - 22 below
        paths = re.findall(r'class="chart-mark" d="M\S+ 23V(\d+)"', render_daily_chart(DAYS, marks=marks[:count]))
        assert {int(foot) - 23 for foot in paths} == {length}
        assert len(paths) == count
