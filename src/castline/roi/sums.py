"""Orders without a refund added up all at once, exactly: in whole minor units. Method: docs/method/roi.md"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import numpy as np
import polars as pl

from castline.base.money import minor_unit
from castline.model.campaign import Campaign
from castline.model.vocab import AttributionMethod, AttributionTier
from castline.roi.rates import Rates
from castline.store.money.attribution import CREDIT_COLUMNS

_CREDIT: Final = 10_000_000_000  # numeric(12, 10): parts of a whole credit
_VALUE: Final = 10_000  # numeric(14, 4): parts of a unit of currency
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS: Final = frozenset({"campaign", "credit", "at", "value"})
_TYPES: Final = {name: pl.Int64 if name in _NUMBERS else pl.String for name in CREDIT_COLUMNS}


@dataclass(frozen=True, slots=True)
class OrderSum:
    """What a campaign's orders without a refund come to, of one tier, method and model version, in a span of time.

    `span` is how many of the moments asked for have passed. `orders` and `valued` are sums of credits, `valued` of
    those with an amount that could be converted; `gross_units` is in minor units of the campaign's currency.
    """

    campaign_id: UUID
    tier: AttributionTier
    method: AttributionMethod
    model_version: str
    span: int
    visit_count: int
    order_count: int
    orders: Decimal
    valued: Decimal
    gross_units: Decimal
    unconverted_count: int


def read_credits(content: bytes) -> pl.DataFrame:
    """The exported credits as a frame: one row per part of an order."""
    if not content:
        return pl.DataFrame(schema=_TYPES)
    return pl.read_csv(io.BytesIO(content), has_header=False, schema=_TYPES)


def add_up(
    credited: pl.DataFrame, campaigns: Sequence[Campaign], moments: Sequence[datetime], rates: Rates
) -> list[OrderSum]:
    """One sum per campaign, tier, method, model version and span between the moments, which are in order.

    An amount is split in its own currency by the credits, and each share is converted at the rate of its day.
    """
    if credited.is_empty() or not campaigns:
        return []
    shares = _convert(_share(_round(credited)), campaigns, rates)
    ends = np.array([_micros(moment) for moment in moments], dtype=np.int64)
    spans = np.searchsorted(ends, shares["at"].to_numpy(), side="right")
    is_order = pl.col("is_visit") == "f"
    sums = (
        shares.with_columns(span=pl.Series(spans, dtype=pl.Int64))
        .group_by("campaign", "tier", "method", "version", "span")
        .agg(
            visits=(~is_order).sum(),
            count=is_order.sum(),
            orders=pl.col("credit").filter(is_order).sum(),
            valued=pl.col("credit").filter(is_order & pl.col("gross").is_not_null()).sum(),
            gross=pl.col("gross").filter(is_order).sum(),
            unconverted=(is_order & pl.col("share").is_not_null() & pl.col("gross").is_null()).sum(),
        )
    )
    return [
        OrderSum(campaigns[place - 1].campaign_id, tier, method, version, span, visits, count,
                 Decimal(orders) / _CREDIT, Decimal(valued) / _CREDIT, Decimal(gross), unconverted)
        for place, tier, method, version, span, visits, count, orders, valued, gross, unconverted in sums.iter_rows()
    ]  # fmt: skip


def _round(credited: pl.DataFrame) -> pl.DataFrame:
    """With `units`: the amount in minor units of its own currency, half to even."""
    step = {code: _VALUE // _per_unit(code) for code in credited["currency"].drop_nulls().unique()}
    size = pl.col("currency").replace_strict(step, return_dtype=pl.Int64) if step else pl.lit(1, pl.Int64)
    whole, rest = pl.col("value") // size, pl.col("value") % size
    up = (rest * 2 > size) | ((rest * 2 == size) & (whole % 2 == 1))
    return credited.with_columns(units=whole + up.cast(pl.Int64))


def _share(rounded: pl.DataFrame) -> pl.DataFrame:
    """With `share`, of the campaigns asked for: leftover units go to the largest remainders, ties to the smaller id."""
    whole = rounded.filter((pl.col("credit") == _CREDIT) | pl.col("units").is_null()).with_columns(share="units")
    parts = rounded.filter((pl.col("credit") < _CREDIT) & pl.col("units").is_not_null())
    # units x credit outgrows 64 bits: it is taken apart at a million.
    high, low = pl.col("units") // 1_000_000 * pl.col("credit"), pl.col("units") % 1_000_000 * pl.col("credit")
    tail = high % 10_000 * 1_000_000 + low
    parts = (
        parts.with_columns(floor=high // 10_000 + tail // _CREDIT, rest=tail % _CREDIT)
        .sort(["conversion", "rest", "campaign_id"], descending=[False, True, False])
        .with_columns(
            left=pl.col("units") - pl.col("floor").sum().over("conversion"),
            rank=pl.int_range(pl.len()).over("conversion"),
        )
        .with_columns(share=pl.col("floor") + (pl.col("rank") < pl.col("left")).cast(pl.Int64))
    )
    return pl.concat([whole, parts.select(whole.columns)]).filter(pl.col("campaign").is_not_null())


def _convert(shares: pl.DataFrame, campaigns: Sequence[Campaign], rates: Rates) -> pl.DataFrame:
    """With `gross` in minor units of the campaign's currency; null where there is no amount or no rate."""
    wanted = {place: campaign.currency for place, campaign in enumerate(campaigns, start=1)}
    day = pl.col("at") // 86_400_000_000
    told = shares.with_columns(wanted=pl.col("campaign").replace_strict(wanted, return_dtype=pl.String), day=day)
    keys = ["share", "currency", "wanted", "day"]
    is_foreign = pl.col("share").is_not_null() & (pl.col("currency") != pl.col("wanted")) & (pl.col("is_visit") == "f")
    asked = told.filter(is_foreign).select(keys).unique()
    gross = [_convert_one(rates, *row) for row in asked.iter_rows()]
    known = asked.with_columns(converted=pl.Series(gross, dtype=pl.Int64))
    home = pl.when(pl.col("currency") == pl.col("wanted")).then("share").otherwise("converted")
    return told.join(known, on=keys, how="left").with_columns(gross=home)


def _convert_one(rates: Rates, share: int, currency: str, wanted: str, day: int) -> int | None:
    on = (_EPOCH + timedelta(days=day)).date()
    amount = rates.convert(share * minor_unit(currency), currency, wanted, on)
    return None if amount is None else int(amount / minor_unit(wanted))


def _per_unit(currency: str) -> int:
    return int(1 / minor_unit(currency))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
