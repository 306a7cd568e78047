"""Worlds with money in them: shows with episodes, listening, campaigns, orders."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4, uuid5

from castline.ingest.places import listener_key
from castline.model.campaign import AttributionConfig, Campaign, NewSponsor
from castline.model.show import Episode, Podcast
from castline.store.entities.campaigns import (
    NewCampaign,
    NewPlacement,
    create_campaign,
    create_placement,
    create_sponsor,
    find_sponsor,
)
from castline.store.entities.shows import create_episode, create_podcast, find_podcast, load_episodes
from castline.store.listening.downloads import copy_rows
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions
from make import make_id

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def make_campaign(**changes: Any) -> Campaign:
    """A campaign of 1500 USD that flies the first 30 days of March 2026, without a store."""
    facts: dict[str, Any] = {
        "campaign_id": make_id(1),
        "user_id": make_id(9),
        "podcast_id": make_id(8),
        "sponsor_id": make_id(7),
        "name": "Spring",
        "status": "completed",
        "start_date": MARCH,
        "end_date": MARCH + timedelta(days=30),
        "campaign_value": Decimal(1500),
        "currency": "USD",
        "episode_ids": (),
        "attribution_config": AttributionConfig(method="pixel"),
        "notes": None,
        "created_at": MARCH,
        "updated_at": MARCH,
        "metadata": {},
    }
    return Campaign(**facts | changes)


def make_show(store: Store, owner_id: UUID, *, title: str = "Show", episode_count: int = 3) -> Podcast:
    """A show whose episodes 1, 2, .. came out on the first days of March 2026."""
    with store.account(owner_id) as connection:
        podcast_id = create_podcast(connection, owner_id, title, f"https://example.org/{uuid4()}")
        for number in range(1, episode_count + 1):
            create_episode(connection, podcast_id, _episode_facts(f"{title}-{number}.mp3", number))
        return find_podcast(connection, owner_id, str(podcast_id))


def _episode_facts(name: str, number: int) -> dict[str, object]:
    unknown = ("description", "duration_seconds", "link", "author", "transcript_url", "audio_bytes")
    return dict.fromkeys(unknown) | {
        "guid": name,
        "title": f"Episode {number}",
        "audio_url": f"https://cdn.example.org/{name}",
        "publish_date": datetime(2026, 3, 1, 6, tzinfo=UTC) + timedelta(days=number - 1),
        "categories": [],
        "explicit": False,
        "metadata": {},
        "audio_key": f"cdn.example.org/{name}",
        "publish_date_is_first_seen": False,
    }


def make_episodes(store: Store, owner_id: UUID, podcast: Podcast) -> list[Episode]:
    """The show's episodes, oldest first."""
    with store.account(owner_id) as connection:
        return sorted(load_episodes(connection, owner_id, podcast.podcast_id), key=lambda item: item.publish_date)


@dataclass(frozen=True, slots=True)
class Heard:
    """A download of an episode (by its index in the show) from an address."""

    address: str
    at: datetime
    episode: int = 0
    agent: str = "Overcast/1.0"


@dataclass(slots=True)
class MoneyWorld:
    """An account with one show and the sponsors Acme and Other; campaigns fly in March 2026 unless said otherwise."""

    store: Store
    owner_id: UUID
    podcast: Podcast
    episodes: list[Episode]
    campaigns: dict[str, Campaign] = field(default_factory=dict)

    @property
    def podcast_id(self) -> UUID:
        return self.podcast.podcast_id

    @property
    def campaign_ids(self) -> list[UUID]:
        return [campaign.campaign_id for campaign in self.campaigns.values()]

    def add(  # noqa: PLR0913  # one knob each
        self,
        name: str,
        config: AttributionConfig,
        *,
        sponsor: str = "Acme",
        start: int = 0,
        days: int = 31,
        value: str = "1500",
        currency: str = "USD",
        episodes: tuple[int, ...] = (),
        air_day: int | None = None,
    ) -> Campaign:
        """A campaign that flies for some days from a day counted from 1 March 2026."""
        start_date = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=start)
        with self.store.account(self.owner_id) as connection:
            made = create_campaign(
                connection,
                self.owner_id,
                NewCampaign(
                    name=name,
                    podcast_id=self.podcast_id,
                    sponsor_id=find_sponsor(connection, self.owner_id, sponsor).sponsor_id,
                    start_date=start_date,
                    end_date=start_date + timedelta(days=days),
                    campaign_value=Decimal(value),
                    currency=currency,
                    episode_ids=tuple(self.episodes[n].episode_id for n in episodes),
                    attribution_config=config,
                ),
            )
            if air_day is not None:
                aired = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=air_day)
                for number in episodes:
                    episode_id = self.episodes[number].episode_id
                    placement = NewPlacement(made.campaign_id, episode_id, "mid", air_date=aired)
                    create_placement(connection, self.owner_id, placement)
        self.campaigns[name] = made
        return made

    def hear(self, *heard: Heard) -> None:
        """The downloads are listener events."""
        save_heard(self, heard)


def make_money_world(store: Store, owner_id: UUID) -> MoneyWorld:
    """A world without campaigns, orders and listening."""
    podcast = make_show(store, owner_id)
    with store.account(owner_id) as connection:
        for name in ("Acme", "Other"):
            create_sponsor(connection, owner_id, NewSponsor(name))
    return MoneyWorld(store, owner_id, podcast, make_episodes(store, owner_id, podcast))


def save_heard(world: MoneyWorld, heard: Sequence[Heard]) -> list[UUID]:
    """The ids of the downloads, each known by what it says."""
    rows = io.StringIO()
    writer = csv.writer(rows)
    ids = []
    for item in heard:
        episode = world.episodes[item.episode].episode_id
        key = listener_key(world.store.settings, world.owner_id, item.address).hex()
        ids.append(uuid5(world.owner_id, f"{item}"))
        writer.writerow(
            [ids[-1], item.at.isoformat(), world.podcast_id, episode, "download", item.agent, f"\\x{key}", ids[-1]]
        )
    with world.store.owner() as connection:
        for item in heard:
            ensure_partitions(connection, item.at.date(), item.at.date())
    columns = (
        "event_id",
        "timestamp",
        "podcast_id",
        "episode_id",
        "event_type",
        "user_agent",
        "listener_key",
        "run_id",
    )
    with world.store.ingest(world.owner_id) as connection:
        copy_rows(connection, "listener_events", columns, rows.getvalue().encode())
    return ids
