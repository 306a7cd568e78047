"""Conversions, refunds and exchange rates as they lie in the store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline.model.conversion import ConversionInput, RefundInput
from castline.model.roi import ExchangeRate
from castline.store.rows import load_all, load_scalars, save, save_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("conversions")


@dataclass(frozen=True, slots=True)
class ToldRow:
    """What goes into the store of one conversion or refund beside its own fields."""

    row_id: UUID
    value: ConversionInput | RefundInput
    source_key: str
    body_hash: bytes
    sponsor_id: UUID | None = None
    campaign_id: UUID | None = None
    listener_key: bytes | None = None
    ip_address: str | None = None


@dataclass(frozen=True, slots=True)
class ListedConversion:
    """A conversion as it is listed; `credit` is the sum of its credits, 0 or 1."""

    conversion_id: UUID
    occurred_at: datetime
    conversion_type: str
    source: str
    order_id: str | None
    conversion_value: Decimal | None
    currency: str | None
    sponsor: str | None
    promo_code: str | None
    utm_campaign: str | None
    credit: Decimal


@dataclass(frozen=True, slots=True)
class Refusal:
    """A quarantined row with what is needed to read it again."""

    quarantine_id: UUID
    batch_id: UUID
    line_number: int
    payload: str
    kind: str
    source: str
    metadata: dict[str, Any]


_TOLD: Final = (
    "occurred_at",
    "conversion_type",
    "order_id",
    "product_id",
    "conversion_value",
    "currency",
    "promo_code",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "custom_tracking_id",
    "external_user_id",
    "session_id",
    "device_id",
    "email_hash",
    "user_agent",
    "referrer",
)


def lock_conversions(connection: Connection, owner_id: UUID) -> None:
    """Nobody else takes in conversions of the account until this transaction ends."""
    connection.execute(_SQL["lock_conversions"], {"tenant": owner_id})


def load_bodies(connection: Connection, owner_id: UUID, source: str, keys: Sequence[str]) -> dict[str, bytes]:
    """The hash of the body of each key that the source has told before."""
    facts = {"tenant": owner_id, "source": source, "source_keys": list(keys)}
    return {str(key): bytes(body) for key, body in connection.execute(_SQL["load_conversion_bodies"], facts)}


def save_told(connection: Connection, owner_id: UUID, source: str, batch_id: UUID, rows: Iterable[ToldRow]) -> None:
    """The conversions and refunds are in the store."""
    given = {"tenant": owner_id, "source": source, "batch_id": batch_id}
    conversions, refunds = [], []
    for row in rows:
        shared = given | {"source_key": row.source_key, "body_hash": row.body_hash, "sponsor_id": row.sponsor_id}
        if isinstance(row.value, RefundInput):
            refunds.append(shared | {"refund_id": row.row_id} | _refund_facts(row.value))
        else:
            conversions.append(shared | _conversion_facts(row, row.value))
    save_all(connection, _SQL["save_conversion"], conversions)
    save_all(connection, _SQL["save_refund"], refunds)


def _conversion_facts(row: ToldRow, value: ConversionInput) -> dict[str, object]:
    return {name: getattr(value, name) for name in _TOLD} | {
        "conversion_id": row.row_id,
        "campaign_id": row.campaign_id,
        "listener_key": row.listener_key,
        "ip_address": row.ip_address,
        "metadata": Jsonb(value.metadata),
    }


def _refund_facts(value: RefundInput) -> dict[str, object]:
    return {name: getattr(value, name) for name in ("order_id", "occurred_at", "amount", "currency", "reason")}


def load_conversions(connection: Connection, owner_id: UUID, *, row_limit: int = 100) -> list[ListedConversion]:
    """The account's newest conversions."""
    return load_all(
        connection, ListedConversion, _SQL["load_conversions"], {"tenant": owner_id, "row_limit": row_limit}
    )


def find_first_conversion(connection: Connection, owner_id: UUID) -> datetime | None:
    """When the first conversion happened that the account was told of; None where it was told of none."""
    [first_at] = load_scalars(connection, _SQL["find_first_conversion"], {"tenant": owner_id})
    return first_at if isinstance(first_at, datetime) else None


def load_refusals(
    connection: Connection, owner_id: UUID, kind: str, quarantine_ids: Sequence[UUID] | None = None
) -> list[Refusal]:
    """The refused rows of batches of a kind that wait, oldest first; only the given ones where some are given."""
    ids = None if quarantine_ids is None else list(quarantine_ids)
    return load_all(
        connection, Refusal, _SQL["load_refusals"], {"tenant": owner_id, "kind": kind, "quarantine_ids": ids}
    )


def save_refusal_reason(
    connection: Connection, owner_id: UUID, quarantine_id: UUID, *, reason: str, detail: str
) -> None:
    """The row still lies in quarantine, with the reason it has now."""
    facts = {"tenant": owner_id, "quarantine_id": quarantine_id, "reason": reason, "detail": detail[:1000]}
    save(connection, _SQL["save_refusal_reason"], facts)


def load_rates(
    connection: Connection, owner_id: UUID, *, first_on: date | None = None, end_on: date | None = None
) -> list[ExchangeRate]:
    """The account's rates, of the days [first_on, end_on) where these are given."""
    if first_on is None or end_on is None:
        return load_all(connection, ExchangeRate, _SQL["load_rates"], {"tenant": owner_id})
    facts = {"tenant": owner_id, "first_on": first_on, "end_on": end_on}
    return load_all(connection, ExchangeRate, _SQL["load_rates_between"], facts)


def save_rates(connection: Connection, rows: Iterable[Mapping[str, object]]) -> int:
    """How many of the rates were new."""
    return save_all(connection, _SQL["save_rate"], rows)
