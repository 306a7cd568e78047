"""Hits of an account's pixels become conversions: one batch per so many hits, known by their content.

The same file imported twice changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from castline.base.errors import InvalidInput
from castline.ingest.conversions.receive import PIXEL, receive_conversions
from castline.model.lineage import Drop
from castline.sources.conversions.csv import reason_of
from castline.sources.conversions.fields import Parsed
from castline.sources.conversions.pixel_hit import PixelHit, parse_hit
from castline.store.pool import Store

_LINES_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class HitLine:
    """A hit with the sponsor on whose pages the pixel stood when it was taken in."""

    sponsor_id: UUID
    hit: PixelHit


_decoder: Final = msgspec.json.Decoder(HitLine)


def import_hits(store: Store, owner_id: UUID, path: Path) -> int:
    """How many hits of the file, one JSON line each, are conversions or wait in quarantine with their reason."""
    count = 0
    for lines in _chunks(path):
        rows = [_row(number, _decoder.decode(line)) for number, line in enumerate(lines, start=1)]
        content_hash = sha256(b"\n".join(lines)).digest()
        receive_conversions(store, owner_id, rows, source=PIXEL, content_hash=content_hash, name=PIXEL)
        count += len(rows)
    return count


def _row(number: int, line: HitLine) -> Parsed | Drop:
    try:
        return parse_hit(line.hit, str(line.sponsor_id))
    except InvalidInput as error:
        payload = msgspec.json.encode(line.hit.parameters).decode()
        return Drop(number, reason_of(error), error.message, payload)


def _chunks(path: Path) -> Iterator[Sequence[bytes]]:
    lines = path.read_bytes().splitlines()
    for start in range(0, len(lines), _LINES_AT_ONCE):
        yield lines[start : start + _LINES_AT_ONCE]
