"""The rows of `reports`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from castline.model.vocab import ReportFormat, ReportType


@dataclass(frozen=True, slots=True)
class Report:
    """One row of `reports`: one file in one format, with the hash of the figures that every format shares."""

    report_id: UUID
    user_id: UUID
    campaign_id: UUID
    template_id: str
    report_type: ReportType
    format: ReportFormat
    file_url: str | None
    file_size_bytes: int | None
    includes_roi: bool
    includes_attribution: bool
    includes_benchmarks: bool
    date_range_start: datetime | None
    date_range_end: datetime | None
    generated_at: datetime
    metadata: dict[str, Any]
    content_hash: bytes
    run_id: UUID
