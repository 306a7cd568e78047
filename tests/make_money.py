"""Worlds with money in them: shows with episodes, listening, campaigns, orders."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from castline.model.show import Episode, Podcast
from castline.store.pool import Store
from castline.store.shows import create_episode, create_podcast, find_podcast, load_episodes


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
