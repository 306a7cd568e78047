"""Measured downloads without requests: rows through the product's own rollup, for tests and benches of figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID, uuid4

import polars as pl

from castline.measure.judge import Judged
from castline.measure.rows.columns import make_columns
from castline.measure.rows.events import EVENT_COLUMNS, EventRows
from castline.measure.rows.rollup import DAILY_COLUMNS, HOURLY_COLUMNS, compute_rollup, encode_rows, find_carried
from castline.store.entities.shows import create_episode, create_podcast
from castline.store.listening.columns import replace_columns
from castline.store.listening.downloads import copy_rows
from castline.store.pool import Store
from castline.store.timeseries import ensure_partitions

APPS = ("Overcast", "AntennaPod", "Pocket Casts")


@dataclass(frozen=True, slots=True)
class Download:
    """One download of an episode by a listener, who is a number, with an app."""

    at: datetime
    episode_id: UUID
    podcast_id: UUID
    listener: int = 1
    app: str = APPS[0]
    country: str | None = "SE"
    device: str = "mobile"
    source: str | None = None


def make_listened(store: Store, owner_id: UUID, title: str, published: Sequence[datetime]) -> tuple[UUID, list[UUID]]:
    """A show and its episodes, one for each moment of publication, in that order: their ids."""
    with store.account(owner_id) as connection:
        podcast_id = create_podcast(connection, owner_id, title, f"https://example.org/{uuid4()}")
        for number, at in enumerate(published):
            create_episode(connection, podcast_id, _episode(f"{podcast_id}-{number}", f"{title} {number}", at))
        rows = connection.execute(
            "select episode_id from episodes where podcast_id = %s order by guid", (podcast_id,)
        ).fetchall()
    return podcast_id, [row[0] for row in rows]


def _episode(name: str, title: str, at: datetime) -> dict[str, object]:
    unknown = ("description", "duration_seconds", "link", "author", "transcript_url", "audio_bytes")
    return dict.fromkeys(unknown) | {
        "guid": name,
        "title": title,
        "audio_url": f"https://cdn.example.org/{name}.mp3",
        "publish_date": at,
        "categories": [],
        "explicit": False,
        "metadata": {},
        "audio_key": f"cdn.example.org/{name}.mp3",
        "publish_date_is_first_seen": False,
    }


def judged_of(downloads: Sequence[Download]) -> Judged:
    """The downloads as judging would have left them."""
    agents = sorted({(item.app, item.device) for item in downloads})
    episodes = sorted({(item.podcast_id, item.episode_id) for item in downloads})
    rows = [
        {
            "day_on": item.at.astimezone(UTC).date(),
            "time": item.at.astimezone(UTC).replace(tzinfo=None),
            "listener_key": blake2b(item.listener.to_bytes(8), digest_size=16).digest(),
            "agent": agents.index((item.app, item.device)),
            "episode": episodes.index((item.podcast_id, item.episode_id)),
            "ip": None,
            "country": item.country,
            "delivery": item.source,
        }
        for item in sorted(downloads, key=lambda item: item.at)
    ]
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "day_on": pl.Date, "time": pl.Datetime("us"), "listener_key": pl.Binary, "agent": pl.UInt32,
        "episode": pl.Int32, "ip": pl.String, "country": pl.String,
        "delivery": pl.String,
    }  # fmt: skip
    frame = pl.DataFrame(rows, schema=schema).with_columns(pl.col("time").dt.replace_time_zone("UTC"))
    return Judged(pl.DataFrame(), frame, agents_of(agents), episodes_of(episodes))


def agents_of(agents: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """One row per (app, device), by its place."""
    return pl.DataFrame(
        {
            "agent": pl.Series(range(len(agents)), dtype=pl.UInt32),
            "app": [app for app, _ in agents],
            "platform": [app for app, _ in agents],
            "device_type": [device for _, device in agents],
            "device_os": pl.Series([None] * len(agents), dtype=pl.String),
            "user_agent": [f"{app}/1.0 ({device})" for app, device in agents],
        }
    )


def episodes_of(episodes: Sequence[tuple[UUID, UUID]]) -> pl.DataFrame:
    """One row per (show, episode), by its place."""
    return pl.DataFrame(
        {
            "episode": pl.Series(range(len(episodes)), dtype=pl.Int32),
            "podcast_id": [str(podcast_id) for podcast_id, _ in episodes],
            "episode_id": [str(episode_id) for _, episode_id in episodes],
        }
    )


def save_judged(store: Store, owner_id: UUID, judged: Judged) -> None:
    """The judged downloads are in the events, their columns and both rollups; their days had none before."""
    days = judged.downloads["day_on"]
    first_on, last_on = days.min(), days.max()
    with store.owner() as connection:
        ensure_partitions(connection, first_on, last_on)  # type: ignore[arg-type]  # the days of a column of dates
    run_id, carried = uuid4(), find_carried(judged)
    rollup = compute_rollup(judged, carried, run_id)
    events = EventRows(judged, carried, owner_id, run_id)
    with store.ingest(owner_id) as connection:
        copy_rows(connection, "listener_events", EVENT_COLUMNS, events, form="binary")
        copy_rows(connection, "hourly_metrics", HOURLY_COLUMNS, encode_rows(rollup.hourly), form="binary")
        copy_rows(connection, "daily_metrics", DAILY_COLUMNS, encode_rows(rollup.daily), form="binary")
        columns = make_columns(judged, carried, owner_id)
        replace_columns(connection, owner_id, run_id, sorted({*days}), columns)


def make_downloads(store: Store, owner_id: UUID, downloads: Sequence[Download]) -> None:
    """The downloads are measured."""
    save_judged(store, owner_id, judged_of(downloads))
