"""Ads in episodes: where they lie, which days they were heard on, and what became of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from castline.base.period import start_of_day
from castline.model.check import convert_json
from castline.model.show import AdSlot
from castline.store.rows import find_one, load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("ads")


@dataclass(frozen=True, slots=True)
class _EpisodeSlots:
    episode_id: UUID
    ad_slots: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PlayedPlace:
    """Where a player tells of an ad: between these seconds of the episode, on the air in [start_at, end_at)."""

    campaign_id: UUID
    episode_id: UUID
    first_second: Decimal
    end_second: Decimal
    start_at: datetime
    end_at: datetime


def load_ad_slots(connection: Connection, owner_id: UUID) -> Mapping[UUID, tuple[AdSlot, ...]]:
    """The ad slots by episode, of the account's episodes that have any."""
    rows = load_all(connection, _EpisodeSlots, _SQL["load_ad_slots"], {"tenant": owner_id})
    return {row.episode_id: convert_json(row.ad_slots, tuple[AdSlot, ...], field="ad_slots") for row in rows}


def find_ad_slots(connection: Connection, owner_id: UUID, episode_id: UUID) -> tuple[AdSlot, ...]:
    """The episode's ad slots, which nobody else changes until the transaction ends; none for no such episode."""
    facts = {"tenant": owner_id, "episode_id": episode_id}
    row = find_one(connection, _EpisodeSlots, _SQL["find_ad_slots"], facts)
    return convert_json(row.ad_slots, tuple[AdSlot, ...], field="ad_slots") if row else ()


def mark_ad_days(connection: Connection, owner_id: UUID, episode_id: UUID, campaign_ids: Iterable[UUID]) -> int:
    """The days of the campaigns' flights on which the episode was asked for or heard wait to be measured; how many."""
    chosen = list(campaign_ids)
    facts = {"tenant": owner_id, "episode_id": episode_id, "campaign_ids": chosen}
    return save(connection, _SQL["mark_ad_days"], facts) if chosen else 0


def name_player_ads(connection: Connection, owner_id: UUID, days: Sequence[date], places: Sequence[PlayedPlace]) -> int:
    """The ads that players told of on these UTC days have their campaign, where it can be told; how many changed."""
    if not days:
        return 0
    columns = {
        "campaign_ids": [place.campaign_id for place in places],
        "episode_ids": [place.episode_id for place in places],
        "first_seconds": [place.first_second for place in places],
        "end_seconds": [place.end_second for place in places],
        "starts": [place.start_at for place in places],
        "ends": [place.end_at for place in places],
    }
    span = {"start_at": start_of_day(min(days)), "end_at": start_of_day(max(days) + timedelta(days=1))}
    return save(connection, _SQL["name_player_ads"], columns | span | {"tenant": owner_id, "days": list(days)})
