"""What readers of a campaign's days must know: how many were measured, what happened on them, how episodes began.

Method: docs/method/report.md#days-notes-and-beginnings
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Final

from msgspec import UnsetType

from castline.base.period import Period
from castline.measure.figures.pacing import EpisodePacing, Pace, load_pacing
from castline.measure.figures.query import run_query
from castline.model.campaign import Campaign
from castline.model.figures import Beginning, Column, DayDownloads, Figure, Missing, ReportFigures, Table, Trend, Value
from castline.model.query import Annotation, Filters, Query
from castline.model.show import Episode
from castline.report.definitions import name_metric
from castline.store.pool import Connection

FLIGHT: Final = "flight"
_WEEK: Final = 7
_RATE: Final = Decimal("0.0001")
_HORIZONS: Final = (7, 30)
_FEW: Final = Missing("fewer than three other episodes of the show are as old")
_NOT_COUNTED: Final = Missing("these days are not over, or not all of them were measured")
_NOTED: Final = frozenset({"platform", "settings", "rules", "gap", "release"})  # restatements stand in the provenance
_USUAL: Final = (
    "Downloads from the day of publication on, in whole UTC days, whether or not within the flight. The usual is the"
    " median of the show's other episodes at the same age."
)


def load_trend(
    connection: Connection, campaign: Campaign, flight: Period, episodes: tuple[Sequence[Episode], bool], as_of_on: date
) -> Trend:
    """The notes on the flight's days, and the beginnings of its episodes that were published by then, newest first.

    The episodes are those that the campaign names, or all of the show where it names none: then those of the flight.
    """
    chosen, are_named = episodes
    if not are_named:
        chosen = [item for item in chosen if flight.start_at <= item.publish_date < flight.end_at]
    days = list(flight.iter_days())
    filters = Filters((campaign.podcast_id,), tuple(item.episode_id for item in chosen) if are_named else ())
    notes = run_query(connection, campaign.user_id, Query(days[0], days[-1], grain="day", filters=filters)).annotations
    paced = load_pacing(connection, campaign.user_id, as_of_on, [campaign.podcast_id])
    wanted = {episode.episode_id for episode in chosen}
    begun = tuple(_begin(item) for item in paced if item.episode_id in wanted)
    return Trend(tuple(_choose_notes(notes, len(days))), begun)


def _choose_notes(notes: Iterable[Annotation], day_count: int) -> Iterator[Annotation]:
    """What explains a step in the days. Releases do where they are weekly or rarer, and not where each day has one."""
    chosen = [item for item in notes if item.kind in _NOTED]
    is_told = sum(item.kind == "release" for item in chosen) <= day_count // _WEEK + 1
    return (item for item in chosen if is_told or item.kind != "release")


def _begin(item: EpisodePacing) -> Beginning:
    first, second = (next(pace for pace in item.paces if pace.days == days) for days in _HORIZONS)
    return Beginning(item.episode, item.publish_on, first.downloads, _rate(first), second.downloads, _rate(second))


def _rate(pace: Pace) -> Decimal | None:
    return None if pace.pace_rate is None else Decimal(pace.pace_rate).quantize(_RATE)


def iter_measured(figures: ReportFigures) -> Iterator[Figure]:
    """Of how many days the figures of the flight are, in a report that knows its trend."""
    if not isinstance(figures.trend, UnsetType):
        measured = sum(day.downloads is not None for day in figures.daily)
        metric = name_metric("measured_days")
        yield Figure("measured_days", "Days measured", measured, "count", metric, FLIGHT)
        yield Figure("flight_days", "Days of the flight", len(figures.daily), "count", metric, FLIGHT)


def iter_trend_tables(figures: ReportFigures) -> Iterator[Table]:
    """How the episodes began, beside the show's others, and what happened on the days; none of what there is none."""
    if isinstance(figures.trend, UnsetType):
        return
    if any(item.rate_7 is not None for item in figures.trend.beginnings):
        yield _lay_out_beginnings(figures.trend.beginnings)
    if figures.trend.notes:
        yield _lay_out_notes(figures.trend.notes)


def _lay_out_beginnings(beginnings: Sequence[Beginning]) -> Table:
    first, pace = name_metric("first_days"), name_metric("pace_rate")
    return Table(
        "beginnings",
        "From release on, beside the show's other episodes",
        (
            Column("episode", "Episode", "text"),
            Column("publish_on", "Published", "date"),
            Column("first_days_7", "First 7 days", "count", first, "7 days"),
            Column("pace_rate_7", "Of the usual", "ratio", pace, "7 days"),
            Column("first_days_30", "First 30 days", "count", first, "30 days"),
            Column("pace_rate_30", "Of the usual", "ratio", pace, "30 days"),
        ),
        tuple(
            (
                item.episode,
                item.publish_on,
                *_pace(item.downloads_7, item.rate_7),
                *_pace(item.downloads_30, item.rate_30),
            )
            for item in beginnings
        ),
        _USUAL,
    )


def _pace(downloads: int | None, rate: Decimal | None) -> tuple[Value, Value]:
    if downloads is None:
        return _NOT_COUNTED, _NOT_COUNTED
    return downloads, _FEW if rate is None else rate


def _lay_out_notes(notes: Sequence[Annotation]) -> Table:
    return Table(
        "day_notes",
        "What happened on these days",
        (
            Column("title", "What", "text"),
            Column("number", "Note", "count"),
            Column("first_on", "From", "date"),
            Column("last_on", "To", "date"),
            Column("detail", "More", "text"),
        ),
        tuple(
            (item.title, number, item.first_on, item.last_on, f"{item.detail} {item.source}".strip())
            for number, item in enumerate(notes, 1)
        ),
    )


def list_marks(figures: ReportFigures) -> list[date]:
    """The day of each note, in the order of their numbers: what a chart of the days marks."""
    return [] if isinstance(figures.trend, UnsetType) else [item.first_on for item in figures.trend.notes]


def describe_measured(days: Sequence[DayDownloads]) -> str:
    """Of how many days the figures are, in words, and which nobody measured; empty if there are no days."""
    runs = [
        [day.day_on for day in run]
        for known, run in groupby(days, key=lambda day: day.downloads is not None)
        if not known
    ]
    if not days:
        return ""
    if not runs:
        return f"Measured on all {len(days):,} days." if len(days) > 1 else "Measured."
    spans = [f"{run[0]:%Y-%m-%d}" + (f" to {run[-1]:%Y-%m-%d}" if len(run) > 1 else "") for run in runs]
    known_count = len(days) - sum(map(len, runs))
    told = f"Measured on {known_count:,} of {len(days):,} days. " if known_count else ""
    return f"{told}Not measured: {', '.join(spans)}: unknown, and not zero."
