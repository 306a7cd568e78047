"""Access logs for tests: lines as nginx writes them, and shows whose files they ask for."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from castline.model.show import Podcast
from castline.store.entities.shows import create_episode, create_podcast, find_podcast
from castline.store.pool import Store

OVERCAST = "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)"
MINUTE_BYTES = 960_000  # of an episode of 128 kbit/s
EPISODE_SECONDS = 1_800
EPISODE_BYTES = MINUTE_BYTES // 60 * EPISODE_SECONDS
MONDAY = datetime(2026, 9, 7, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One request; `after` is seconds after `MONDAY`."""

    after: float = 0
    address: str = "198.51.100.7"
    agent: str = OVERCAST
    path: str = "/one.mp3"
    method: str = "GET"
    status: int = 200
    sent: int = EPISODE_BYTES
    range: str | None = None

    def __str__(self) -> str:
        at = MONDAY + timedelta(seconds=self.after)
        text = (
            f"{self.address} - - [{at:%d/%b/%Y:%H:%M:%S} +0000]"
            f' "{self.method} {self.path} HTTP/1.1" {self.status} {self.sent} "-" "{self.agent}"'
        )
        return text if self.range is None else f'{text} "{self.range}"'

    def but(self, **changed: object) -> "Line":
        """The same request with something changed."""
        return replace(self, **changed)  # type: ignore[arg-type]  # a test's shorthand


def write_log(path: Path, lines: Iterable[Line | str]) -> Path:
    """The lines are in the file, gzipped when its name says so."""
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def make_listened_show(store: Store, owner_id: UUID, *names: str) -> Podcast:
    """A show of half-hour episodes at cdn.example.org/NAME.mp3, by default `one` and `two`."""
    with store.account(owner_id) as connection:
        podcast_id = create_podcast(connection, owner_id, "Show", f"https://example.org/{uuid4()}")
        for name in names or ("one", "two"):
            create_episode(connection, podcast_id, _facts(f"{name}.mp3"))
        return find_podcast(connection, owner_id, str(podcast_id))


def _facts(name: str) -> dict[str, object]:
    return {
        "guid": name,
        "title": name,
        "description": None,
        "audio_url": f"https://cdn.example.org/{name}",
        "duration_seconds": EPISODE_SECONDS,
        "publish_date": MONDAY - timedelta(days=30),
        "link": None,
        "author": None,
        "categories": [],
        "explicit": False,
        "transcript_url": None,
        "metadata": {},
        "audio_bytes": EPISODE_BYTES,
        "audio_key": f"cdn.example.org/{name}",
        "publish_date_is_first_seen": False,
    }
