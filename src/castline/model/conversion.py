"""What listeners did afterwards, and the credit given for it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.money import check_currency
from castline.model.check import check_aware, check_choice, check_length, check_range
from castline.model.vocab import AttributionMethod, AttributionTier, ConversionType, RefundReason


@dataclass(frozen=True, slots=True)
class ConversionInput:
    """A conversion as a source tells it, before it has an account: what CSV rows, API bodies and pixels become.

    `source_key` is the source's own id of this record; without one the order id serves, or a hash of the record.
    The sponsor and the campaign are named by id or name (`campaign`), or by id (`campaign_id`). An e-mail address is
    never kept: `email_hash` is SHA-256 of the trimmed, lower-case address.
    """

    occurred_at: datetime
    conversion_type: ConversionType = "purchase"
    source_key: str | None = None
    order_id: str | None = None
    product_id: str | None = None
    conversion_value: Decimal | None = None
    currency: str | None = None
    promo_code: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    campaign_id: UUID | None = None
    campaign: str | None = None
    sponsor: str | None = None
    custom_tracking_id: str | None = None
    external_user_id: str | None = None
    session_id: str | None = None
    device_id: str | None = None
    email_hash: bytes | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    referrer: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_aware(self.occurred_at, field="occurred_at")
        check_choice(self.conversion_type, ConversionType, field="conversion_type")
        for name in (
            "order_id",
            "product_id",
            "promo_code",
            "utm_source",
            "utm_medium",
            "utm_campaign",
            "custom_tracking_id",
            "external_user_id",
            "session_id",
            "device_id",
        ):
            check_length(getattr(self, name), 255, field=name)
        if self.conversion_value is not None:
            if self.conversion_value < 0:
                raise InvalidInput(
                    field="conversion_value", detail="must not be below zero; a refund is a row of its own"
                )
            if self.currency is None:
                raise InvalidInput(field="currency", detail="is needed beside a conversion_value")
        if self.currency is not None:
            object.__setattr__(self, "currency", check_currency(self.currency))
            if self.conversion_value is None:
                object.__setattr__(self, "currency", None)


@dataclass(frozen=True, slots=True)
class RefundInput:
    """Money given back on an order: `amount` is below zero, except for a reversal of an earlier chargeback."""

    order_id: str
    occurred_at: datetime
    amount: Decimal
    currency: str
    reason: RefundReason = "refund"
    source_key: str | None = None
    sponsor: str | None = None

    def __post_init__(self) -> None:
        check_aware(self.occurred_at, field="occurred_at")
        check_choice(self.reason, RefundReason, field="reason")
        object.__setattr__(self, "currency", check_currency(self.currency))
        if self.amount == 0 or (self.amount < 0) == (self.reason == "reversal"):
            raise InvalidInput(field="amount", detail=f"{self.amount} has the wrong sign for a {self.reason}")


@dataclass(frozen=True, slots=True)
class AttributionData:
    """`attribution_events.attribution_data`: which key matched, and its value."""

    promo_code: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    pixel_id: str | None = None
    referrer: str | None = None
    custom_tracking_id: str | None = None
    matched_key: str | None = None


@dataclass(frozen=True, slots=True)
class ConversionData:
    """`attribution_events.conversion_data`: the conversion as it was told."""

    conversion_type: ConversionType
    conversion_value: Decimal | None = None
    currency: str | None = None
    order_id: str | None = None
    product_id: str | None = None


@dataclass(frozen=True, slots=True)
class DemographicLift:
    """`attribution_events.demographic_lift`: `lift` is the absolute difference of the two rates."""

    age_group: str | None = None
    gender: str | None = None
    location: str | None = None
    device_type: str | None = None
    baseline_conversion_rate: Decimal | None = None
    campaign_conversion_rate: Decimal | None = None
    lift: Decimal | None = None

    def __post_init__(self) -> None:
        check_range(self.baseline_conversion_rate, 0, 1, field="demographic_lift.baseline_conversion_rate")
        check_range(self.campaign_conversion_rate, 0, 1, field="demographic_lift.campaign_conversion_rate")


@dataclass(frozen=True, slots=True)
class AttributionEvent:
    """One row of `attribution_events`: a share of one conversion, credited to one campaign."""

    event_id: UUID
    timestamp: datetime
    campaign_id: UUID
    podcast_id: UUID
    episode_id: UUID | None
    attribution_method: AttributionMethod
    attribution_data: AttributionData
    conversion_data: ConversionData
    listener_event_id: UUID | None
    user_id: str | None
    session_id: str | None
    device_id: str | None
    cross_device_match_id: UUID | None
    demographic_lift: DemographicLift | None
    metadata: dict[str, Any]
    conversion_id: UUID
    listener_key: bytes | None
    credit: Decimal
    tier: AttributionTier
    probability: Decimal | None
    model_version: str
    run_id: UUID
