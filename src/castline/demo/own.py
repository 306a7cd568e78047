"""The demo on the reader's own feed and logs: nothing is made up, and there is no truth to compare with."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from castline.base.clock import now
from castline.base.config import load_settings
from castline.base.period import Period
from castline.demo.requests_seen import RequestCounts, load_request_counts
from castline.demo.stage import (
    EMAIL,
    RunCommand,
    Stage,
    clear_folder,
    demo_environment,
    open_demo_account,
    show_progress,
)
from castline.measure.figures.query import run_query
from castline.model.query import ask_days
from castline.store.entities.shows import load_audio_keys, load_episodes, load_podcasts
from castline.store.pool import Store, open_store

_TOP_COUNT: Final = 10
_COMMAND_COUNT: Final = 4
_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One episode and its downloads."""

    title: str
    downloads: int


@dataclass(frozen=True, slots=True)
class OwnResult:
    """What came of the reader's feed and logs; `audio_keys` are some of the addresses that a request must be for."""

    data_dir: str
    email: str
    password: str
    show: str
    episode_count: int
    requests: RequestCounts
    top_episodes: tuple[EpisodeRow, ...]
    audio_keys: tuple[str, ...]


def run_own(data_dir: Path, feed: str, logs: tuple[str, ...], run_command: RunCommand) -> OwnResult:
    """The feed's episodes and the logs' requests are measured. Raises CastlineError of whichever command failed."""
    clear_folder(data_dir)
    with demo_environment(data_dir), show_progress(_COMMAND_COUNT) as progress:
        stage = Stage(data_dir, data_dir, run_command, progress, [])
        with open_store(load_settings()) as store:
            account = open_demo_account(stage)
            stage.do("feed", "add", feed)
            stage.do("log", "import", *logs)
            stage.do("measure", "run")
            return _find(store, UUID(account["user_id"]), data_dir, account["password"])


def _find(store: Store, owner_id: UUID, data_dir: Path, password: str) -> OwnResult:
    with store.account(owner_id) as connection:
        show = load_podcasts(connection, owner_id)[0]
        titles = {episode.episode_id: episode.title for episode in load_episodes(connection, owner_id)}
        keys = load_audio_keys(connection, owner_id)
        queries = ask_days(Period(_EVER, now()), "downloads", ("episode",))
        rows = [row for query in queries for row in run_query(connection, owner_id, query).rows]
    downloads: Counter[UUID] = Counter()
    for row in rows:
        downloads[UUID(row.members[0])] += row.value or 0
    return OwnResult(
        data_dir=str(data_dir),
        email=EMAIL,
        password=password,
        show=show.title,
        episode_count=len(titles),
        requests=load_request_counts(store, owner_id),
        top_episodes=tuple(EpisodeRow(titles[key], count) for key, count in downloads.most_common(_TOP_COUNT)),
        audio_keys=tuple(key.audio_key for key in keys[:3]),
    )
