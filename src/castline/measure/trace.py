"""Downloads followed back to the lines they came from: every request of their window, by batch and line."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import groupby
from typing import Any
from uuid import UUID

import polars as pl

from castline.measure.days import Sources, judge_days
from castline.measure.judge import OUTCOMES, Judged
from castline.measure.rules.table import Rulebook
from castline.measure.rules.windows import order_by_window
from castline.model.lineage import Batch
from castline.store.landing.files import LANDED_SCHEMA
from castline.store.provenance.audit import SampledDownload


@dataclass(frozen=True, slots=True)
class TracedLine:
    """One request of a download's window; `row_hash` is the SHA-256 of the landed row in canonical JSON."""

    event_id: UUID
    batch_id: UUID
    source: str
    content_hash: str
    line_number: int
    time: datetime
    status: int | None
    range: str | None
    bytes_sent: int | None
    verdict: str
    reason: str
    row_hash: str


def trace_downloads(sources: Sources, book: Rulebook, samples: Iterable[SampledDownload]) -> list[TracedLine]:
    """The lines of each download that the book still finds, by download and in order of judging.

    A download of a day whose requests have passed their retention has none.
    """
    found: list[TracedLine] = []
    ordered = sorted(samples, key=lambda sample: (sample.timestamp, sample.event_id))
    for day, members in groupby(ordered, key=lambda sample: sample.timestamp.astimezone(UTC).date()):
        if not sources.landed.find_gone([day]):
            found += _trace_day(sources, book, day, list(members))
    return found


def find_untraced(samples: Iterable[SampledDownload], lines: Iterable[TracedLine]) -> list[SampledDownload]:
    """The downloads of which no line was found."""
    traced = {line.event_id for line in lines}
    return [sample for sample in samples if sample.event_id not in traced]


def _trace_day(sources: Sources, book: Rulebook, day: date, samples: Sequence[SampledDownload]) -> Iterator[TracedLine]:
    judged, batches = judge_days(sources, [day], book)
    windows = _windows_of(judged, samples, book)
    days = windows["time"].dt.date().unique().to_list()
    landed = sources.landed.in_order(sources.landed.load(days))[0].join(
        windows, on=["batch", "line_number"], how="semi"
    )
    rows = {(row["batch"], row["line_number"]): row for row in landed.iter_rows(named=True)}
    for sample in samples:
        for batch, line_number, outcome in _lines_of(windows, sample):
            yield _traced(sample.event_id, batches[batch], rows[batch, line_number], outcome)


def _windows_of(judged: Judged, samples: Sequence[SampledDownload], book: Rulebook) -> pl.DataFrame:
    """The windows of the samples' listeners and episodes, in the order of judging."""
    passed = judged.requests.filter(pl.col("drop").is_null()).select(
        "batch", "line_number", "time", "listener_key", "agent", "episode", "outcome"
    )
    keys = {
        "listener_key": [sample.listener_key for sample in samples],
        "episode_id": [str(sample.episode_id) for sample in samples],
    }
    wanted = pl.DataFrame(keys, schema={"listener_key": pl.Binary, "episode_id": pl.String}).unique()
    named = passed.join(
        judged.episodes.select("episode", "episode_id"), on="episode", how="left", maintain_order="left"
    ).join(judged.agents.select("agent", "user_agent"), on="agent", how="left", maintain_order="left")
    chosen = named.join(wanted, on=["listener_key", "episode_id"], how="semi", maintain_order="left")
    return order_by_window(chosen, book.settings)


def _lines_of(windows: pl.DataFrame, sample: SampledDownload) -> Iterator[tuple[int, int, int]]:
    """(batch, line, outcome) of each request of the window that begins with the download."""
    head = (
        windows.group_by("window", maintain_order=True)
        .first()
        .filter(
            (pl.col("time") == sample.timestamp)
            & (pl.col("listener_key") == sample.listener_key)
            & (pl.col("user_agent") == sample.user_agent)
            & (pl.col("episode_id") == str(sample.episode_id))
        )
    )
    rows = windows.join(head, on="window", how="semi", maintain_order="left")
    yield from rows.select("batch", "line_number", "outcome").iter_rows()


def _traced(event_id: UUID, batch: Batch, row: dict[str, Any], outcome: int) -> TracedLine:
    verdict, reason = OUTCOMES[outcome]
    told = {name: row[name] for name in LANDED_SCHEMA}
    return TracedLine(
        event_id,
        batch.batch_id,
        batch.source,
        batch.content_hash.hex(),
        row["line_number"],
        row["time"],
        row["status"],
        row["range"],
        row["bytes_sent"],
        verdict,
        reason,
        sha256(json.dumps(told, default=_plain, separators=(",", ":")).encode()).hexdigest(),
    )


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else value.isoformat() if isinstance(value, datetime) else str(value)
