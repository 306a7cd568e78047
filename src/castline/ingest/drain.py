"""The spool of hits becomes conversions: one batch per file and account, and a file goes when its rows are committed.

The same file drained twice changes nothing, because a batch is known by its content.
"""

import logging
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from castline.base.errors import InvalidInput, Terminal
from castline.ingest.conversions import PIXEL, receive_conversions
from castline.ingest.spool import Spool
from castline.model.lineage import Drop
from castline.sources.conversion_csv import reason_of
from castline.sources.conversion_fields import Parsed
from castline.sources.pixel_hit import PixelHit, parse_hit
from castline.store.pixels import Pixel, find_pixels
from castline.store.pool import Store

_log = logging.getLogger(__name__)
_LINES_AT_ONCE: Final = 5_000
_FAILED: Final = ".failed"
_decoder: Final = msgspec.json.Decoder(PixelHit)


def drain_spool(store: Store, spool: Spool) -> int:
    """How many waiting hits became rows. Raises Transient, and leaves the files, while the store is away."""
    drained = 0
    with spool.take() as files:
        for path in files:
            drained += _drain_file(store, path)
    return drained


def _drain_file(store: Store, path: Path) -> int:
    drained, is_whole = 0, True
    for lines in _chunks(path):
        hits = [hit for line in lines if (hit := _try_decode(line))]
        with store.system() as connection:
            pixels = find_pixels(connection, {hit.campaign_id for hit in hits})
        for owner_id in sorted({pixel.owner_id for pixel in pixels.values()}):
            theirs = [(hit, pixel) for hit in hits if (pixel := pixels.get(hit.campaign_id))]
            try:
                drained += _receive(store, owner_id, [pair for pair in theirs if pair[1].owner_id == owner_id])
            except Terminal as error:
                _log.error("%s: hits of the account %s wait in a file of their own: %s", path.name, owner_id, error)
                is_whole = False
    if is_whole:
        path.unlink()
    else:
        path.rename(path.with_suffix(_FAILED))
    return drained


def _receive(store: Store, owner_id: UUID, hits: Sequence[tuple[PixelHit, Pixel]]) -> int:
    content_hash = sha256(b"\n".join(msgspec.json.encode(hit) for hit, _ in hits)).digest()
    rows = [_row(number, hit, pixel) for number, (hit, pixel) in enumerate(hits, start=1)]
    receive_conversions(store, owner_id, rows, source=PIXEL, content_hash=content_hash, name=PIXEL)
    return len(rows)


def _row(number: int, hit: PixelHit, pixel: Pixel) -> Parsed | Drop:
    try:
        return parse_hit(hit, str(pixel.sponsor_id))
    except InvalidInput as error:
        payload = msgspec.json.encode(hit.parameters).decode()
        return Drop(number, reason_of(error), error.message, payload)


def _chunks(path: Path) -> Iterator[list[bytes]]:
    lines = path.read_bytes().split(b"\n")
    # After the last line break stands nothing, or a line that was never acknowledged.
    whole = lines[:-1]
    for start in range(0, len(whole), _LINES_AT_ONCE):
        yield whole[start : start + _LINES_AT_ONCE]


def _try_decode(line: bytes) -> PixelHit | None:
    try:
        return _decoder.decode(line)
    except msgspec.MsgspecError:
        _log.warning("a line of the spool cannot be read and is left out: %.80r", line)
        return None
