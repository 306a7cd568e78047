"""Credits as they lie in the store, and the facts that they are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, cast
from uuid import UUID

from psycopg import Connection, sql

from castline.model.conversion import AttributionEvent
from castline.model.vocab import AttributionMethod, AttributionTier, ConversionType
from castline.store.rows import load_all, load_scalars, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("attribution")
Export = Literal["export_conversions", "export_listening", "export_credits"]
CREDIT_COLUMNS: Final = (
    *("campaign", "conversion", "campaign_id", "tier", "method", "version"),
    *("credit", "at", "is_visit", "value", "currency"),
)
_CHUNK_BYTES: Final = 1 << 20
_COLUMNS: Final = tuple(item.name for item in fields(AttributionEvent))


@dataclass(frozen=True, slots=True)
class OrderCredit:
    """A share of one conversion, with the conversion's own amount; None where it has none."""

    conversion_id: UUID
    campaign_id: UUID
    method: AttributionMethod
    tier: AttributionTier
    credit: Decimal
    occurred_at: datetime
    conversion_type: ConversionType
    amount: Decimal | None
    currency: str | None
    sponsor_id: UUID | None
    order_id: str | None
    model_version: str


@dataclass(frozen=True, slots=True)
class OrderRefund:
    """Money given back on an order; `amount` is signed."""

    refund_id: UUID
    sponsor_id: UUID | None
    order_id: str
    occurred_at: datetime
    amount: Decimal
    currency: str
    reason: str


def lock_attribution(connection: Connection, owner_id: UUID) -> None:
    """Nobody else attributes for the account until this transaction ends."""
    connection.execute(_SQL["lock_attribution"], {"tenant": owner_id})


def expect_many_rows(connection: Connection) -> None:
    """Queries of this transaction are planned for whole tables."""
    connection.execute(_SQL["expect_many_rows"])


def load_credit_weeks(connection: Connection, owner_id: UUID) -> list[date]:
    """The Mondays of the UTC weeks in which credit may fall."""
    found = load_scalars(connection, _SQL["load_credit_weeks"], {"tenant": owner_id})
    return [day for day in found if isinstance(day, date)]


def find_conversion_range(connection: Connection, owner_id: UUID) -> tuple[datetime, datetime] | None:
    """The times of the account's first and last conversion, None if there is none."""
    row = connection.execute(_SQL["find_conversion_range"], {"tenant": owner_id}).fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])


def export_rows(connection: Connection, name: Export, params: dict[str, object], target: Path) -> None:
    """The rows of the block are in the file, as CSV without a header; null is empty."""
    statement = f"copy ({_SQL[name]}) to stdout (format csv)"
    with connection.cursor() as cursor, cursor.copy(statement, params) as copy, target.open("wb") as file:
        for chunk in copy:
            file.write(chunk)


def delete_credits(connection: Connection, owner_id: UUID, rows: Sequence[tuple[UUID, datetime]]) -> int:
    """How many of the credits, known by id and time, were there and are gone."""
    if not rows:
        return 0
    facts = {
        "tenant": owner_id,
        "event_ids": [key for key, _ in rows],
        "first_at": min(at for _, at in rows),
        "last_at": max(at for _, at in rows),
    }
    return save(connection, _SQL["delete_credits"], facts)


def copy_credits(connection: Connection, source: Path) -> int:
    """How many credits of the file were written: CSV in the order of AttributionEvent's fields.

    Their partitions stand already; the transaction acts in the ingest role.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    statement = sql.SQL("copy attribution_events ({}) from stdin (format csv, null '\\N')").format(names)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy, source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                copy.write(chunk)
        return cursor.rowcount


def export_order_credits(
    connection: Connection, owner_id: UUID, campaign_ids: Sequence[UUID], as_of: datetime
) -> bytes:
    """Every part of each order before `as_of` that has no refund, as CSV of CREDIT_COLUMNS; null is empty.

    `campaign` is the place in `campaign_ids`, from 1, null for other campaigns' parts.
    """
    facts = {"tenant": owner_id, "campaign_ids": list(campaign_ids), "as_of": as_of}
    expect_many_rows(connection)
    row = connection.execute(_SQL["export_order_credits"], facts).fetchone()
    connection.execute(_SQL["expect_few_rows"])
    return str(row[0]).encode() if row and row[0] else b""


def load_order_credits(
    connection: Connection, owner_id: UUID, campaign_ids: Sequence[UUID], order_ids: Sequence[str], as_of: datetime
) -> list[OrderCredit]:
    """Every part of each conversion with one of the order numbers that a campaign has a part in, by conversion."""
    facts = {"tenant": owner_id, "campaign_ids": list(campaign_ids), "order_ids": list(order_ids), "as_of": as_of}
    return load_all(connection, OrderCredit, _SQL["load_order_credits"], facts)


def load_order_refunds(connection: Connection, owner_id: UUID, as_of: datetime) -> list[OrderRefund]:
    """Every refund before `as_of`, whatever it was of, oldest first."""
    return load_all(connection, OrderRefund, _SQL["load_order_refunds"], {"tenant": owner_id, "as_of": as_of})


def count_order_sponsors(connection: Connection, owner_id: UUID, order_ids: Sequence[str]) -> dict[str, int]:
    """How many sponsors have an order of each number; orders without a known sponsor are not counted."""
    facts = {"tenant": owner_id, "order_ids": list(order_ids)}
    rows = connection.execute(_SQL["count_order_sponsors"], facts).fetchall()
    return {str(order_id): cast(int, count) for order_id, count in rows}
