"""The evidence on which requests were dropped for their behaviour."""

from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Final
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline.base.period import Period
from castline.model.evidence import Evidence
from castline.store.rows import load_all, save, save_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("evidence")


def replace_evidence(
    connection: Connection, owner_id: UUID, run_id: UUID, days: Sequence[date], rows: Sequence[Evidence]
) -> None:
    """Of the UTC days this is the evidence, and no other."""
    save(connection, _SQL["delete_evidence"], {"tenant": owner_id, "days": list(days)})
    facts = (
        {
            "tenant": owner_id,
            "run_id": run_id,
            "day_on": row.day_on,
            "reason": row.reason,
            "network": row.network,
            "asn": row.asn,
            "user_agent": row.user_agent,
            "address_count": row.address_count,
            "request_count": row.request_count,
            "download_count": row.download_count,
            "measured": Jsonb(dict(row.measured)),
            "limits": Jsonb(dict(row.limits)),
        }
        for row in rows
    )
    save_all(connection, _SQL["save_evidence"], facts)


def load_evidence(connection: Connection, owner_id: UUID, period: Period | None = None) -> list[Evidence]:
    """The evidence of the period's UTC days, or of all, the newest day first and then the most downloads."""
    facts = {
        "tenant": owner_id,
        "first_on": None if period is None else period.start_at.astimezone(UTC).date(),
        "last_on": None if period is None else (period.end_at.astimezone(UTC) - timedelta(microseconds=1)).date(),
    }
    return load_all(connection, Evidence, _SQL["load_evidence"], facts)
