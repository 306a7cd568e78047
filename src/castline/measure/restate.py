"""What measuring again changes on days that were final: each change is a logged restatement with its cause."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.clock import now
from castline.base.period import start_of_day
from castline.model.measurement import RestatedDay
from castline.model.vocab import RestatementCause
from castline.store.pool import Connection
from castline.store.provenance.measure_settings import DayVersion, load_day_versions
from castline.store.provenance.restatements import load_daily_downloads, load_day_batches

# A UTC day is final at 02:00 of the day after.
_FINAL_AFTER: Final = timedelta(days=1, hours=2)
# Which country a request came from decides nothing.
_UNDECIDING: Final = {"settings", "geo_country"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How days stand before they are measured again: by whom and from what, and their downloads by day and show."""

    versions: Mapping[date, DayVersion]
    batches: Mapping[date, Collection[UUID]]
    downloads: Mapping[tuple[date, UUID], int]


def final_at(day: date) -> datetime:
    """From when on the figures of a UTC day are final: a later change is a restatement."""
    return start_of_day(day) + _FINAL_AFTER


def load_standing(connection: Connection, owner_id: UUID, days: Sequence[date], *, is_beside: bool) -> Standing:
    """The days that are final and were measured before, as they stand; the others are not in it.

    `is_beside` tells days whose own requests are as before: what changes them came late on another day.
    """
    final = [day for day in days if final_at(day) <= now()]
    versions = {item.day_on: item for item in load_day_versions(connection, owner_id, days=final)}
    measured = sorted(versions)
    return Standing(
        versions,
        {} if is_beside else load_day_batches(connection, owner_id, measured),
        load_daily_downloads(connection, owner_id, measured),
    )


def compute_restatements(
    before: Standing, daily: pl.DataFrame, batches: Mapping[date, Collection[UUID]], versions: Mapping[str, str]
) -> list[RestatedDay]:
    """One row per day and show whose downloads differ, by day and show.

    `daily` are the new daily metrics, `batches` those whose requests were judged now, `versions` all that decided.
    """
    totals = daily.filter((pl.col("metric") == "downloads") & (pl.col("dimension") == "total"))
    after = {
        (day, UUID(podcast)): int(value)
        for day, podcast, value in totals.select("day_on", "podcast_id", "value").iter_rows()
        if day in before.versions
    }
    rows = []
    for day, podcast_id in sorted(after.keys() | before.downloads.keys()):
        counts = before.downloads.get((day, podcast_id), 0), after.get((day, podcast_id), 0)
        if counts[0] != counts[1]:
            stood = before.versions[day]
            had, has = set(before.batches.get(day, ())), set(batches.get(day, ()))
            cause = _find_cause(stood.rule_versions, versions, had, has)
            settings = stood.settings_version, str(versions.get("settings", ""))
            rows.append(RestatedDay(day, podcast_id, *counts, cause, *settings))
    return rows


def _find_cause(
    before: Mapping[str, object], after: Mapping[str, object], had: Collection[UUID], has: Collection[UUID]
) -> RestatementCause:
    """The strongest of what differs: a day may be late and under other settings at once."""
    if before.get("settings") != after.get("settings"):
        return "settings"
    if any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - _UNDECIDING):
        return "rules"
    if set(has) - set(had):
        return "late_data"
    return "withdrawn" if set(had) - set(has) else "feeds"
