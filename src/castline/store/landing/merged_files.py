"""Small files of the landing zone merged into larger ones: the rows bear their batch, the batches say where they are.

A merged file is whole and in its place before the transaction that lets batches name it, and the files that it
replaces go later, when nobody can be reading them: whatever is killed in between, what batches name is there.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b, file_digest
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from uuid import UUID

import polars as pl
from psycopg import Connection

from castline.base.errors import Terminal
from castline.base.period import Period
from castline.model.lineage import Batch
from castline.store.landing.files import LandedPart, LandingFileMissing, decode_parts, encode_parts, landing_place
from castline.store.listening.downloads import load_landed_batches
from castline.store.payload import encode_json
from castline.store.rows import load_scalars, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("merged_files")
_MERGED: Final = "merged-"
_NAME_BYTES: Final = 16
_UUID_LENGTH: Final = 36


class LandingDamaged(Terminal):
    """The landed files of {day} hold {found} rows where their batches have {expected}; nothing was merged."""

    fix = "Restore the landing folder of that day from its backup."


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file of a day: its name below the folder of the source, and which batches' parts it holds."""

    name: str
    members: tuple[tuple[Batch, LandedPart], ...]

    @property
    def row_count(self) -> int:
        """How many rows it holds."""
        return sum(part.row_count for _, part in self.members)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an account's files of one source and UTC day lie."""

    landing_dir: Path
    owner_id: UUID
    source: str
    day_on: date

    @property
    def root(self) -> Path:
        """The account's folder of the source."""
        return self.landing_dir / landing_place(self.owner_id, self.source)

    @property
    def folder(self) -> Path:
        """The folder of the day."""
        return self.root / str(self.day_on)


def lock_merging(connection: Connection, owner_id: UUID) -> None:
    """Nobody else merges the account's files until this transaction ends."""
    connection.execute(_SQL["lock_merging"], {"tenant": owner_id})


def load_files(connection: Connection, place: Place) -> list[LandedFile]:
    """The files of the day that batches name, in the order of their first request."""
    files: dict[str, list[tuple[Batch, LandedPart]]] = {}
    for batch in sorted(_load_batches(connection, place), key=lambda batch: (batch.first_at, batch.batch_id)):
        for part in decode_parts(batch):
            if part.day_on == place.day_on:
                files.setdefault(part.name(batch.batch_id), []).append((batch, part))
    return [LandedFile(name, tuple(members)) for name, members in files.items()]


def merge_files(connection: Connection, place: Place, files: Sequence[LandedFile]) -> LandedFile:
    """One file holds the rows of all of them, and the batches name it instead from this transaction's commit on.

    Raises LandingFileMissing, LandingDamaged.
    """
    rows = pl.concat([_read(place.root, file) for file in files], how="diagonal")
    expected = sum(file.row_count for file in files)
    if rows.height != expected:
        raise LandingDamaged(day=place.day_on, found=rows.height, expected=expected)
    identity = blake2b("\n".join(sorted(file.name for file in files)).encode(), digest_size=_NAME_BYTES)
    merged_as = f"{_MERGED}{identity.hexdigest()}.parquet"
    _write(place, merged_as, rows.sort("time", "batch_id", "line_number"))
    members = [
        (batch, LandedPart(part.day_on, part.part, part.row_count, merged_as))
        for file in files
        for batch, part in file.members
    ]
    _save_parts(connection, place.owner_id, members)
    return LandedFile(f"{place.day_on}/{merged_as}", tuple(members))


def hash_file(place: Place, file: LandedFile) -> bytes:
    """The SHA-256 of the file."""
    with (place.root / file.name).open("rb") as content:
        return file_digest(content, "sha256").digest()


def remove_replaced(connection: Connection, place: Place) -> int:
    """How many files of the day went that no batch names any more; none while anybody may be reading them."""
    lock_merging(connection, place.owner_id)
    if load_scalars(connection, _SQL["try_own_landing"], {"tenant": place.owner_id}) != [True]:
        return 0
    batches = _load_batches(connection, place)
    named = {part.name(batch.batch_id) for batch in batches for part in decode_parts(batch)}
    known = {str(batch.batch_id) for batch in batches}
    replaced = [
        path
        for path in place.folder.glob("*.parquet")
        if f"{place.day_on}/{path.name}" not in named
        # A file of a batch that is not there yet is an import's under way.
        and (path.name.startswith(_MERGED) or path.name[:_UUID_LENGTH] in known)
    ]
    for path in replaced:
        path.unlink()
    return len(replaced)


def _load_batches(connection: Connection, place: Place) -> list[Batch]:
    day = Period.of_days(place.day_on, place.day_on)
    return load_landed_batches(connection, place.owner_id, place.source, day)


def _read(root: Path, file: LandedFile) -> pl.DataFrame:
    batch = file.members[0][0]
    if not (root / file.name).is_file():
        raise LandingFileMissing(path=root / file.name, batch_id=batch.batch_id)
    rows = pl.read_parquet(root / file.name, hive_partitioning=False)
    if "batch_id" in rows.columns:
        # Those of a batch that was withdrawn stay behind.
        return rows.filter(pl.col("batch_id").is_in([member.batch_id.bytes for member, _ in file.members]))
    return rows.with_columns(batch_id=pl.lit(batch.batch_id.bytes))


def _write(place: Place, name: str, rows: pl.DataFrame) -> None:
    draft = Path(mkdtemp(prefix=".draft-", dir=place.root))
    try:
        rows.write_parquet(draft / name, compression="zstd", compression_level=1)
        _sync(draft / name)
        (draft / name).replace(place.folder / name)
        _sync(place.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _save_parts(connection: Connection, owner_id: UUID, members: Iterable[tuple[Batch, LandedPart]]) -> None:
    told: dict[UUID, dict[tuple[date, int], LandedPart]] = {}
    for batch, part in members:
        parts = told.setdefault(batch.batch_id, {(old.day_on, old.part): old for old in decode_parts(batch)})
        parts[part.day_on, part.part] = part
    facts = {
        "tenant": owner_id,
        "batch_ids": list(told),
        "parts": [encode_json(encode_parts(parts.values())).decode() for parts in told.values()],
    }
    save(connection, _SQL["save_parts"], facts)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
