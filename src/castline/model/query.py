"""What is asked of the figures, as one value for page, API, report and export; and what is answered."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from castline.base.errors import InvalidInput
from castline.base.period import Period
from castline.model.measurement import Delivery, Stretch

AdMeasure = Literal["ads_delivered", "ads_missed", "ads_not_measurable"]
AdPlayMeasure = Literal["ad_plays", "ad_plays_25", "ad_plays_50", "ad_plays_75", "ad_completes", "ad_skips"]
PlayMeasure = Literal[AdPlayMeasure, "plays", "completed_plays"]
Measure = Literal["downloads", "consumers", AdMeasure, PlayMeasure]
Dimension = Literal["show", "episode", "app", "country", "device", "campaign", "placement", "source"]
# How a download was seen; what players told is of them.
Source = Literal[Delivery, "player"]
Grain = Literal["none", "hour", "day", "week", "month"]
Comparison = Literal["none", "previous", "weekdays", "year", "year_weekdays", "release_aligned"]
CountedFrom = Literal["daily_metrics", "hourly_metrics", "listener_events", "consumer_sketches", "nothing"]
Basis = Literal["exact", "sketch"]
WithheldReason = Literal[
    "raw_not_kept",
    "secret_changed",
    "hours_not_kept",
    "not_measured",
    "bytes_not_told",
    "days_off_the_hour",
    "several_releases",
    "no_release_before",
    "no_player_told",
]
AnnotationKind = Literal["platform", "settings", "rules", "restatement", "gap", "release"]

AD_MEASURES: Final[tuple[Measure, ...]] = get_args(AdMeasure)
AD_PLAY_MEASURES: Final[tuple[Measure, ...]] = get_args(AdPlayMeasure)
PLAY_MEASURES: Final[tuple[Measure, ...]] = get_args(PlayMeasure)
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)
DOWNLOAD_MEASURES: Final = tuple(measure for measure in MEASURES if measure not in PLAY_MEASURES)
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
SOURCES: Final[tuple[Source, ...]] = get_args(Source)
GRAINS: Final[tuple[Grain, ...]] = get_args(Grain)
COMPARISONS: Final[tuple[Comparison, ...]] = get_args(Comparison)
EARLIEST: Final = date(1990, 1, 1)
LATEST: Final = date(2200, 1, 1)
_LONGEST_DAYS: Final = 7 * 366  # daily metrics are kept for seven years
_LONGEST_HOURS: Final = 366  # hourly metrics are kept for one
_MOST_DIMENSIONS: Final = 2
_WEEK: Final = 7
_FEBRUARY, _LEAP_DAY = 2, 29


@dataclass(frozen=True, slots=True)
class Filters:
    """Only these; an empty tuple lets everything through. Members are as the rollups name them."""

    podcast_ids: tuple[UUID, ...] = ()
    episode_ids: tuple[UUID, ...] = ()
    apps: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    campaign_ids: tuple[UUID, ...] = ()
    sources: tuple[str, ...] = ()

    def by_dimension(self) -> dict[Dimension, tuple[str, ...]]:
        """The members that are let through, for each dimension that is filtered at all; shows stand apart."""
        members: dict[Dimension, tuple[str, ...]] = {
            "episode": tuple(map(str, self.episode_ids)),
            "app": self.apps,
            "country": self.countries,
            "device": self.devices,
            "campaign": tuple(map(str, self.campaign_ids)),
            "source": self.sources,
        }
        return {name: chosen for name, chosen in members.items() if chosen}


@dataclass(frozen=True, slots=True)
class Query:
    """A measure over the days `first_on` to `last_on`, both included, as the clocks of `tz` have them.

    Split by up to two dimensions and by hour, day, ISO week or calendar month of that zone. Raises InvalidInput.
    """

    first_on: date
    last_on: date
    measure: Measure = "downloads"
    dimensions: tuple[Dimension, ...] = ()
    grain: Grain = "none"
    tz: str = "UTC"
    filters: Filters = Filters()
    comparison: Comparison = "none"

    def __post_init__(self) -> None:
        for name, day in (("from", self.first_on), ("to", self.last_on)):
            if not EARLIEST <= day <= LATEST:
                raise InvalidInput(field=name, detail=f"{day} is out of range")
        if self.last_on < self.first_on:
            raise InvalidInput(field="to", detail=f"{self.last_on} is before the first day {self.first_on}")
        longest = _LONGEST_HOURS if self.grain == "hour" else _LONGEST_DAYS
        if self.day_count > longest:
            raise InvalidInput(field="from", detail=f"{self.day_count} days are too many, {longest} are kept")
        if len(set(self.dimensions)) != len(self.dimensions) or len(self.dimensions) > _MOST_DIMENSIONS:
            raise InvalidInput(field="dimension", detail="up to two different dimensions can be asked for at once")
        self._check_placement()
        self._check_campaign()
        self._check_source()
        parse_zone(self.tz)

    def _check_placement(self) -> None:
        """Placements are told of ads alone, and crossed with nothing: a download keeps only its ads' campaigns."""
        apart = {*self.dimensions, *self.filters.by_dimension()} <= {"show", "placement"}
        if "placement" in self.dimensions and not (self.measure in AD_MEASURES and apart):
            detail = "`placement` splits ads alone, and stands beside no other dimension or filter but the show"
            raise InvalidInput(field="dimension", detail=detail)

    def _check_campaign(self) -> None:
        """Of an episode's plays no campaign is known: its ads have plays of their own."""
        asked = {*self.dimensions, *self.filters.by_dimension()}
        if self.measure in PLAY_MEASURES and self.measure not in AD_PLAY_MEASURES and "campaign" in asked:
            raise InvalidInput(field="metric", detail=f"`{self.measure}` are of no campaign; ask for `ad_plays`")

    def _check_source(self) -> None:
        """A source of another name would let nothing through, which nobody could tell from a zero."""
        for name in self.filters.sources:
            if name not in SOURCES:
                raise InvalidInput(field="source", detail=f"{name[:20]!r} is none of {', '.join(SOURCES)}")

    @property
    def zone(self) -> ZoneInfo:
        return parse_zone(self.tz)

    @property
    def is_utc(self) -> bool:
        return self.tz in {"UTC", "Etc/UTC"}

    @property
    def day_count(self) -> int:
        return (self.last_on - self.first_on).days + 1

    @property
    def period(self) -> Period:
        """From the first day's midnight to the one after the last day: 23 or 25 hours where clocks change."""
        return Period(self.midnight(self.first_on), self.midnight(self.last_on + timedelta(days=1)))

    def midnight(self, day: date) -> datetime:
        """The moment at which the day begins in the query's zone."""
        return datetime.combine(day, time(), self.zone)

    def start_of(self, at: datetime) -> datetime | None:
        """The beginning of the hour, day, week or month of the zone's clocks that the moment lies in.

        Where clocks show an hour twice, a day begins with the first midnight; None where time is not split.
        """
        if self.grain == "none":
            return None
        local = at.astimezone(self.zone)
        if self.grain == "hour":
            past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
            return (at.astimezone(UTC) - past).astimezone(self.zone)
        return self.midnight(start_of_bucket(local.date(), self.grain))

    def iter_starts(self) -> Iterator[date]:
        """The first day of each day, week or month of the grain, in order; the first and last may be cut."""
        day = start_of_bucket(self.first_on, self.grain)
        while day <= self.last_on:
            yield day
            day = _next_start(day, self.grain)

    def on_days(self, first_on: date, last_on: date) -> "Query":
        """The same question of other days, compared with nothing."""
        return replace(self, first_on=first_on, last_on=last_on, comparison="none")

    def compared(self) -> "Query | None":
        """The same question of the days that this one is compared with, None where it is compared with none.

        `previous` are as many days just before; `weekdays` the nearest days before that fall on the same weekdays;
        `year` the same dates a year before (29 February becomes the 28th); `year_weekdays` the days 52 weeks before.
        None for `release_aligned`, too: only castline.measure.figures.compared knows the releases.
        """
        if self.comparison in {"none", "release_aligned"}:
            return None
        if self.comparison == "year":
            return self.on_days(_year_before(self.first_on), _year_before(self.last_on))
        back = {
            "previous": self.day_count,
            "weekdays": -(-self.day_count // _WEEK) * _WEEK,
            "year_weekdays": 52 * _WEEK,
        }
        shift = timedelta(days=back[self.comparison])
        return self.on_days(self.first_on - shift, self.last_on - shift)


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One figure: of what begins at `start_at` (None where time is not split), for one member of each dimension.

    `value` is None where nothing is known of that time; 0 says that it was measured and nothing was found.
    """

    start_at: datetime | None
    members: tuple[str, ...]
    value: int | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What happened from `first_on` to `last_on` that a trend shows; `source` is where a platform's change is told."""

    kind: AnnotationKind
    first_on: date
    last_on: date
    title: str
    detail: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Counting:
    """How and how freshly the figures were counted.

    `metric` names the catalogue's definition and its version, such as `downloads/1`; `rules` the version of the rules
    of the last counting. Days from `provisional_from` on may still change; outside of `first_on` to `last_on` nothing
    was measured. Of the `day_count` days asked for `measured_day_count` were: a sum is of these alone. Where `basis` is
    `sketch` figures are estimates, 19 of 20 within `error_rate` of the truth. `settings` are the versions of the
    settings that the days with figures were counted by: more than one where they changed.
    """

    metric: str
    counted_from: CountedFrom
    rules: str | None
    measured_at: datetime | None
    waiting_days: int
    first_on: date | None
    last_on: date | None
    provisional_from: date
    day_count: int
    measured_day_count: int
    basis: Basis = "exact"
    error_rate: float = 0.0
    settings: tuple[Stretch, ...] = ()

    @property
    def is_whole(self) -> bool:
        """True if every day of the query was measured."""
        return self.measured_day_count == self.day_count


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why there is no figure at all, though there may have been something to count.

    `detail` has the cause after `not measurable: `.
    """

    reason: WithheldReason
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The figures of a query, by time and then the most first; none of them where they are `withheld`.

    `not_measurable` of ads delivered: how many more were on the air of which nobody knows whether they were sent.
    `annotations` tell what happened on its days, where it is split by time.
    """

    query: Query
    rows: tuple[AnswerRow, ...]
    counting: Counting
    withheld: Withheld | None = None
    compared: "Answer | None" = None
    not_measurable: int = 0
    annotations: tuple[Annotation, ...] = ()

    @property
    def total(self) -> int | None:
        """The sum of downloads, or the one figure of a query without splits; None where none is known."""
        if self.query.measure == "consumers" and len(self.rows) != 1:
            return None
        values = [row.value for row in self.rows if row.value is not None]
        return sum(values) if values or (not self.withheld and self.query.dimensions) else None


def ask_days(
    period: Period, measure: Measure, dimensions: tuple[Dimension, ...], podcast_ids: Iterable[UUID] = ()
) -> list[Query]:
    """The measure by UTC day of the period; several queries where it has more days than one may ask for.

    Days outside of `EARLIEST` to `LATEST` are left out: nothing of them can be asked, whatever a flight or feed says.
    """
    shows = Filters(podcast_ids=tuple(podcast_ids))
    first_on = max(period.start_at.astimezone(UTC).date(), EARLIEST)
    end_on = min((period.end_at.astimezone(UTC) - timedelta(microseconds=1)).date(), LATEST)
    queries = []
    while first_on <= end_on:
        last_on = min(end_on, first_on + timedelta(days=_LONGEST_DAYS - 1))
        queries.append(Query(first_on, last_on, measure, dimensions, "day", filters=shows))
        first_on = last_on + timedelta(days=1)
    return queries


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises InvalidInput."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(field="tz", detail=f"{name[:60]!r} is no time zone such as Europe/Oslo") from error


def start_of_bucket(day: date, grain: Grain) -> date:
    """The first day of the ISO week or the calendar month of the day; the day itself for finer grains."""
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else day


def _next_start(day: date, grain: Grain) -> date:
    if grain == "month":
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=_WEEK if grain == "week" else 1)


def _year_before(day: date) -> date:
    if (day.month, day.day) == (_FEBRUARY, _LEAP_DAY):
        return date(day.year - 1, _FEBRUARY, _LEAP_DAY - 1)
    return day.replace(year=day.year - 1)
