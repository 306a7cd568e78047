"""Where every request went, as steps from received to counted."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from castline.model.vocab import Verdict
from castline.report.words import find_word
from castline.store.listening.downloads import load_refused, load_waterfall
from castline.store.pool import Connection
from castline.web.query import MetricQuery

_ORDER: Final[tuple[Verdict, ...]] = ("dropped", "partial", "duplicate", "counted")


@dataclass(frozen=True, slots=True)
class Step:
    """Requests that met one end for one reason; `start_rate` to `end_rate` is where they lie in the whole."""

    verdict: Verdict
    title: str
    reason: str
    request_count: int
    start_rate: float
    end_rate: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Requests received and what became of each: `received` is the sum of the steps.

    `refused` lines stand beside them: they are no requests, and whose logs reach into the days need not be of them.
    """

    received: int
    counted: int
    steps: tuple[Step, ...]
    refused: int = 0


def load_steps(connection: Connection, owner_id: UUID, query: MetricQuery) -> Waterfall:
    """The steps from received to counted over the days and the show of the query, in the order of the pipeline."""
    rows = load_waterfall(connection, owner_id, query.period, podcast_ids=query.podcast_ids)
    rows = sorted(rows, key=lambda row: (_ORDER.index(row.verdict), -row.request_count, row.reason))
    received = sum(row.request_count for row in rows)
    steps, left = [], received
    for row in rows:
        end = left
        left -= row.request_count
        title, reason = find_word("verdict", row.verdict), find_word("reason", row.reason)
        steps.append(Step(row.verdict, title, reason, row.request_count, left / received, end / received))
    counted = sum(row.request_count for row in rows if row.verdict == "counted")
    refused = sum(row.request_count for row in load_refused(connection, owner_id, query.period))
    return Waterfall(received, counted, tuple(steps), refused)
