"""What a campaign cost and brought. Money is in the campaign's currency, exact, to the minor unit."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.money import check_currency
from castline.base.period import Period
from castline.model.vocab import AttributionMethod, AttributionTier

_LARGEST_RATE: Final = Decimal(10**12)  # numeric(24, 12)
NO_CONVERSION: Final = "no conversion has come in"


@dataclass(frozen=True, slots=True)
class MethodFigures:
    """One attribution method's part of a campaign in one tier; orders are sums of credits, so fractions.

    `valued_orders` are those of the credited orders whose value is known: it was told, and a rate is on record.
    """

    method: AttributionMethod
    tier: AttributionTier
    credited_orders: Decimal
    valued_orders: Decimal
    gross_revenue: Decimal
    refunds: Decimal
    net_revenue: Decimal


@dataclass(frozen=True, slots=True)
class RoiFigures:
    """The headline counts the confirmed tier with equal credit (ruling 10d); the modeled tier stands beside it.

    `refunds` is zero or below. A rate is None where its denominator is zero: a ROI of zero cost is not infinite, it is
    not measurable. `unconverted_count` is the number of credited orders left out of the money for want of
    an exchange rate. `valued_orders` are those whose value is known: the average order is theirs alone.
    Without `has_conversions` none of the account was told of before `as_of`: orders and revenue are sums of nothing
    and not known, and so is every rate of them.
    """

    campaign_id: UUID
    period: Period
    as_of: datetime
    currency: str
    cost: Decimal
    spend: Decimal
    impressions: int
    credited_orders: Decimal
    valued_orders: Decimal
    gross_revenue: Decimal
    refunds: Decimal
    net_revenue: Decimal
    roi_rate: Decimal | None
    roas: Decimal | None
    cost_per_acquisition: Decimal | None
    cost_per_mille: Decimal | None
    average_order_value: Decimal | None
    break_even_orders: int | None
    modeled_orders: Decimal
    modeled_net_revenue: Decimal
    unconverted_count: int
    visit_count: int
    methods: tuple[MethodFigures, ...]
    model_version: str
    # Figures that were frozen before this was told stand as they are.
    has_conversions: bool = True


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """One row of `exchange_rates`: units of `quote` for one unit of `base`, as published for a day."""

    base: str
    quote: str
    rate_on: date
    rate: Decimal
    source: str = ""

    def __post_init__(self) -> None:
        check_currency(self.base, field="base")
        check_currency(self.quote, field="quote")
        if self.base == self.quote:
            raise InvalidInput(field="quote", detail=f"{self.quote} is the base itself")
        if not self.rate.is_finite() or not 0 < self.rate < _LARGEST_RATE:
            raise InvalidInput(field="rate", detail=f"{self.rate} is no rate")
