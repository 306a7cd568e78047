"""Requests in the landing zone: Parquet by account, source and UTC day, written beside and renamed into place.

landing/requests/<account>/<source>/<day>/<batch>-<part>.parquet, or a file of many batches that `merged_files`
made of them. Only files that a batch row names are read, so what a crash left behind is never counted, and
the next try of the same content writes the same names again.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from uuid import UUID

import polars as pl

from castline.base.errors import Terminal
from castline.model.lineage import Batch
from castline.store.folders import make_private_folder

LANDED_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(),
        "time": pl.Datetime("us", "UTC"),
        "listener_key": pl.Binary(),
        "ip": pl.String(),
        "country": pl.String(),
        "asn": pl.UInt32(),
        "user_agent": pl.String(),
        "method": pl.String(),
        "status": pl.UInt16(),
        "range": pl.String(),
        "bytes_sent": pl.Int64(),
        "host": pl.String(),
        "path": pl.String(),
        "referer": pl.String(),
        "request_id": pl.Binary(),
        "delivery": pl.String(),
    }
)


class LandingFileMissing(Terminal):
    """The landed requests {path} of batch {batch_id} are not there."""

    fix = "Restore the landing folder from its backup, or import the log again into a fresh account."


@dataclass(frozen=True, slots=True)
class LandedPart:
    """A batch's requests of one UTC day, in order of time and line: a file, or their place in one of many batches."""

    day_on: date
    part: int
    row_count: int
    merged_as: str | None = None

    def name(self, batch_id: UUID) -> str:
        """The file's name below the account's folder of the source."""
        return f"{self.day_on}/{self.merged_as or f'{batch_id}-{self.part:05d}.parquet'}"


class Landing:
    """The parts of one batch under way, in a folder of their own until `publish` moves them to their places."""

    def __init__(self, landing_dir: Path, owner_id: UUID, source: str) -> None:
        self._root = _folder(landing_dir, owner_id, source)
        make_private_folder(landing_dir.parent, self._root)
        self._draft = Path(mkdtemp(prefix=".draft-", dir=self._root))
        self.parts: list[LandedPart] = []

    def add(self, requests: pl.DataFrame) -> None:
        """The requests lie in the draft folder, one file per UTC day."""
        for day, rows in _cut_days(requests):
            part = LandedPart(day, len(self.parts), rows.height)
            rows.write_parquet(
                self._draft / f"{part.part:05d}", compression="zstd", compression_level=1, statistics=False
            )
            self.parts.append(part)

    def iter_draft(self) -> Iterator[tuple[date, pl.DataFrame]]:
        """The requests in the draft folder, part by part, with the day of each."""
        for part in self.parts:
            yield part.day_on, pl.read_parquet(self._draft / f"{part.part:05d}")

    def discard(self) -> None:
        """Nothing is left to be published."""
        self.parts.clear()

    def publish(self, batch_id: UUID) -> None:
        """Every part is in its place, whole and on the disk; the caller's commit makes them count."""
        folders = set()
        for part in self.parts:
            target = self._root / part.name(batch_id)
            target.parent.mkdir(exist_ok=True)
            draft = self._draft / f"{part.part:05d}"
            _sync(draft)
            draft.replace(target)
            folders.add(target.parent)
        for folder in (*sorted(folders), self._root):
            _sync(folder)

    def close(self) -> None:
        """What was not published is gone."""
        shutil.rmtree(self._draft, ignore_errors=True)


def _cut_days(requests: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """The requests of each UTC day, in order of time and line, as most logs have them anyway."""
    is_ordered = requests["time"].is_sorted() and requests["line_number"].is_sorted()
    ordered = requests if is_ordered else requests.sort("time", "line_number")
    start = 0
    for day, count in ordered["time"].dt.date().rle().struct.unnest().select("value", "len").iter_rows():
        yield day, ordered.slice(start, count)
        start += count


@contextmanager
def open_landing(landing_dir: Path, owner_id: UUID, source: str) -> Iterator[Landing]:
    """A landing that leaves nothing behind but what it published."""
    landing = Landing(landing_dir, owner_id, source)
    try:
        yield landing
    finally:
        landing.close()


def encode_parts(parts: Iterable[LandedPart]) -> list[list[object]]:
    """The parts as JSON values, for the batch's metadata."""
    return [
        [str(part.day_on), part.part, part.row_count, *([part.merged_as] if part.merged_as else [])] for part in parts
    ]


def decode_parts(batch: Batch) -> list[LandedPart]:
    """The parts that `encode_parts` put into the batch's metadata."""
    return [LandedPart(date.fromisoformat(day), *facts) for day, *facts in batch.metadata.get("parts", [])]


def load_requests(
    landing_dir: Path, owner_id: UUID, source: str, batches: Sequence[Batch], days: Iterable[date]
) -> pl.DataFrame:
    """The requests of the days, of LANDED_SCHEMA with the number of their batch in `batches` in front, in no order.

    The caller's transaction is the one that the batches were loaded in, or their files may be merged meanwhile.
    Raises LandingFileMissing.
    """
    wanted = set(days)
    root = _folder(landing_dir, owner_id, source)
    frames = [pl.DataFrame(schema={"batch": pl.UInt32(), **LANDED_SCHEMA})]
    for path, members in _iter_files(root, batches, wanted):
        frames.append(_numbered(pl.read_parquet(path, hive_partitioning=False), members))
    return pl.concat(frames)


def load_listeners_requests(
    folder: tuple[Path, UUID, str], batches: Sequence[Batch], day: date, listeners: pl.Series
) -> pl.DataFrame:
    """The requests of a day that some listeners made, as `load_requests` gives them; the rest never is in memory.

    `folder` is the landing folder, the account and the source.
    """
    frames = [pl.DataFrame(schema={"batch": pl.UInt32(), **LANDED_SCHEMA})]
    asked = pl.col("listener_key").is_in(listeners.unique().implode())
    for path, members in _iter_files(_folder(*folder), batches, {day}):
        frames.append(_numbered(pl.scan_parquet(path, hive_partitioning=False).filter(asked).collect(), members))
    return pl.concat(frames)


Members = dict[UUID, int]


def _iter_files(root: Path, batches: Sequence[Batch], days: set[date]) -> Iterator[tuple[Path, Members]]:
    """Each file with requests of the days once, and the numbers of its batches. Raises LandingFileMissing."""
    files: dict[str, Members] = {}
    for number, batch in enumerate(batches):
        for part in decode_parts(batch):
            if part.day_on in days:
                files.setdefault(part.name(batch.batch_id), {})[batch.batch_id] = number
    for name, members in files.items():
        if not (root / name).is_file():
            raise LandingFileMissing(path=root / name, batch_id=next(iter(members)))
        yield root / name, members


def _numbered(landed: pl.DataFrame, members: Members) -> pl.DataFrame:
    """The file's requests of these batches, with the batch's number in front."""
    if "batch_id" in landed.columns:  # a file of many batches
        numbers = {"batch_id": [batch_id.bytes for batch_id in members], "batch": list(members.values())}
        known = pl.DataFrame(numbers, schema={"batch_id": pl.Binary(), "batch": pl.UInt32()})
        landed = landed.join(known, on="batch_id")
    else:
        (number,) = members.values()
        landed = landed.with_columns(batch=pl.lit(number, pl.UInt32))
    return _with_every_column(landed).select("batch", *LANDED_SCHEMA.names())


def find_incomplete_days(
    landing_dir: Path, owner_id: UUID, source: str, batches: Iterable[Batch], days: Iterable[date]
) -> set[date]:
    """Those of the days whose requests do not all lie there any more."""
    wanted = set(days)
    root = _folder(landing_dir, owner_id, source)
    return {
        part.day_on
        for batch in batches
        for part in decode_parts(batch)
        if part.day_on in wanted and not (root / part.name(batch.batch_id)).is_file()
    }


def _with_every_column(landed: pl.DataFrame) -> pl.DataFrame:
    """A file that an older castline landed has not the columns that came later: nobody knows what they would hold."""
    missing = [name for name in LANDED_SCHEMA if name not in landed.columns]
    return landed.with_columns(pl.lit(None, LANDED_SCHEMA[name]).alias(name) for name in missing)


def landing_place(owner_id: UUID, source: str) -> str:
    """The account's folder of the source, below the landing folder."""
    return f"requests/{owner_id}/{source}"


def _folder(landing_dir: Path, owner_id: UUID, source: str) -> Path:
    return landing_dir / landing_place(owner_id, source)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
