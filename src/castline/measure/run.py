"""Days of landed requests become downloads, rollups and verdicts: whole days, replaced in one transaction."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.clock import now
from castline.base.period import Period
from castline.ingest.geo_tables import GEO_KINDS, load_geo_table
from castline.measure.ads import locate_ads
from castline.measure.airing import load_ads, name_heard_ads
from castline.measure.judge import OUTCOMES, Judged, judge
from castline.measure.matching import EpisodeIndex, find_unmatched
from castline.measure.rollup import DAILY_COLUMNS, EVENT_COLUMNS, HOURLY_COLUMNS, Rollup, compute_rollup, encode_rows
from castline.measure.rules import open_rulebook
from castline.model.lineage import Batch, DatasetUse
from castline.model.listening import VerdictCount
from castline.model.measurement import MeasureSettings
from castline.store.landing_files import decode_parts, find_incomplete_days, load_requests
from castline.store.ledger import OpenRun, open_run
from castline.store.listening import (
    LOG_KIND,
    VerdictRow,
    clear_dirty_days,
    copy_rows,
    delete_measured,
    load_dirty_days,
    load_log_batches,
    mark_dirty_days,
    save_verdicts,
)
from castline.store.pool import Store
from castline.store.retention import LANDING_KEPT
from castline.store.shows import load_audio_keys
from castline.store.statistics import analyse_fresh_tables
from castline.store.timeseries import ensure_partitions

# Days are measured together up to so many requests: about 1 GB at work, and one transaction for many quiet days.
_ROWS_AT_ONCE: Final = 1_500_000
_FIRST_DAY: Final = date(1970, 1, 1)
_VERDICTS: Final = pl.DataFrame(
    {
        "outcome": pl.Series(range(len(OUTCOMES)), dtype=pl.UInt8),
        "verdict": [verdict for verdict, _ in OUTCOMES],
        "reason": [reason for _, reason in OUTCOMES],
    }
)
Report = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """The days that were measured, and what became of their requests; the counts sum to `request_count`.

    `skipped_days` stay as they were measured: part of their requests has passed its retention.
    """

    days: tuple[date, ...]
    request_count: int
    download_count: int
    waterfall: tuple[VerdictCount, ...]
    run_ids: tuple[UUID, ...]
    skipped_days: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class UnmatchedUrl:
    """An address that was asked for and is no episode's."""

    host: str | None
    path: str
    request_count: int


def measure(
    store: Store, owner_id: UUID, *, period: Period | None = None, report: Report | None = None
) -> MeasureResult:
    """Every day whose requests changed is measured; with a period, each of its days that has requests, changed or not.

    Measuring the same requests again gives the same rows. `report` is told (requests done, requests in all).
    """
    sizes, skipped = _find_days(store, owner_id, period)
    total, done = sum(sizes.values()), 0
    waterfall: dict[tuple[str, str], int] = {}
    runs = []
    for days in _in_portions(sizes):
        run_id, counted = _measure_days(store, owner_id, days)
        runs.append(run_id)
        for verdict, reason, count in counted:
            key = (str(verdict), str(reason))
            waterfall[key] = waterfall.get(key, 0) + int(count)
        done += sum(sizes[day] for day in days)
        if report:
            report(done, total)
    if runs:
        analyse_fresh_tables(store)
    rows = [VerdictCount(verdict, reason, waterfall.get((verdict, reason), 0)) for verdict, reason in OUTCOMES]
    counted_rows = tuple(row for row in rows if row.request_count)
    downloads = sum(row.request_count for row in counted_rows if row.verdict == "counted")
    return MeasureResult(
        tuple(sorted(sizes)), sum(waterfall.values()), downloads, counted_rows, tuple(runs), tuple(sorted(skipped))
    )


def load_unmatched(
    store: Store, owner_id: UUID, period: Period | None = None, *, limit: int = 100
) -> list[UnmatchedUrl]:
    """The addresses of the period's requests (or of all) that are no episode's, the most asked first."""
    period = period or Period.of_days(_FIRST_DAY, now().date() + timedelta(days=1))
    with store.account(owner_id) as connection:
        batches = load_log_batches(connection, owner_id, period)
        index = EpisodeIndex(load_audio_keys(connection, owner_id))
    days = set(period.iter_days())
    sizes = _sizes(batches, days - _find_gone(store, owner_id, batches, days))
    counts: Counter[tuple[str | None, str]] = Counter()
    for portion in _in_portions(sizes):
        requests = load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, portion)
        counts.update({(host, path): count for host, path, count in find_unmatched(index, requests)})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1]))
    return [UnmatchedUrl(host, path, count) for (host, path), count in ranked[:limit]]


def _find_days(store: Store, owner_id: UUID, period: Period | None) -> tuple[dict[date, int], set[date]]:
    """The days to measure, in order, with their number of requests; and those that cannot be measured any more."""
    with store.ingest(owner_id) as connection:
        if period is None:
            days = {dirty.day_on for dirty in load_dirty_days(connection, owner_id)}
            if not days:
                return {}, set()
            batches = load_log_batches(connection, owner_id, Period.of_days(min(days), max(days)))
        else:
            days = set(period.iter_days())
            batches = load_log_batches(connection, owner_id, period)
            days &= {part.day_on for batch in batches for part in decode_parts(batch)}
        skipped = _find_gone(store, owner_id, batches, days)
        clear_dirty_days(connection, owner_id, sorted(skipped))
    return _sizes(batches, days - skipped), skipped


def _find_gone(store: Store, owner_id: UUID, batches: Sequence[Batch], days: set[date]) -> set[date]:
    """Old days whose landed requests retention has begun to delete: judged anew, they would lose what was counted."""
    kept_on = (now() - LANDING_KEPT).date()
    old = {day for day in days if day <= kept_on}
    return find_incomplete_days(store.settings.landing_dir, owner_id, LOG_KIND, batches, old)


def _sizes(batches: Iterable[Batch], days: set[date]) -> dict[date, int]:
    landed = Counter[date]()
    for batch in batches:
        for part in decode_parts(batch):
            landed[part.day_on] += part.row_count
    return {day: landed[day] for day in sorted(days)}


def _in_portions(sizes: dict[date, int]) -> Iterator[list[date]]:
    portion: list[date] = []
    rows = 0
    for day, count in sizes.items():
        if portion and rows + count > _ROWS_AT_ONCE:
            yield portion
            portion, rows = [], 0
        portion.append(day)
        rows += count
    if portion:
        yield portion


def _measure_days(store: Store, owner_id: UUID, days: list[date]) -> tuple[UUID, list[tuple[str, str, int]]]:
    with store.owner() as connection:
        for first, last in _spans(days):
            ensure_partitions(connection, first, last)
    parameters = {"days": [str(day) for day in days]}
    with open_run(store, owner_id, "measure.run", parameters=parameters) as run:
        # The rows of these days are ours until we commit: an import that comes meanwhile waits and marks them again.
        mark_dirty_days(run.connection, owner_id, days)
        batches = load_log_batches(run.connection, owner_id, Period.of_days(min(days), max(days)))
        requests = load_requests(store.settings.landing_dir, owner_id, LOG_KIND, batches, days)
        book = open_rulebook(store.settings, MeasureSettings())
        index = EpisodeIndex(load_audio_keys(run.connection, owner_id))
        ads = load_ads(run.connection, owner_id)
        judged = judge(requests, index, book, locate_ads(ads, index))
        run.rule_versions = dict(book.versions)
        rollup = compute_rollup(judged, owner_id, run.run_id)
        delete_measured(run.connection, owner_id, days)
        _copy(run, rollup)
        name_heard_ads(run.connection, owner_id, days, ads)
        counted = _save_verdicts(run, judged, batches)
        clear_dirty_days(run.connection, owner_id, days)
        _record(store, run, (requests, judged, rollup), batches)
        for verdict, reason, count in counted:
            run.count(f"{verdict}_{reason}", count)
    return run.run_id, counted


def _spans(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """The first and last day of each stretch of days without a gap: a stray day of 1970 makes no 3,000 partitions."""
    for _, stretch in groupby(enumerate(sorted(days)), key=lambda item: item[1].toordinal() - item[0]):
        members = [day for _, day in stretch]
        yield members[0], members[-1]


def _copy(run: OpenRun, rollup: Rollup) -> None:
    copy_rows(run.connection, "listener_events", EVENT_COLUMNS, rollup.events, form="text")
    copy_rows(run.connection, "hourly_metrics", HOURLY_COLUMNS, encode_rows(rollup.hourly), form="text")
    copy_rows(run.connection, "daily_metrics", DAILY_COLUMNS, encode_rows(rollup.daily), form="text")


def _save_verdicts(run: OpenRun, judged: Judged, batches: Sequence[Batch]) -> list[tuple[str, str, int]]:
    """One row per day, batch, episode and outcome is saved; returns (verdict, reason, requests)."""
    known = pl.when(pl.col("episode") >= 0).then(pl.col("episode"))
    ends = judged.requests.group_by("day_on", "batch", known.alias("episode"), "outcome").len("count")
    named = ends.join(judged.episodes.select("episode", "podcast_id", "episode_id"), on="episode", how="left").join(
        _VERDICTS, on="outcome"
    )
    rows = named.sort("day_on", "batch", "episode", "outcome").select(
        "day_on", "batch", "podcast_id", "episode_id", "verdict", "reason", "count"
    )
    save_verdicts(run.connection, run.owner_id, run.run_id, list(_verdict_rows(rows, batches)))
    return list(rows.group_by("verdict", "reason").agg(pl.col("count").sum()).iter_rows())


def _verdict_rows(rows: pl.DataFrame, batches: Sequence[Batch]) -> Iterator[VerdictRow]:
    for day_on, batch, podcast_id, episode_id, verdict, reason, count in rows.iter_rows():
        podcast = None if podcast_id is None else UUID(podcast_id)
        episode = None if episode_id is None else UUID(episode_id)
        yield VerdictRow(day_on, batches[batch].batch_id, podcast, episode, verdict, reason, count)


def _record(store: Store, run: OpenRun, made: tuple[pl.DataFrame, Judged, Rollup], batches: Iterable[Batch]) -> None:
    requests, judged, rollup = made
    sizes = dict(requests.group_by("batch").len().iter_rows())
    run.uses = [
        DatasetUse("input", "landing_requests", str(batch.batch_id), sizes[number], batch.content_hash)
        for number, batch in enumerate(batches)
        if number in sizes
    ]
    for dataset, row_count in (
        ("listener_events", rollup.event_count),
        ("hourly_metrics", rollup.hourly.height),
        ("daily_metrics", rollup.daily.height),
    ):
        run.uses.append(DatasetUse("output", dataset, "downloads", row_count))
    facts = {kind: load_geo_table(store.settings, kind).facts for kind in GEO_KINDS}
    run.rule_versions |= {f"geo_{kind}": str(fact.built_on or fact.version) for kind, fact in facts.items()}
    run.count("requests", requests.height)
    run.count("downloads", judged.downloads.height)
    run.count("ads", judged.deliveries.height)
    run.watermark_at = requests["time"].max()
