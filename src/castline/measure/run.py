"""Days of landed requests become downloads, rollups and verdicts: whole days, replaced in one transaction."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import polars as pl

from castline.base.clock import now
from castline.base.period import Period
from castline.ingest.geo_tables import GEO_KINDS, load_geo_table
from castline.ingest.places import listener_key_id
from castline.measure.behaviour.suspects import list_evidence
from castline.measure.days import Sources, judge_days
from castline.measure.judge import OUTCOMES, Judged
from castline.measure.landed_days import LandedDays, iter_stretches
from castline.measure.neighbours import find_affected_days, keep_days
from castline.measure.restate import compute_restatements, load_standing
from castline.measure.rows.consumer_sets import sketch_days
from castline.measure.rows.days import Before, Fresh, store_days
from castline.measure.rows.memory import Written, is_worth_remembering, list_remembered, recall, remember
from castline.measure.rows.rollup import Rollup
from castline.measure.rules.ads import Ad, locate_ads
from castline.measure.rules.airing import load_ads, name_heard_ads
from castline.measure.rules.matching import EpisodeIndex, find_unmatched, load_index
from castline.measure.rules.table import Rulebook, open_rulebook
from castline.model.lineage import Batch, DatasetUse
from castline.model.listening import VerdictCount
from castline.store.listening.columns import replace_columns
from castline.store.listening.downloads import (
    clear_dirty_days,
    delete_measured,
    load_dirty_days,
    mark_dirty_days,
    name_last_run,
)
from castline.store.listening.sketches import replace_sketches
from castline.store.pool import Store
from castline.store.provenance.evidence import replace_evidence
from castline.store.provenance.ledger import OpenRun, open_run
from castline.store.provenance.measure_settings import load_day_versions, load_live_settings, lock_measuring
from castline.store.provenance.restatements import save_restatements
from castline.store.statistics import analyse_fresh_tables
from castline.store.timeseries import (
    attach_partitions,
    begin_partitions,
    ensure_partitions,
)

_UNMATCHED_ADDRESSES: Final = 1_000_000  # about 300 MB
# Days are measured together up to so many requests: about 1 GB at work, and one transaction for many quiet days.
_ROWS_AT_ONCE: Final = 1_500_000
# Of these some are judged while others are written.
_ROWS_IN_PIECE: Final = 300_000
# From so many requests on, a week without a partition is filled before its table has indexes.
_LARGE_WEEK: Final = 20_000
# The series whose new weeks are filled so, and the others.
_FILLED: Final = ("listener_events", "hourly_metrics")
_UNFILLED: Final = ("attribution_events", "daily_metrics")
_FIRST_DAY: Final = date(1970, 1, 1)
Report = Callable[[int, int], object]
# Requests by verdict and reason.
Ends: TypeAlias = Counter[tuple[str, str]]


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
    waterfall: Counter[tuple[str, str]] = Counter()
    runs = []
    for days in _in_portions(sizes, _ROWS_AT_ONCE):
        run_id, counted = _measure_days(store, owner_id, {day: sizes[day] for day in days})
        runs.append(run_id)
        waterfall.update(counted)
        done += sum(sizes[day] for day in days)
        if report:
            report(done, total)
    if runs:
        analyse_fresh_tables(store)
    rows = [VerdictCount(verdict, reason, waterfall[verdict, reason]) for verdict, reason in OUTCOMES]
    counted_rows = tuple(row for row in rows if row.request_count)
    downloads = sum(row.request_count for row in counted_rows if row.verdict == "counted")
    return MeasureResult(
        tuple(sorted(sizes)), sum(waterfall.values()), downloads, counted_rows, tuple(runs), tuple(sorted(skipped))
    )


def load_unmatched(
    store: Store, owner_id: UUID, period: Period | None = None, *, limit: int = 100
) -> list[UnmatchedUrl]:
    """The addresses of the period's requests (or of all) that are no episode's, the most asked first.

    Of more than a million of them, as a scan leaves them, the rarest are forgotten between portions.
    """
    period = period or Period.of_days(_FIRST_DAY, now().date() + timedelta(days=1))
    counts: Counter[tuple[str | None, str]] = Counter()
    with store.account(owner_id) as connection:
        index = load_index(connection, owner_id)
        landed = LandedDays(store, connection, owner_id)
        sizes = landed.count_requests(period.iter_days())
        gone = landed.find_gone(sizes)
        for portion in _in_portions({day: size for day, size in sizes.items() if day not in gone}, _ROWS_AT_ONCE):
            found = find_unmatched(index, landed.load(portion))
            counts.update({(host, path): count for host, path, count in found})
            if len(counts) > _UNMATCHED_ADDRESSES:
                counts = Counter(dict(counts.most_common(_UNMATCHED_ADDRESSES // 2)))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1]))
    return [UnmatchedUrl(host, path, count) for (host, path), count in ranked[:limit]]


def _find_days(store: Store, owner_id: UUID, period: Period | None) -> tuple[dict[date, int], set[date]]:
    """The days to measure, in order, with their number of requests; and those that cannot be measured any more."""
    with store.ingest(owner_id) as connection:
        landed = LandedDays(store, connection, owner_id)
        if period is None:
            dirty = [item.day_on for item in load_dirty_days(connection, owner_id)]
            sizes = dict.fromkeys(dirty, 0) | landed.count_requests(dirty)
        else:
            sizes = landed.count_requests(period.iter_days())
        skipped = landed.find_gone(sizes)
        clear_dirty_days(connection, owner_id, sorted(skipped))
    return {day: size for day, size in sorted(sizes.items()) if day not in skipped}, skipped


def _in_portions(sizes: Mapping[date, int], row_limit: int) -> Iterator[list[date]]:
    portion: list[date] = []
    rows = 0
    for day, count in sizes.items():
        if portion and rows + count > row_limit:
            yield portion
            portion, rows = [], 0
        portion.append(day)
        rows += count
    if portion:
        yield portion


def _measure_days(store: Store, owner_id: UUID, sizes: Mapping[date, int]) -> tuple[UUID, Ends]:
    """The days stand as judged, in one transaction; returns its run and what became of their requests."""
    days = list(sizes)
    large = _find_large_weeks(sizes)
    # Each in a transaction of its own, for it takes locks in the order of its own partitions alone.
    for first, last in iter_stretches(days):
        with store.owner() as connection:
            ensure_partitions(connection, first, last, tables=_UNFILLED)
    for first, last in iter_stretches(day for day in days if day not in large):
        with store.owner() as connection:
            ensure_partitions(connection, first, last)
    parameters = {"days": [str(day) for day in days]}
    with open_run(store, owner_id, "measure.run", parameters=parameters) as run:
        lock_measuring(run.connection, owner_id)
        # The rows of these days are ours until we commit: an import that comes meanwhile waits and marks them again.
        mark_dirty_days(run.connection, owner_id, days)
        fresh = begin_partitions(run.connection, _FILLED, large)
        work = _open_work(store, run, fresh)
        run.rule_versions = _versions(store, work.book)
        affected, counted = _replace_days(work, sizes)
        attach_partitions(run.connection, fresh.values())
        _replace_affected(replace(work, fresh={}), affected)
        clear_dirty_days(run.connection, owner_id, days)
        for (verdict, reason), count in counted.items():
            run.count(f"{verdict}_{reason}", count)
        run.uses += work.uses.values()
    remember(owner_id, run.run_id, work.written)
    return run.run_id, counted


@dataclass(frozen=True, slots=True)
class _Work:
    """What one run measures with."""

    run: OpenRun
    book: Rulebook
    index: EpisodeIndex
    ads: list[Ad]
    landed: LandedDays
    key_id: str
    fresh: Fresh
    uses: dict[tuple[str, str], DatasetUse] = field(default_factory=dict)
    written: dict[date, Written] = field(default_factory=dict)


def _open_work(store: Store, run: OpenRun, fresh: Fresh) -> _Work:
    connection, owner_id = run.connection, run.owner_id
    return _Work(
        run,
        open_rulebook(store.settings, load_live_settings(connection, owner_id)),
        load_index(connection, owner_id),
        load_ads(connection, owner_id),
        LandedDays(store, connection, owner_id),
        listener_key_id(store.settings, owner_id),
        fresh,
    )


def _versions(store: Store, book: Rulebook) -> dict[str, str]:
    facts = {kind: load_geo_table(store.settings, kind).facts for kind in GEO_KINDS}
    return book.versions | {f"geo_{kind}": str(fact.built_on or fact.version) for kind, fact in facts.items()}


def _judge_days(work: _Work, days: Sequence[date]) -> tuple[Judged, list[Batch]]:
    sources = Sources(work.run.connection, work.run.owner_id, work.landed, work.index)
    return judge_days(sources, days, work.book, locate_ads(work.ads, work.index))


def _find_large_weeks(sizes: Mapping[date, int]) -> set[date]:
    """The days in weeks of many requests."""
    rows = Counter[date]()
    for day, count in sizes.items():
        rows[day - timedelta(days=day.weekday())] += count
    return {day for day in sizes if rows[day - timedelta(days=day.weekday())] >= _LARGE_WEEK}


def _replace_days(work: _Work, sizes: Mapping[date, int]) -> tuple[set[date], Ends]:
    """What is stored of the days is what was judged; returns other days that this affects, and the requests' ends.

    Some days are judged while those before them are written. The writing has the connection then, so that judging must
    need none: where windows are UTC days it does not, once the files are known.
    """
    row_limit = _ROWS_IN_PIECE if work.book.settings.is_utc_day else sum(sizes.values())
    work.landed.count_requests(sizes)
    affected: set[date] = set()
    counted: Ends = Counter()
    writing: Future[Ends] | None = None
    with ThreadPoolExecutor(1, "write") as thread:
        for days in _in_portions(sizes, row_limit):
            judged, batches = _judge_days(work, days)
            if writing is not None:
                counted += writing.result()
            affected |= find_affected_days(judged, days, work.book.settings)
            writing = thread.submit(_replace, work, keep_days(judged, days), batches, days, is_beside=False)
            del judged
        if writing is not None:
            counted += writing.result()
    return affected, counted


def _replace_affected(work: _Work, affected: set[date]) -> None:
    """Days beside the measured ones, whose windows changed with theirs, are replaced too.

    Not those that wait to be measured anyway, those whose requests are going, and those that stand under settings of
    before: these stay as they were counted then. What lands on them meanwhile marks them for another run.
    """
    connection, owner_id = work.run.connection, work.run.owner_id
    waiting = {item.day_on for item in load_dirty_days(connection, owner_id)}
    stands = load_day_versions(connection, owner_id, days=sorted(affected - waiting - work.landed.find_gone(affected)))
    days = [item.day_on for item in stands if item.settings_version == work.book.settings.version]
    if not days:
        return
    for portion in _in_portions(work.landed.count_requests(days), _ROWS_AT_ONCE):
        judged, batches = _judge_days(work, portion)
        _replace(work, keep_days(judged, portion), batches, portion, is_beside=True)
    work.run.count("days_beside", len(days))


def _replace(work: _Work, judged: Judged, batches: Sequence[Batch], days: Sequence[date], *, is_beside: bool) -> Ends:
    """What is stored of the days is what was judged; returns what became of the requests."""
    run = work.run
    before = load_standing(run.connection, run.owner_id, days, is_beside=is_beside)
    written = _recall(work, days)
    delete_measured(run.connection, run.owner_id, [day for day in days if day not in written])
    # Before the downloads are there: it looks at every event of the days.
    name_heard_ads(run.connection, run.owner_id, days, work.ads)
    sizes = judged.requests.group_by("day_on").len().iter_rows()
    lasting = [day for day, size in sizes if is_worth_remembering(day, size)]
    stored = store_days(run, judged, batches, Before(work.fresh, written, lasting))
    for day in written:
        name_last_run(run.connection, run.owner_id, run.run_id, day)
    work.written.update(stored.written)
    replace_evidence(run.connection, run.owner_id, run.run_id, days, list_evidence(judged.evidence, days))
    replace_sketches(run.connection, run.owner_id, run.run_id, days, sketch_days(judged, run.owner_id, work.key_id))
    replace_columns(run.connection, run.owner_id, run.run_id, days, stored.columns)
    now_from = {
        day: {batches[number].batch_id for number in numbers}
        for day, numbers in judged.requests.group_by("day_on").agg(pl.col("batch").unique()).iter_rows()
    }
    restated = compute_restatements(before, stored.rollup.daily, now_from, run.rule_versions)
    run.count("restatements", save_restatements(run.connection, run.owner_id, run.run_id, restated))
    _record(work, judged, stored.rollup, batches)
    return Counter({(verdict, reason): count for verdict, reason, count in stored.ends.iter_rows()})


def _recall(work: _Work, days: Sequence[date]) -> dict[date, Written]:
    """What stands of those of the days that this process was the last to measure."""
    connection, owner_id = work.run.connection, work.run.owner_id
    remembered = list_remembered(owner_id, days)
    if not remembered:
        return {}
    stands = load_day_versions(connection, owner_id, days=remembered)
    return recall(owner_id, {item.day_on: item.run_id for item in stands})


def _record(work: _Work, judged: Judged, rollup: Rollup, batches: Sequence[Batch]) -> None:
    run, requests = work.run, judged.requests
    for number, size in sorted(requests.group_by("batch").len().iter_rows()):
        batch = batches[number]
        _add_use(work, DatasetUse("input", "landing_requests", str(batch.batch_id), size, batch.content_hash))
    for dataset, row_count in (
        ("listener_events", judged.downloads.height),
        ("hourly_metrics", rollup.hourly.height),
        ("daily_metrics", rollup.daily.height),
    ):
        _add_use(work, DatasetUse("output", dataset, "downloads", row_count))
    run.count("requests", requests.height)
    run.count("downloads", judged.downloads.height)
    run.count("ads", judged.deliveries.height)
    newest = requests["time"].max()
    run.watermark_at = max((at for at in (run.watermark_at, newest) if isinstance(at, datetime)), default=None)


def _add_use(work: _Work, use: DatasetUse) -> None:
    """The run used so many rows more."""
    key = use.dataset, use.reference
    known = work.uses.get(key)
    work.uses[key] = use if known is None else replace(use, row_count=known.row_count + use.row_count)
