"""What an audit of measurement looks at: sums by month, batches and runs behind them, and a few downloads."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from castline.base.period import Period
from castline.store.rows import load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("audit")


@dataclass(frozen=True, slots=True)
class MonthlyCount:
    """How many requests of a show (None: of none) ended so in a month."""

    month_on: date
    show: str | None
    verdict: str
    reason: str
    request_count: int


@dataclass(frozen=True, slots=True)
class AuditedBatch:
    """A batch: received = accepted + refused, and judged = accepted once all its days are measured."""

    batch_id: UUID
    kind: str
    source: str
    content_hash: str
    received_count: int
    accepted_count: int
    refused_count: int
    judged_count: int
    run_id: UUID


@dataclass(frozen=True, slots=True)
class AuditedRun:
    """A run of the ledger, with all that decided in it."""

    run_id: UUID
    job: str
    status: str
    code_version: str
    rule_versions: dict[str, Any]
    counts: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SampledDownload:
    """A download with what finds its requests again."""

    event_id: UUID
    timestamp: datetime
    show: str
    episode: str
    episode_id: UUID
    platform: str | None
    country_code: str | None
    user_agent: str | None
    listener_key: bytes | None
    run_id: UUID


def load_monthly_waterfall(connection: Connection, owner_id: UUID, period: Period) -> list[MonthlyCount]:
    """By month, show, verdict and reason."""
    return load_all(connection, MonthlyCount, _SQL["load_monthly_waterfall"], _days(owner_id, period))


def load_audited_batches(connection: Connection, owner_id: UUID, period: Period) -> list[AuditedBatch]:
    """The batches with requests of the period, by id."""
    return load_all(connection, AuditedBatch, _SQL["load_audited_batches"], _days(owner_id, period))


def load_audited_runs(connection: Connection, owner_id: UUID, period: Period) -> list[AuditedRun]:
    """The runs behind the period's figures, the oldest first."""
    return load_all(connection, AuditedRun, _SQL["load_audited_runs"], _days(owner_id, period))


def sample_downloads(connection: Connection, owner_id: UUID, period: Period, count: int) -> list[SampledDownload]:
    """Up to `count` downloads of the period, the same each time."""
    facts = {"tenant": owner_id, "start_at": period.start_at, "end_at": period.end_at, "row_limit": count}
    return load_all(connection, SampledDownload, _SQL["sample_downloads"], facts)


def _days(owner_id: UUID, period: Period) -> dict[str, object]:
    last_at = period.end_at.astimezone(UTC) - timedelta(microseconds=1)
    return {"tenant": owner_id, "first_on": period.start_at.astimezone(UTC).date(), "last_on": last_at.date()}
