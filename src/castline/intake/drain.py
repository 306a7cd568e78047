"""What the intake took becomes landed requests and events: the same way as an imported log, each segment once.

A segment is taken apart by account first (castline.intake.split); then each account's file is imported as a log of its
own, known by its content, and deleted. Killed anywhere, the next drain goes on where this one stopped.
"""

import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from castline.base.clock import now
from castline.base.errors import Terminal
from castline.ingest.landing import ImportOptions, import_log
from castline.ingest.pixel_hits import import_hits
from castline.ingest.segment_log import LOG_FOLDER, make_folder, take_segments
from castline.intake.playback import import_players
from castline.intake.split import PIXELS, PLAYERS, REDIRECTS, SUFFIX, UNCLAIMED, Unclaimed, split_segment
from castline.store.pool import Store

_log = logging.getLogger(__name__)
_SPLIT: Final = "split"
_FAILED: Final = ".failed"
_KEPT: Final = timedelta(days=90)


@dataclass(slots=True)
class Drained:
    """What one drain brought in: segments, requests, player events, pixel hits, and what was only counted."""

    segment_count: int = 0
    request_count: int = 0
    event_count: int = 0
    hit_count: int = 0
    unclaimed_count: int = 0
    failed_count: int = 0


@dataclass(frozen=True, slots=True)
class UnclaimedAddress:
    """What no account claims (an address, a player's episode, a pixel's campaign) or was too much, and how often."""

    kind: str
    name: str
    count: int
    last_on: date


def drain_intake(store: Store) -> Drained:
    """Every closed segment is landed and gone; nothing where another drain is at work.

    Raises Transient, and leaves what is not landed yet, while the store is away.
    """
    drained, folder = Drained(), store.settings.data_dir / LOG_FOLDER
    with take_segments(folder) as segments:
        if segments is None:
            return drained
        split = folder / _SPLIT
        make_folder(split)
        for path in segments:
            split_segment(store, path, split)
            drained.segment_count += 1
        for part in sorted(split.iterdir()):
            if part.suffix == ".draft":
                shutil.rmtree(part)
                continue
            _land_folder(store, part, drained)
        _forget(folder)
    return drained


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


def _land_folder(store: Store, folder: Path, drained: Drained) -> None:
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            _land_file(store, path, drained)
        except Terminal as error:
            _log.error("%s/%s waits in a file of its own: %s", folder.name, path.name, error.message)
            path.rename(folder.parent.parent / f"{folder.name}-{path.stem}{_FAILED}")
            drained.failed_count += 1
        else:
            path.unlink()
    folder.rmdir()


def _land_file(store: Store, path: Path, drained: Drained) -> None:
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


def _forget(folder: Path) -> None:
    """Nothing is kept here longer than landed requests are."""
    limit = now() - _KEPT
    for path in (folder / UNCLAIMED).glob(f"*{SUFFIX}"):
        if path.stem < str(limit.date()):
            path.unlink()
    for path in folder.glob(f"*{_FAILED}"):
        if path.stat().st_mtime < limit.timestamp():
            path.unlink()
