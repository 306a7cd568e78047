"""The ledger's values: runs, batches, refused rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from castline.model.vocab import RunStatus


@dataclass(frozen=True, slots=True)
class Drop:
    """A refused row: where it stood, why it was refused, and what it was. It is counted and kept, never raised."""

    line_number: int
    reason: str
    detail: str
    payload: str


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of `batches`: one delivered file or body, known by its content's hash."""

    batch_id: UUID
    user_id: UUID
    run_id: UUID
    kind: str
    source: str
    content_hash: bytes
    landed_as: str | None
    received_count: int
    accepted_count: int
    refused_count: int
    first_at: datetime | None
    last_at: datetime | None
    created_at: datetime
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """What a run read or wrote: a data set, which part of it, how many rows, and their hash."""

    direction: Literal["input", "output"]
    dataset: str
    reference: str
    row_count: int
    content_hash: bytes | None = None
    range_start: datetime | None = None
    range_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `runs`."""

    run_id: UUID
    user_id: UUID
    job: str
    status: RunStatus
    code_version: str
    rule_versions: dict[str, Any]
    parameters: dict[str, Any]
    counts: dict[str, Any]
    watermark_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One row of `quarantine`."""

    quarantine_id: UUID
    user_id: UUID
    batch_id: UUID
    line_number: int
    reason: str
    detail: str
    payload: str
    created_at: datetime
    replayed_at: datetime | None
    replayed_by: UUID | None
