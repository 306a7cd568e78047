"""A closed segment of the log, taken apart by account: one folder, there whole or not at all.

Whose a record is can change from one minute to the next, when a feed is polled. So it is decided once, written down,
and only then does the segment go; what comes after reads the folder, however often it is killed in between.
"""

import logging
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from castline.ingest.conversions.pixel_hits import HitLine
from castline.ingest.segment_log import (
    EVENTS,
    PIXEL,
    READY,
    REFUSED,
    REQUEST,
    Record,
    RefusedHits,
    encode_segment,
    parse_segment,
)
from castline.intake.beacon import Delivery, parse_deliveries
from castline.intake.claims import find_episodes, find_target_owners, target_key
from castline.intake.target import Target, try_parse_target
from castline.intake.trouble import ANYTHING, SUFFIX, is_away
from castline.sources.conversions.pixel_hit import PixelHit
from castline.sources.enclosure import url_key
from castline.store.entities.claims import EpisodeClaim
from castline.store.entities.pixels import find_pixels
from castline.store.pool import Store

_log = logging.getLogger(__name__)
REDIRECTS: Final = "redirects-"
PLAYERS: Final = "players-"
PIXELS: Final = "pixels-"
UNCLAIMED: Final = "unclaimed"
_DRAFT: Final = ".draft"
_KEPT: Final = re.compile(
    rb"\r\n(user-agent|range|referer|sec-gpc|dnt|x-playback-session-id):[ \t]*([^\r]*?)[ \t]*(?=\r\n)", re.IGNORECASE
)
_encoder: Final = msgspec.json.Encoder()
_hit_decoder: Final = msgspec.json.Decoder(PixelHit)
_refused_decoder: Final = msgspec.json.Decoder(RefusedHits)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A line of a `redirects-` file, as castline.sources.logs.intake reads it."""

    redirected_at: str
    address: str
    method: str
    url: str
    range: str | None
    referer: str | None
    user_agent: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class PlayerLine:
    """A line of a `players-` file: one delivery, from whom and when, and the episode that it is about."""

    received_at: datetime
    address: str | None
    user_agent: str | None
    podcast_id: UUID
    episode_id: UUID
    duration_seconds: int | None
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A line of `unclaimed`: how often something came that no account has, or that was too much."""

    segment: str
    day: str
    kind: str
    name: str
    count: int


def split_segment(store: Store, path: Path, into: Path) -> Path:
    """The folder below `into` that holds what the segment held, by account; the segment is gone.

    Where a record among others cannot be taken apart, the folder holds the segment's halves: in the end that record
    is alone. Raises what one alone raises; and DatabaseUnavailable, while nobody can say whose the records are.
    Then the segment stays.
    """
    folder = into / path.stem
    if not folder.is_dir():
        segment = parse_segment(path.read_bytes())
        if segment.damaged_bytes:
            _log.warning("%s: %d bytes were torn or harmed and are lost", path.name, segment.damaged_bytes)
        try:
            files = _take_apart(store, path.stem, segment.records)
        except ANYTHING as error:
            if len(segment.records) < 2 or is_away(store, error):  # noqa: PLR2004  # one has no halves
                raise
            files = _halve(path.stem, segment.records)
        _write_folder(folder, files)
    path.unlink()
    return folder


def _take_apart(store: Store, segment: str, records: Sequence[Record]) -> dict[str, bytes]:
    lines: dict[str, list[bytes]] = defaultdict(list)
    unclaimed: Counter[tuple[str, str, str]] = Counter()
    _split_redirects(store, segment, records, (lines, unclaimed))
    _split_players(store, records, (lines, unclaimed))
    _split_pixels(store, records, (lines, unclaimed))
    lines[UNCLAIMED] = [_encoder.encode(Unclaimed(segment, *name, count)) for name, count in sorted(unclaimed.items())]
    return {f"{name}{SUFFIX}": b"\n".join(content) + b"\n" for name, content in lines.items() if content}


def _halve(segment: str, records: Sequence[Record]) -> dict[str, bytes]:
    middle = len(records) // 2
    halves = (records[:middle], records[middle:])
    return {f"{segment}-{number}{READY}": encode_segment(half) for number, half in enumerate(halves)}


Piles = tuple[dict[str, list[bytes]], Counter[tuple[str, str, str]]]


def _split_redirects(store: Store, segment: str, records: Iterable[Record], piles: Piles) -> None:
    lines, unclaimed = piles
    told: list[tuple[int, Record, str, Target]] = []
    for number, record in enumerate(records):
        if record.kind != REQUEST:
            continue
        verb, path = record.text.split(b" ", 2)[:2]
        found = try_parse_target(path)
        if found is not None:
            told.append((number, record, verb.decode("ascii"), found))
    if not told:
        return
    owners = find_target_owners(store, (target for _, _, _, target in told))
    for number, record, method, target in told:
        owner, at = owners[target_key(target)], _time_of(record)
        url = target.url.decode("ascii")
        if owner is None:
            unclaimed[f"{at:%Y-%m-%d}", "redirect", url_key(url)] += 1
            continue
        headers = _headers(record.text)
        line = Redirect(
            f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", record.address, method, url,
            headers.get("range"), headers.get("referer"), headers.get("user-agent"), f"{segment}-{number}",
        )  # fmt: skip
        lines[f"{REDIRECTS}{owner}"].append(_encoder.encode(line))


def _split_players(store: Store, records: Iterable[Record], piles: Piles) -> None:
    lines, unclaimed = piles
    told: list[tuple[Record, Delivery]] = []
    for record in records:
        if record.kind == EVENTS:
            # It was read before it was acknowledged, by the same code.
            body = record.text[record.text.index(b"\r\n\r\n") + 4 :]
            told += [(record, delivery) for delivery in parse_deliveries(body)]
    if not told:
        return
    episodes = find_episodes(store, {delivery.session.episode for _, delivery in told})
    for record, delivery in told:
        name, at = delivery.session.episode, _time_of(record)
        claim = episodes.get(name)
        if claim is None:
            unclaimed[f"{at:%Y-%m-%d}", "player", name.url or name.guid or str(name.id)] += len(delivery.events)
            continue
        lines[f"{PLAYERS}{claim.owner_id}"].append(_encoder.encode(_player_line(record, delivery, claim)))


def _split_pixels(store: Store, records: Iterable[Record], piles: Piles) -> None:
    lines, unclaimed = piles
    # The web process encoded them, with the checksum of the frame around.
    hits = [_hit_decoder.decode(record.text) for record in records if record.kind == PIXEL]
    for one in (_refused_decoder.decode(record.text) for record in records if record.kind == REFUSED):
        unclaimed[f"{one.at:%Y-%m-%d}", "pixel, too many", str(one.campaign_id)] += one.count
    if not hits:
        return
    with store.system() as connection:
        pixels = find_pixels(connection, {hit.campaign_id for hit in hits})
    for hit in hits:
        pixel = pixels.get(hit.campaign_id)
        if pixel is None:
            unclaimed[f"{hit.occurred_at:%Y-%m-%d}", "pixel", str(hit.campaign_id)] += 1
        else:
            lines[f"{PIXELS}{pixel.owner_id}"].append(_encoder.encode(HitLine(pixel.sponsor_id, hit)))


def _player_line(record: Record, delivery: Delivery, claim: EpisodeClaim) -> PlayerLine:
    headers = _headers(record.text)
    # Global Privacy Control and Do Not Track: then nobody can be matched by household.
    is_private = headers.get("sec-gpc") == "1" or headers.get("dnt") == "1"
    return PlayerLine(
        received_at=_time_of(record),
        address=None if is_private else record.address,
        user_agent=None if is_private else headers.get("user-agent"),
        podcast_id=claim.podcast_id,
        episode_id=claim.episode_id,
        duration_seconds=claim.duration_seconds,
        delivery=delivery,
    )


def _headers(text: bytes) -> dict[str, str]:
    head = text[: text.index(b"\r\n\r\n") + 2]
    return {name.lower().decode("ascii"): value.decode("utf-8", "replace") for name, value in _KEPT.findall(head)}


def _time_of(record: Record) -> datetime:
    return datetime.fromtimestamp(record.at_us // 1_000_000, UTC).replace(microsecond=record.at_us % 1_000_000)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """The folder holds the files, on the disk before it bears its own name."""
    draft = folder.with_name(folder.name + _DRAFT)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    for name, content in files.items():
        file = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    draft.rename(folder)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
