"""The world's orders, refunds and rates as CSV files: what a shop exports, and what a bank publishes."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from castline.demo.commerce import Order, Rate, Refund
from castline.demo.posts import conversion_keys
from castline.demo.world import World

_COLUMNS: Final = (
    "type",
    "order_id",
    "occurred_at",
    "amount",
    "currency",
    "sponsor",
    "promo_code",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "custom_tracking_id",
)
# What a shop's export gets wrong now and then: each is refused, and the rest goes on.
_BROKEN: Final = (
    {"type": "purchase", "order_id": "BAD-0001", "amount": "19.90", "currency": "XQZ"},
    {"type": "purchase", "order_id": "BAD-0002", "amount": "-5.00", "currency": "USD"},
    {"type": "purchase", "order_id": "BAD-0003", "amount": "12,5,0", "currency": "USD"},
)
BROKEN_COUNT: Final = len(_BROKEN) + 1


def write_conversions(world: World, path: Path) -> None:
    """The orders that travel by file, then the refunds, with a few broken rows among them."""
    rows = [_order_row(order) for order in world.orders if "csv" in order.told.routes]
    sponsor = world.plan.campaigns[0].sponsor
    broken = [row | {"sponsor": sponsor, "occurred_at": world.orders[0].at.isoformat()} for row in _BROKEN]
    broken.append(broken[0] | {"order_id": "BAD-0004", "currency": "USD", "occurred_at": "the day after tomorrow"})
    middle = len(rows) // 2
    rows[middle:middle] = broken
    _write(path, _COLUMNS, [*rows, *(_refund_row(refund) for refund in world.refunds)])


def write_rates(rates: Iterable[Rate], path: Path) -> None:
    """One row per day and pair."""
    columns = ("date", "base", "quote", "rate")
    rows = [dict(zip(columns, (str(rate.on), rate.base, rate.quote, str(rate.rate)), strict=True)) for rate in rates]
    _write(path, columns, rows)


def _order_row(order: Order) -> dict[str, str]:
    return {
        "type": "purchase",
        "order_id": order.order_id,
        "occurred_at": order.at.isoformat(),
        "amount": str(order.value),
        "currency": order.currency or "",
        "sponsor": order.sponsor,
    } | conversion_keys(order.told.keys)


def _refund_row(refund: Refund) -> dict[str, str]:
    return {
        "type": refund.reason,
        "order_id": refund.order.order_id,
        "occurred_at": refund.at.isoformat(),
        "amount": str(refund.amount),
        "currency": refund.order.currency or "",
        "sponsor": refund.order.sponsor,
    }


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
