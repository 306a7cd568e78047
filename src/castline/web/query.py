"""One value for what is asked, whether by the dashboard's address or by the API: which days, which show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.model.query import Dimension, Filters, Grain, Measure, Query

RANGES: Final = {"7d": 7, "28d": 28, "90d": 90, "365d": 365}
DEFAULT_RANGE: Final = "28d"  # four whole weeks: every weekday counts as often as any other
_LONGEST_DAYS: Final = 7 * 366  # daily metrics are kept for seven years


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """The UTC days from `first_on` to `last_on`, both included, of one show or of all; `preset` names a quick range."""

    first_on: date
    last_on: date
    podcast_id: UUID | None = None
    preset: str = ""

    def __post_init__(self) -> None:
        if self.last_on < self.first_on:
            raise InvalidInput(field="to", detail=f"{self.last_on} is before the first day {self.first_on}")
        if self.day_count > _LONGEST_DAYS:
            raise InvalidInput(field="from", detail=f"{self.day_count} days are too many, {_LONGEST_DAYS} are kept")

    @property
    def day_count(self) -> int:
        return (self.last_on - self.first_on).days + 1

    @property
    def period(self) -> Period:
        return Period.of_days(self.first_on, self.last_on)

    @property
    def previous(self) -> "MetricQuery":
        """As many days before."""
        before = self.first_on - timedelta(days=1)
        return MetricQuery(before - timedelta(days=self.day_count - 1), before, self.podcast_id)

    def ask(
        self, *, measure: Measure = "downloads", dimensions: tuple[Dimension, ...] = (), grain: Grain = "none"
    ) -> Query:
        """The figure of these days and shows, as one query."""
        filters = Filters(podcast_ids=(self.podcast_id,) if self.podcast_id else ())
        return Query(self.first_on, self.last_on, measure, dimensions, grain, filters=filters)

    @property
    def podcast_ids(self) -> list[UUID] | None:
        return [self.podcast_id] if self.podcast_id else None


def parse_query(parameters: Mapping[str, str], newest_on: date) -> MetricQuery:
    """What the parameters `range`, `from`, `to` and `show` ask for; a range ends on `newest_on`.

    Raises InvalidInput with the parameter's name.
    """
    show = _parse_show(parameters.get("show", ""))
    first, last = parameters.get("from", ""), parameters.get("to", "")
    preset = parameters.get("range", "")
    if first or last:
        if preset:
            raise InvalidInput(field="range", detail="cannot stand beside from and to")
        last_on = _parse_day(last, "to") if last else newest_on
        first_on = _parse_day(first, "from") if first else last_on - timedelta(days=RANGES[DEFAULT_RANGE] - 1)
        return MetricQuery(first_on, last_on, show)
    preset = preset or DEFAULT_RANGE
    if preset not in RANGES:
        raise InvalidInput(field="range", detail=f"{preset[:20]!r} is none of {', '.join(RANGES)}")
    return MetricQuery(newest_on - timedelta(days=RANGES[preset] - 1), newest_on, show, preset)


def _parse_day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field=field, detail=f"{text[:20]!r} is no day, such as 2026-03-01") from None
    if not date(1990, 1, 1) <= day <= date(2200, 1, 1):
        raise InvalidInput(field=field, detail=f"{day} is out of range")
    return day


def _parse_show(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(field="show", detail=f"{text[:40]!r} is no id of a show") from None
