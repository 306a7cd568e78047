"""What the demo's world is made of, read from `world.toml`."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from castline.model.vocab import PrimaryMethod

_FILE: Final = Path(__file__).with_name("world.toml")


@dataclass(frozen=True, slots=True)
class ShowPlan:
    """One show; `minutes` is the range of its episodes' lengths, `countries` the weights of where people listen.

    `tells_ranges` when its server logs the Range header behind the usual fields.
    """

    slug: str
    title: str
    author: str
    description: str
    language: str
    category: str
    host: str
    prefix: str
    extension: str
    mime_type: str
    bits_per_second: int
    minutes: tuple[int, int]
    utc_offset_minutes: int
    audience_share: float
    countries: dict[str, int]
    titles: tuple[str, ...]
    tells_ranges: bool = False


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One user agent and its share; `watch` when a watch beside the phone asks for the same file again."""

    text: str
    share: int
    watch: bool = False


@dataclass(frozen=True, slots=True)
class CrawlerPlan:
    """User agents that say of themselves that nobody listens."""

    texts: tuple[str, ...]
    watch: str


@dataclass(frozen=True, slots=True)
class MoneyPlan:
    """Orders of one currency in a campaign; values are whole units of it, so that rates with two digits stay exact."""

    currency: str
    order_count: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """One campaign: what it costs, which episodes (by number) carry it, and what follows.

    `method` is the key that its orders bring: promo_code, utm, pixel (the household alone), custom (a tracking id).
    `impressions` are contracted for each episode. `visit_count` people come by pixel, some of whom buy for
    `pixel_value`. `leaked` codes are used by people who never heard the show.
    """

    sponsor: str
    website: str
    industry: str
    name: str
    show: str
    method: PrimaryMethod
    value: Decimal
    currency: str
    flight_days: tuple[int, int]
    episodes: tuple[int, ...]
    impressions: int
    keys: dict[str, str]
    orders: tuple[MoneyPlan, ...] = ()
    refund_rate: float = 0.0
    chargeback_count: int = 0
    visit_count: int = 0
    pixel_value: tuple[int, int] = (0, 1)
    leaked: bool = False


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """All of `world.toml`."""

    shows: tuple[ShowPlan, ...]
    networks: dict[str, tuple[str, ...]]
    agents: tuple[AgentPlan, ...]
    crawlers: CrawlerPlan
    campaigns: tuple[CampaignPlan, ...]
    rates: dict[str, Decimal]


def load_plan() -> WorldPlan:
    """The plan that is part of the package."""
    return msgspec.convert(tomllib.loads(_FILE.read_text("utf-8"), parse_float=Decimal), WorldPlan, strict=False)
