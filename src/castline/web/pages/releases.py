"""Episodes from their release on: the newest ones beside each other, whatever day they came out."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import Final
from uuid import UUID

from castline.base.text import count_noun
from castline.measure.figures.pacing import HORIZONS, Pace, load_pacing
from castline.report.charts import find_ceiling
from castline.store.pool import Connection
from castline.web.query import MetricQuery

_LINES: Final = 6
_ROWS: Final = 20
_LONGEST: Final = 30  # days of the chart: later ones add little, and squeeze the first
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 260, 56, 26, 10
_GRID_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Release:
    """An episode: downloads since its release at the end of each of its days, and its first days beside the usual."""

    episode_id: UUID
    title: str
    publish_on: date
    by_day: tuple[int, ...]
    paces: tuple[Pace, ...]


@dataclass(frozen=True, slots=True)
class Releases:
    """The newest episodes, newest first; the first of them are the lines of the chart."""

    horizons: tuple[int, ...]
    rows: tuple[Release, ...]

    @property
    def lines(self) -> tuple[Release, ...]:
        return tuple(row for row in self.rows if len(row.by_day) > 1)[:_LINES]


def load_releases(connection: Connection, owner_id: UUID, query: MetricQuery, newest_on: date | None) -> Releases:
    """The episodes of the query's shows as known at the end of the newest measured day; filters do not touch them."""
    if newest_on is None:
        return Releases(HORIZONS, ())
    found = load_pacing(connection, owner_id, newest_on + timedelta(days=1), query.podcast_ids)
    wanted = [item for item in found if item.episode_id in query.filters.episode_ids or not query.filters.episode_ids]
    rows = [
        Release(item.episode_id, item.episode, item.publish_on, tuple(accumulate(item.by_age)), item.paces)
        for item in wanted[:_ROWS]
    ]
    return Releases(HORIZONS, tuple(rows))


def render_release_chart(releases: Releases) -> str:
    """An SVG of downloads since release by day of age; lines are told apart by class and by their number."""
    lines = releases.lines
    if not lines:
        return ""
    days = max(min(len(line.by_day), _LONGEST) for line in lines)
    top = find_ceiling(max(max(line.by_day[:_LONGEST]) for line in lines))
    parts = [*_render_grid(top, days)]
    for number, line in reversed(list(enumerate(lines, start=1))):
        points = [_point(day, count, days, top) for day, count in enumerate(line.by_day[:_LONGEST])]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        x, y = points[-1]
        parts.append(f'<polyline class="line line-{number}" points="{path}"/>')
        parts.append(f'<circle class="dot line-{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        parts.append(f'<text class="chart-label" x="{x + 7:.1f}" y="{y + 4:.1f}">{number}</text>')
    body = "".join(parts)
    shown = f"{count_noun(len(lines), 'episode')} over up to {count_noun(days, 'day')}"
    told = f"Downloads since release of {shown}; the table below has the figures"
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return f'<svg class="chart" role="img" aria-label="{told}" {size} font-size="12">{body}</svg>'


def _point(day: int, count: int, days: int, top: int) -> tuple[float, float]:
    width = _WIDTH - _LEFT - 24
    height = _HEIGHT - _TOP - _BOTTOM
    return _LEFT + width * day / max(days - 1, 1), _TOP + height * (1 - count / top)


def _render_grid(top: int, days: int) -> list[str]:
    parts = []
    for step in range(_GRID_LINES + 1):
        count = round(top * step / _GRID_LINES)
        _, y = _point(0, count, days, top)
        parts.append(f'<path class="chart-grid" d="M{_LEFT} {y:.1f}H{_WIDTH - 12}"/>')
        parts.append(f'<text class="chart-label" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count:,}</text>')
    for day in range(0, days, max(1, days // 8)):
        x, _ = _point(day, 0, days, top)
        anchor = "start" if day == 0 else "middle"
        parts.append(
            f'<text class="chart-label" x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">day {day + 1}</text>'
        )
    return parts
