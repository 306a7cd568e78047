"""Charts as SVG text, the same in page, PDF and mail.

No script, no style attribute and no identifier: colours are presentation attributes, so that a strict content policy
lets them pass and a page's style sheet overrides them by class. Equal values give equal bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from castline.base.text import count_noun

_STEPS: Final = (1, 2, 3, 4, 5, 6, 8, 10)  # the heights a reader adds up without effort


@dataclass(frozen=True, slots=True)
class ChartStyle:
    """Size in pixels and colours; `family` is the text's font."""

    width: int = 720
    height: int = 220
    bar: str = "#0b6e6e"
    loss: str = "#c2571a"
    total: str = "#1b2a3a"
    grid: str = "#dfe5ea"
    gap: str = "#eef1f4"
    text: str = "#5b6875"
    family: str = "Noto Sans"
    font_size: int = 11


@dataclass(frozen=True, slots=True)
class ChartStep:
    """One bar of a waterfall: it adds `amount` to what stands before it, or, as a total, stands on the ground."""

    label: str
    amount: Decimal
    shown: str
    is_total: bool = False


_PLAIN: Final = ChartStyle()
_LABEL_WIDTH: Final = 64
_UNMEASURED: Final = "not measured"
_LETTER: Final = 0.6  # of the font's size: a letter with room beside it
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 6, 8, 22
_MARK_GAP: Final = 4  # below a mark's number
_MOST_LINES: Final = 20  # marked days; through more of them than that nobody sees the bars, so theirs are ticks
_TICK: Final = 6


def render_daily_chart(
    series: Sequence[tuple[date, int | None]],
    style: ChartStyle = _PLAIN,
    *,
    title: str = "Downloads by day",
    marks: Sequence[date] = (),
) -> str:
    """An SVG with one bar per day, its scale on the left and its dates below; unknown days are a gap that says so.

    Each day of `marks` bears its number there, the first one 1: a list beside the chart tells what they are.
    """
    top = find_ceiling(max((value for _, value in series if value is not None), default=0))
    numbers = _number_marks(series, marks)
    # The numbers of marks stand above the plot, where neither a bar nor their line crosses them.
    head = _TOP + (style.font_size + _MARK_GAP if numbers else 0)
    width, height = style.width - _LEFT - _RIGHT, style.height - head - _BOTTOM
    slot = width / max(len(series), 1)
    parts = [*_gaps(series, slot, head, style), _grid(top, head, style)]
    gap = min(slot * 0.22, 6)
    for index, (day, value) in enumerate(series):
        if value is None:
            continue
        bar = height * value / top
        x, y = _LEFT + index * slot + gap / 2, head + height - bar
        parts.append(
            f'<rect class="chart-bar" x="{_px(x)}" y="{_px(y)}" width="{_px(slot - gap)}" height="{_px(bar)}"'
            f' fill="{style.bar}"><title>{day:%Y-%m-%d}: {value:,}</title></rect>'
        )
    parts.extend(
        _text(_LEFT + (index + 0.5) * slot, style.height - 6, _short_day(series[index][0]), style)
        for index in _label_places(len(series), width)
    )
    parts.extend(_marks(numbers, slot, head, style))
    return _svg(parts, style, title, _describe_days(series))


def render_waterfall_chart(steps: Sequence[ChartStep], style: ChartStyle = _PLAIN, *, title: str = "Waterfall") -> str:
    """An SVG with one bar per step, each beginning where the one before ends, amounts above and labels below."""
    spans = _spans(steps)
    low = min((min(span) for span in spans), default=Decimal(0))
    high = max((max(span) for span in spans), default=Decimal(0))
    reach = (high - low) or Decimal(1)
    head, foot = 24, 24
    height = style.height - head - foot
    slot = style.width / max(len(steps), 1)

    def place(value: Decimal) -> float:
        return head + height * float((high - value) / reach)

    ground = _px(place(Decimal(0)))
    parts = [f'<path class="chart-grid" d="M0 {ground}H{style.width}" stroke="{style.grid}" fill="none"/>']
    for index, (step, (start, end)) in enumerate(zip(steps, spans, strict=True)):
        top, bottom = place(max(start, end)), place(min(start, end))
        x, wide = index * slot + slot * 0.18, slot * 0.64
        kind, colour = _kind(step, style)
        parts.append(
            f'<rect class="chart-{kind}" x="{_px(x)}" y="{_px(top)}" width="{_px(wide)}"'
            f' height="{_px(max(bottom - top, 1))}" fill="{colour}"><title>'
            f"{escape(step.label)}: {escape(step.shown)}</title></rect>"
        )
        if index + 1 < len(steps):
            joint = _px(place(end))
            parts.append(
                f'<path class="chart-joint" d="M{_px(x + wide)} {joint}H{_px(x + slot)}" stroke="{style.text}"'
                ' stroke-dasharray="2 3" fill="none"/>'
            )
        middle = (index + 0.5) * slot
        parts.append(_text(middle, top - 8, step.shown, style, strong=True))
        parts.append(_text(middle, style.height - 6, step.label, style))
    return _svg(parts, style, title, "; ".join(f"{step.label} {step.shown}" for step in steps))


def find_ceiling(highest: int) -> int:
    """The end of a scale of four equal, round steps that holds the highest value; 4 for nothing."""
    step = -(-max(highest, 1) // 4)
    size = int("1" + "0" * (len(str(step)) - 1))
    return 4 * next(size * factor for factor in _STEPS if size * factor >= step)


def _kind(step: ChartStep, style: ChartStyle) -> tuple[str, str]:
    if step.is_total:
        return "total", style.total
    return ("bar", style.bar) if step.amount >= 0 else ("loss", style.loss)


def _spans(steps: Sequence[ChartStep]) -> list[tuple[Decimal, Decimal]]:
    spans, level = [], Decimal(0)
    for step in steps:
        start, level = (Decimal(0), step.amount) if step.is_total else (level, level + step.amount)
        spans.append((start, level))
    return spans


def _gaps(series: Sequence[tuple[date, int | None]], slot: float, head: float, style: ChartStyle) -> Iterator[str]:
    """A pale field over each run of days that nobody measured, with words where they fit."""
    height = style.height - head - _BOTTOM
    for known, run in groupby(enumerate(series), key=lambda item: item[1][1] is not None):
        if known:
            continue
        days = list(run)
        x, wide = _LEFT + days[0][0] * slot, len(days) * slot
        first, last = days[0][1][0], days[-1][1][0]
        yield (
            f'<rect class="chart-gap" x="{_px(x)}" y="{_px(head)}" width="{_px(wide)}" height="{_px(height)}"'
            f' fill="{style.gap}"><title>{first:%Y-%m-%d} to {last:%Y-%m-%d}: {_UNMEASURED}</title></rect>'
        )
        if wide >= len(_UNMEASURED) * style.font_size * _LETTER:
            yield _text(x + wide / 2, head + height * 0.4, _UNMEASURED, style)  # between two lines of the grid


def _number_marks(
    series: Sequence[tuple[date, int | None]], marks: Sequence[date]
) -> dict[tuple[int, date], list[int]]:
    """The numbers of each marked day, by its place among the days; the first mark is number 1."""
    places = {day: place for place, (day, _) in enumerate(series)}
    numbers: dict[tuple[int, date], list[int]] = {}
    for number, day in enumerate(marks, start=1):
        if day in places:
            numbers.setdefault((places[day], day), []).append(number)
    return numbers


def _marks(numbers: dict[tuple[int, date], list[int]], slot: float, head: float, style: ChartStyle) -> Iterator[str]:
    """A dashed line at each marked day, and above it, where there is room, its first number and whether more follow."""
    free_from = 0.0
    foot = style.height - _BOTTOM if len(numbers) <= _MOST_LINES else head + _TICK
    for (place, day), found in sorted(numbers.items()):
        x = _LEFT + (place + 0.5) * slot
        told = f"{day:%Y-%m-%d}: note{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"
        yield (
            f'<path class="chart-mark" d="M{_px(x)} {_px(head)}V{_px(foot)}" stroke="{style.text}"'
            f' stroke-dasharray="2 3" fill="none"><title>{told}</title></path>'
        )
        words = f"{found[0]}{'+' if len(found) > 1 else ''}"
        reach = (len(words) + 1) * style.font_size * _LETTER / 2
        if x - reach >= free_from:
            yield _text(x, head - _MARK_GAP, words, style)
            free_from = x + reach


def _grid(top: int, head: float, style: ChartStyle) -> str:
    height = style.height - head - _BOTTOM
    parts = []
    for quarter in range(5):
        y = head + height * (4 - quarter) / 4
        parts.append(
            f'<path class="chart-grid" d="M{_LEFT} {_px(y)}H{style.width - _RIGHT}" stroke="{style.grid}" fill="none"/>'
        )
        parts.append(_text(_LEFT - 8, y + style.font_size * 0.35, _short(top * quarter // 4), style, anchor="end"))
    return "".join(parts)


def _label_places(count: int, width: float) -> range:
    """Which days bear their date, evenly and so that none touches the next."""
    if not count:
        return range(0)
    step = max(1, -(-count * _LABEL_WIDTH // int(width)))
    # The last one keeps away from the edge, unless there is one bar alone.
    room = int(count - _LABEL_WIDTH / 3 / (width / count))
    return range(0, max(room, 1), step)


def _short(value: int) -> str:
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.1f}".removesuffix(".0") + letter
    return str(value)


def _short_day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _describe_days(series: Sequence[tuple[date, int | None]]) -> str:
    if not series:
        return "No days."
    span = f"{count_noun(len(series), 'day')} from {series[0][0]:%Y-%m-%d} to {series[-1][0]:%Y-%m-%d}"
    known = [(day, value) for day, value in series if value is not None]
    if not known:
        return f"{span}, none of them measured."
    unknown = f", {len(series) - len(known)} of them not measured" if len(known) < len(series) else ""
    peak_on, peak = max(known, key=lambda item: (item[1], -item[0].toordinal()))
    total = sum(value for _, value in known)
    return f"{span}{unknown}, {total:,} in all, most on {peak_on:%Y-%m-%d} with {peak:,}."


def _text(  # noqa: PLR0913  # a label is a place, words and their look
    x: float, y: float, words: str, style: ChartStyle, *, anchor: str = "middle", strong: bool = False
) -> str:
    weight, fill = (' font-weight="bold"', style.total) if strong else ("", style.text)
    return (
        f'<text class="chart-{"value" if strong else "label"}" x="{_px(x)}" y="{_px(y)}" text-anchor="{anchor}"'
        f' font-size="{style.font_size}" fill="{fill}"{weight}>{escape(words)}</text>'
    )


def _svg(parts: Sequence[str], style: ChartStyle, title: str, description: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" aria-label={quoteattr(title)}'
        f' viewBox="0 0 {style.width} {style.height}" width="{style.width}" height="{style.height}"'
        f" font-family={quoteattr(style.family)}><title>{escape(title)}</title><desc>{escape(description)}</desc>"
        f"{''.join(parts)}</svg>"
    )


def _px(value: float) -> str:
    """A coordinate to a hundredth of a pixel, without idle zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
