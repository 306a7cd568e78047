"""Days that landed in many small files become days of few large ones: `castline batch compact`, and a job.

A merge is a run in the ledger. Batches keep their rows, their counts and the hash of their source; only where their
rows lie changes. Killed anywhere, it is begun again: the same files merge into a file of the same name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from castline.base.clock import now
from castline.model.lineage import DatasetUse
from castline.store.landing.merged_files import (
    LandedFile,
    Place,
    hash_file,
    load_files,
    lock_merging,
    merge_files,
    remove_replaced,
)
from castline.store.listening.downloads import LOG_KIND
from castline.store.listening.playback import PLAYER_KIND
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, open_run
from castline.store.upkeep.retention import LANDING_KEPT

JOB: Final = "landing.compact"
_SMALL_ROWS: Final = 250_000  # a file of so many requests weighs some 10 MB and is read in a tenth of a second
_FEWEST_FILES: Final = 8  # less is not worth a run
_MOST_FILES: Final = 1_000  # in one transaction
_DATASETS: Final = {LOG_KIND: "landing_requests", PLAYER_KIND: "landing_player_events"}


@dataclass(frozen=True, slots=True)
class MergedDay:
    """What was done with a day of one kind: files that became larger ones, and files that went.

    Files that were replaced go as soon as nobody can be reading them, perhaps in a later run.
    """

    kind: str
    day_on: date
    merged_count: int
    row_count: int
    removed_count: int


def merge_landing(store: Store, owner_id: UUID) -> list[MergedDay]:
    """The account's days have few files each. Raises LandingFileMissing, LandingDamaged."""
    days = []
    for place in _iter_crowded(store.settings.landing_dir, owner_id):
        files: list[LandedFile] = []
        while merged := _merge(store, place):
            files += merged
        with store.ingest(owner_id) as connection:
            removed = remove_replaced(connection, place)
        if files or removed:
            rows = sum(file.row_count for file in files)
            days.append(MergedDay(place.source, place.day_on, len(files), rows, removed))
    return days


def iter_owners(landing_dir: Path) -> Iterator[UUID]:
    """The accounts that have landed anything."""
    for folder in sorted((landing_dir / "requests").glob("*-*-*-*-*")):
        yield UUID(folder.name)


def _iter_crowded(landing_dir: Path, owner_id: UUID) -> Iterator[Place]:
    """The days with more files than they need, as far as a look into their folders tells."""
    oldest = (now() - LANDING_KEPT + timedelta(days=2)).date()  # retention takes what is older
    for kind in _DATASETS:
        root = Place(landing_dir, owner_id, kind, oldest).root
        for folder in sorted(root.glob("????-??-??")):
            if folder.name >= str(oldest) and sum(1 for _ in folder.glob("*.parquet")) >= _FEWEST_FILES:
                yield Place(landing_dir, owner_id, kind, date.fromisoformat(folder.name))


def _merge(store: Store, place: Place) -> list[LandedFile]:
    """The small files that became one; none where they are few."""
    with store.ingest(place.owner_id) as connection:
        if not _choose(load_files(connection, place)):
            return []
    with open_run(store, place.owner_id, JOB, parameters={"kind": place.source, "day": str(place.day_on)}) as run:
        lock_merging(run.connection, place.owner_id)
        chosen = _choose(load_files(run.connection, place))
        if chosen:  # else somebody was faster
            _record(run, place, chosen, merge_files(run.connection, place, chosen))
    return chosen


def _choose(files: Sequence[LandedFile]) -> list[LandedFile]:
    small = [file for file in files if file.row_count < _SMALL_ROWS]
    if len(small) < _FEWEST_FILES:
        return []
    chosen: list[LandedFile] = []
    rows = 0
    for file in small[:_MOST_FILES]:
        chosen.append(file)
        rows += file.row_count
        if rows >= _SMALL_ROWS:
            break
    return chosen if len(chosen) > 1 else []


def _record(run: OpenRun, place: Place, chosen: Sequence[LandedFile], merged: LandedFile) -> None:
    dataset = _DATASETS[place.source]
    run.uses = [DatasetUse("input", dataset, file.name, file.row_count) for file in chosen]
    run.uses.append(DatasetUse("output", dataset, merged.name, merged.row_count, hash_file(place, merged)))
    run.count("files", len(chosen))
    run.count("rows", merged.row_count)
