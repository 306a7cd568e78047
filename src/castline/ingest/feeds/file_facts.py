"""What is known of files, as judging goes by it; where that changes, past days are measured again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from castline.base.clock import now
from castline.model.show import AudioKey
from castline.store.entities.shows import load_audio_keys, mark_file_days
from castline.store.provenance.ledger import OpenRun
from castline.store.upkeep.retention import LANDING_KEPT

# A feed of inserted ads tells another size at each reading: what moves a minute by so little moves no day.
_RATE: Final = 0.01
_BYTES: Final = 1_000


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the minute of an episode's file follows from."""

    audio_bytes: int | None
    duration_seconds: int | None
    bits_per_second: int | None
    header_bytes: int | None

    def is_like(self, other: "FileFacts") -> bool:
        """True if no minute of the one differs from the other's by much."""
        return (
            _are_near(self.audio_bytes, other.audio_bytes)
            and _are_near(self.duration_seconds, other.duration_seconds, least=0)
            and _are_near(self.bits_per_second, other.bits_per_second)
            and _are_near(self.header_bytes, other.header_bytes)
        )


@contextmanager
def marking_days(run: OpenRun, podcast_id: UUID) -> Iterator[None]:
    """What changes within of the files of a show marks the days on which these were asked for, while they are kept."""
    before = _load_facts(run, podcast_id)
    yield
    after = _load_facts(run, podcast_id)
    changed = {place[0] for place, facts in after.items() if not facts.is_like(before.get(place, facts))}
    if changed:
        # The oldest kept day may be deleted at any moment, so it is left alone.
        first_on = (now() - LANDING_KEPT).date() + timedelta(days=1)
        run.count("days_to_measure_again", mark_file_days(run.connection, run.owner_id, sorted(changed), first_on))


def _load_facts(run: OpenRun, podcast_id: UUID) -> Mapping[tuple[UUID, str], FileFacts]:
    keys = load_audio_keys(run.connection, run.owner_id, podcast_id)
    return {(item.episode_id, item.audio_key): _facts_of(item) for item in keys}


def _facts_of(item: AudioKey) -> FileFacts:
    return FileFacts(item.audio_bytes, item.duration_seconds, item.bits_per_second, item.header_bytes)


def _are_near(one: int | None, other: int | None, *, least: int = _BYTES) -> bool:
    if one is None or other is None:
        return one == other
    return abs(one - other) <= max(_RATE * max(one, other), least)
