"""The demo on the reader's own feed and logs: nothing is made up, and there is no truth to compare with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from castline.base.config import load_settings
from castline.demo.requests_seen import RequestCounts, load_request_counts
from castline.demo.run import open_demo_account
from castline.demo.stage import EMAIL, RunCommand, Stage, clear_folder, demo_environment, show_progress
from castline.store.listening import load_downloads_by_episode
from castline.store.pool import Store, open_store
from castline.store.shows import load_episodes

_TOP_COUNT: Final = 10
_COMMAND_COUNT: Final = 4


@dataclass(frozen=True, slots=True)
class EpisodeRow:
    """One episode and its downloads."""

    title: str
    downloads: int


@dataclass(frozen=True, slots=True)
class OwnResult:
    """What came of the reader's feed and logs. `audio_key` is how the log's requests would have to look to match."""

    data_dir: Path
    email: str
    password: str
    show: str
    episode_count: int
    requests: RequestCounts
    top_episodes: tuple[EpisodeRow, ...]
    audio_key: str | None
