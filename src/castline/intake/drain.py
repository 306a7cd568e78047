"""What the intake took becomes landed requests and events: the same way as an imported log, each segment once.

A segment is taken apart by account first (castline.intake.split); then each account's file is imported as a log of its
own, known by its content, and deleted. Killed anywhere, the next drain goes on where this one stopped. What cannot be
landed waits by itself (castline.intake.trouble), and everybody else's goes on.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from castline.base.clock import now
from castline.ingest.conversions.pixel_hits import import_hits
from castline.ingest.logs.landing import ImportOptions, import_log
from castline.ingest.segment_log import LOG_FOLDER, READY, make_folder, take_segments
from castline.intake.playback import import_players
from castline.intake.split import PIXELS, PLAYERS, REDIRECTS, UNCLAIMED, Unclaimed, split_segment
from castline.intake.trouble import SPLIT, SUFFIX, drop_waiting, is_due, load_waiting, try_landing
from castline.store.pool import Store

_log = logging.getLogger(__name__)
_KEPT: Final = timedelta(days=90)


@dataclass(slots=True)
class Drained:
    """What one drain brought in: segments, requests, player events, pixel hits, and what was only counted.

    `failed_count` files were tried and wait: what failed, and also what others were busy with and is tried soon again.
    Where another drain was at work, nothing was tried.
    """

    segment_count: int = 0
    request_count: int = 0
    event_count: int = 0
    hit_count: int = 0
    unclaimed_count: int = 0
    failed_count: int = 0
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class UnclaimedAddress:
    """What no account claims (an address, a player's episode, a pixel's campaign) or was too much, and how often."""

    kind: str
    name: str
    count: int
    last_on: date


def drain_intake(store: Store, *, is_asked: bool = False, is_over: Callable[[], bool] = bool) -> Drained:
    """Every closed segment is landed and gone, but for what waits; nothing where another drain is at work.

    What waits is tried when it is due, or all of it where somebody asked. Once `is_over`, the rest is left to the next.
    Raises DatabaseUnavailable, and leaves what is not landed yet, while the store is away.
    """
    drained, folder = Drained(), store.settings.data_dir / LOG_FOLDER
    with take_segments(folder) as segments:
        if segments is None:
            drained.is_elsewhere = True
            return drained
        task = _Drain(store, folder / SPLIT, drained, None if is_asked else now(), is_over)
        make_folder(task.split)
        for path in segments:
            if task.wants(path) and task.tries(path, partial(split_segment, store, path, task.split)):
                drained.segment_count += 1
        _land_folders(task)
        _forget(store.settings.data_dir)
    return drained


@dataclass(frozen=True, slots=True)
class _Drain:
    """One drain at work: where parts lie, what it brought so far, and at what time it tries what is due by then."""

    store: Store
    split: Path
    drained: Drained
    due_at: datetime | None
    is_over: Callable[[], bool]

    def wants(self, path: Path) -> bool:
        return not self.is_over() and (self.due_at is None or is_due(path, self.due_at))

    def tries(self, path: Path, land: Callable[[], object]) -> bool:
        is_landed = try_landing(self.store, path, land)
        self.drained.failed_count += not is_landed
        return is_landed


def load_unclaimed(data_dir: Path) -> list[UnclaimedAddress]:
    """What came in the last 90 days and belongs to no account, the most frequent first."""
    seen = {
        (line.segment, line.day, line.kind, line.name): line.count for line in _iter_unclaimed(data_dir / LOG_FOLDER)
    }
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], str] = {}
    for (_, day, kind, name), count in seen.items():
        counts[kind, name] += count
        last[kind, name] = max(day, last.get((kind, name), day))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [UnclaimedAddress(kind, name, count, date.fromisoformat(last[kind, name])) for (kind, name), count in ranked]


def _land_folders(task: _Drain) -> None:
    """Every part is landed, and those that a part was taken apart into."""
    seen: set[Path] = set()
    while parts := [part for part in sorted(task.split.iterdir()) if part not in seen]:
        seen.update(parts)
        for part in parts:
            if part.suffix == ".draft":
                shutil.rmtree(part)
            else:
                _land_folder(task, part)


def _land_folder(task: _Drain, folder: Path) -> None:
    for path in sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{READY}")]):
        if task.wants(path) and task.tries(path, partial(_land_file, task, path)):
            path.unlink(missing_ok=True)
    for draft in folder.glob("*.draft"):
        draft.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _land_file(task: _Drain, path: Path) -> None:
    store, drained = task.store, task.drained
    name = path.name.removesuffix(SUFFIX)
    if name.startswith(REDIRECTS):
        # What the ledger calls it: the segment, not the account that everything else there names already.
        options = ImportOptions(log_format="castline", delivery="prefix", source=f"intake {path.parent.name}")
        drained.request_count += import_log(
            store, UUID(name.removeprefix(REDIRECTS)), path, options=options
        ).landed_count
    elif name.startswith(PLAYERS):
        drained.event_count += import_players(store, UUID(name.removeprefix(PLAYERS)), path)
    elif name.startswith(PIXELS):
        drained.hit_count += import_hits(store, UUID(name.removeprefix(PIXELS)), path)
    elif name == UNCLAIMED:
        drained.unclaimed_count += _keep_unclaimed(path)
    elif path.suffix == READY:
        split_segment(store, path, task.split)


def _keep_unclaimed(path: Path) -> int:
    """The counts are kept, by day; a line that a killed drain has kept before is the same line and counts once."""
    count, by_day = 0, dict[str, list[bytes]]()
    for line in path.read_bytes().splitlines():
        told = msgspec.json.decode(line, type=Unclaimed)
        by_day.setdefault(told.day, []).append(line)
        count += told.count
    kept = path.parents[2] / UNCLAIMED
    make_folder(kept)
    for day, lines in by_day.items():
        with (kept / f"{day}{SUFFIX}").open("ab") as file:
            # A line break first: a drain that was killed may have left half a line.
            file.write(b"\n" + b"\n".join(lines) + b"\n")
    return count


def _iter_unclaimed(folder: Path) -> Iterator[Unclaimed]:
    for path in sorted((folder / UNCLAIMED).glob(f"*{SUFFIX}")):
        for line in path.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=Unclaimed)
            except msgspec.MsgspecError:
                continue


def _forget(data_dir: Path) -> None:
    """Nothing is kept here longer than landed requests are."""
    limit = now() - _KEPT
    for path in (data_dir / LOG_FOLDER / UNCLAIMED).glob(f"*{SUFFIX}"):
        if path.stem < str(limit.date()):
            path.unlink()
    for waiting in load_waiting(data_dir):
        if waiting.trouble.since < limit:
            _log.error("%s could not be landed in %d days and is gone", waiting.path, _KEPT.days)
            drop_waiting(waiting)
