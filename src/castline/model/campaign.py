"""What was sold: sponsors, campaigns, placements."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.money import Money, check_currency
from castline.base.period import Period
from castline.model.check import check_choice, check_flight, check_length, check_text, check_url, convert_json
from castline.model.vocab import CampaignStatus, PlacementKind, PlacementPosition, PrimaryMethod


@dataclass(frozen=True, slots=True)
class AttributionConfig:
    """`campaigns.attribution_config`: `method` is the primary one, and every key present is live at once (ruling 6).

    `pixel_url` is where the sponsor's pages load our pixel from, `conversion_endpoint` where a sponsor wants
    conversions forwarded.
    """

    method: PrimaryMethod = "promo_code"
    promo_code: str | None = None
    pixel_url: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    custom_tracking_id: str | None = None
    conversion_endpoint: str | None = None

    def __post_init__(self) -> None:
        check_choice(self.method, PrimaryMethod, field="attribution_config.method")
        check_url(self.pixel_url, field="attribution_config.pixel_url")
        check_url(self.conversion_endpoint, field="attribution_config.conversion_endpoint")
        for item in fields(self):
            check_length(
                getattr(self, item.name),
                4096 if item.name.endswith(("url", "endpoint")) else 255,
                field=f"attribution_config.{item.name}",
            )
        needed = {
            "promo_code": self.promo_code,
            "utm": self.utm_campaign,
            "custom": self.custom_tracking_id,
            "pixel": True,
        }[self.method]
        if not needed:
            key = {"utm": "utm_campaign", "custom": "custom_tracking_id"}.get(self.method, self.method)
            raise InvalidInput(field=f"attribution_config.{key}", detail=f"is needed by the method {self.method}")


@dataclass(frozen=True, slots=True)
class NewSponsor:
    """A sponsor to add."""

    name: str
    company: str | None = None
    email: str | None = None
    contact_name: str | None = None
    phone: str | None = None
    website: str | None = None
    logo_url: str | None = None
    industry: str | None = None

    def __post_init__(self) -> None:
        check_text(self.name, 255, field="name")
        for name, limit in (("company", 255), ("email", 255), ("contact_name", 255), ("phone", 50), ("industry", 100)):
            check_length(getattr(self, name), limit, field=name)
        check_url(self.website, field="website")
        check_url(self.logo_url, field="logo_url")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sponsor(NewSponsor):
    """One row of `sponsors`."""

    sponsor_id: UUID
    user_id: UUID
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Campaign:
    """One row of `campaigns`. It flies in [start_date, end_date) and costs `campaign_value` of `currency`."""

    campaign_id: UUID
    user_id: UUID
    podcast_id: UUID
    sponsor_id: UUID
    name: str
    status: CampaignStatus
    start_date: datetime
    end_date: datetime
    campaign_value: Decimal
    currency: str
    episode_ids: tuple[UUID, ...]
    attribution_config: AttributionConfig
    notes: str | None
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, Any]

    def __post_init__(self) -> None:
        check_text(self.name, 255, field="name")
        check_choice(self.status, CampaignStatus, field="status")
        check_currency(self.currency)
        check_flight(self.start_date, self.end_date)
        if self.campaign_value < 0:
            raise InvalidInput(field="campaign_value", detail="must not be below zero")
        object.__setattr__(self, "episode_ids", tuple(self.episode_ids or ()))
        if isinstance(self.attribution_config, dict):
            config = convert_json(self.attribution_config, AttributionConfig, field="attribution_config")
            object.__setattr__(self, "attribution_config", config)

    @property
    def flight(self) -> Period:
        return Period(self.start_date, self.end_date)

    @property
    def fee(self) -> Money:
        return Money(self.campaign_value, self.currency)

    def covered_episodes(self, placements: "Iterable[Placement]") -> frozenset[UUID] | None:
        """The episodes it runs in, those it lists and those it is placed in; None is the whole show.

        A campaign that lists none runs in the whole show, whatever its placements: they say what was agreed for some
        episodes, not that the others are without it.
        """
        if not self.episode_ids:
            return None
        return frozenset((*self.episode_ids, *(item.episode_id for item in placements)))


@dataclass(frozen=True, slots=True)
class Placement:
    """One row of `placements`: what was contracted for one episode; seconds are from the start, half-open."""

    placement_id: UUID
    campaign_id: UUID
    episode_id: UUID
    kind: PlacementKind
    position: PlacementPosition
    start_seconds: Decimal | None
    end_seconds: Decimal | None
    air_date: datetime | None
    contracted_impressions: int | None
    cost: Decimal | None
    created_at: datetime
    updated_at: datetime

    def __post_init__(self) -> None:
        check_choice(self.kind, PlacementKind, field="kind")
        check_choice(self.position, PlacementPosition, field="position")
        if (self.start_seconds is None) != (self.end_seconds is None):
            raise InvalidInput(field="end_seconds", detail="start and end belong together")
        if (
            self.start_seconds is not None
            and self.end_seconds is not None
            and not 0 <= self.start_seconds < self.end_seconds
        ):
            raise InvalidInput(
                field="end_seconds", detail=f"{self.end_seconds} is not after the start {self.start_seconds}"
            )
