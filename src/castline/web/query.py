"""One value for what the dashboard's address asks: which days, by whose clocks, of what, compared with which."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.model.query import COMPARISONS, Comparison, Dimension, Filters, Grain, Measure, Query

RANGES: Final = {"7d": 7, "28d": 28, "90d": 90, "365d": 365}
DEFAULT_RANGE: Final = "28d"  # four whole weeks: every weekday counts as often as any other
DEFAULT_COMPARISON: Final[Comparison] = "previous"
_PARAMETERS: Final = (
    *("range", "from", "to", "show"),
    *("episode", "app", "country", "device", "campaign", "source"),
    *("tz", "compare"),
)
_TEXT_LENGTH: Final = 255  # as members of rollups are


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """The days from `first_on` to `last_on`, both included, as the clocks of `tz` have them, of one show or of all.

    `preset` names a quick range. `filters` hold everything but the show. Raises InvalidInput.
    """

    first_on: date
    last_on: date
    podcast_id: UUID | None = None
    preset: str = ""
    tz: str = "UTC"
    comparison: Comparison = DEFAULT_COMPARISON
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        self.ask()

    @property
    def day_count(self) -> int:
        return (self.last_on - self.first_on).days + 1

    @property
    def period(self) -> Period:
        return self.ask().period

    def on_days_of(self, query: Query) -> "MetricQuery":
        """The dashboard's query of another question's days and filters, compared with nothing."""
        return MetricQuery(query.first_on, query.last_on, self.podcast_id, "", self.tz, "none", query.filters)

    @property
    def podcast_ids(self) -> list[UUID] | None:
        return [self.podcast_id] if self.podcast_id else None

    def ask(
        self,
        *,
        measure: Measure = "downloads",
        dimensions: tuple[Dimension, ...] = (),
        grain: Grain = "none",
        comparison: Comparison = "none",
    ) -> Query:
        """The figure of these days and of what is let through, as one query."""
        shows = (self.podcast_id,) if self.podcast_id else ()
        filters = replace(self.filters, podcast_ids=shows)
        return Query(self.first_on, self.last_on, measure, dimensions, grain, self.tz, filters, comparison)

    def chosen(self) -> dict[str, str]:
        """The members that are let through, by their parameter's name; nothing for what is not filtered."""
        return {name: members[0] for name, members in self.filters.by_dimension().items()}

    def address(self, **changes: str) -> str:
        """The dashboard's address for this with some parameters changed; an empty one is left out."""
        days = {"range": self.preset} if self.preset else {"from": str(self.first_on), "to": str(self.last_on)}
        if changes.keys() & {"range", "from", "to"}:
            days = {}
        facts = days | {
            "show": str(self.podcast_id or ""),
            **self.chosen(),
            "tz": "" if self.tz == "UTC" else self.tz,
            "compare": "" if self.comparison == DEFAULT_COMPARISON else self.comparison,
        }
        facts |= changes
        given = {name: facts[name] for name in _PARAMETERS if facts.get(name)}
        return f"/?{urlencode(given)}" if given else "/"


def parse_query(parameters: Mapping[str, str], newest_on: date) -> MetricQuery:
    """What the parameters ask for; a range ends on `newest_on`.

    They are `range` or `from` and `to`, `show`, `episode`, `app`, `country`, `device`, `campaign`, `source`, `tz` and
    `compare`.
    Raises InvalidInput with the parameter's name.
    """
    days = parse_days(parameters, newest_on)
    compare = parameters.get("compare", DEFAULT_COMPARISON)
    if compare not in COMPARISONS:
        raise InvalidInput(field="compare", detail=f"{compare[:20]!r} is none of {', '.join(COMPARISONS)}")
    return MetricQuery(
        *days[:2],
        podcast_id=_parse_id(parameters, "show"),
        preset=days[2],
        tz=parameters.get("tz", "UTC"),
        comparison=compare,
        filters=_parse_filters(parameters),
    )


def parse_days(parameters: Mapping[str, str], newest_on: date) -> tuple[date, date, str]:
    """The first and the last day, and the name of the range where one is asked for. Raises InvalidInput."""
    first, last = parameters.get("from", ""), parameters.get("to", "")
    preset = parameters.get("range", "")
    if first or last:
        if preset:
            raise InvalidInput(field="range", detail="cannot stand beside from and to")
        last_on = _parse_day(last, "to") if last else newest_on
        first_on = _parse_day(first, "from") if first else last_on - timedelta(days=RANGES[DEFAULT_RANGE] - 1)
        return first_on, last_on, ""
    preset = preset or DEFAULT_RANGE
    if preset not in RANGES:
        raise InvalidInput(field="range", detail=f"{preset[:20]!r} is none of {', '.join(RANGES)}")
    return newest_on - timedelta(days=RANGES[preset] - 1), newest_on, preset


def _parse_filters(parameters: Mapping[str, str]) -> Filters:
    episode_id, campaign_id = _parse_id(parameters, "episode"), _parse_id(parameters, "campaign")
    country = _parse_text(parameters, "country")
    return Filters(
        episode_ids=(episode_id,) if episode_id else (),
        apps=_parse_text(parameters, "app"),
        countries=tuple(code if code == "unknown" else code.upper() for code in country),
        devices=_parse_text(parameters, "device"),
        campaign_ids=(campaign_id,) if campaign_id else (),
        sources=_parse_text(parameters, "source"),
    )


def _parse_text(parameters: Mapping[str, str], field: str) -> tuple[str, ...]:
    text = parameters.get(field, "")
    if len(text) > _TEXT_LENGTH or "\0" in text:
        raise InvalidInput(field=field, detail=f"has {len(text)} characters, up to {_TEXT_LENGTH} can be asked for")
    return (text,) if text else ()


def _parse_day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field=field, detail=f"{text[:20]!r} is no day, such as 2026-03-01") from None


def _parse_id(parameters: Mapping[str, str], field: str) -> UUID | None:
    text = parameters.get(field, "")
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        noun = "an episode" if field == "episode" else f"a {field}"
        raise InvalidInput(field=field, detail=f"{text[:40]!r} is no id of {noun}") from None
