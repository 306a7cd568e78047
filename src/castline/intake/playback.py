"""What players told becomes sessions and events: each beacon lies in the landing zone, few are rows of their own.

A session's row bears its furthest point, and of each ad the furthest quarter; the beacons stay in the landing zone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import polars as pl

from castline.base.clock import now
from castline.base.config import Settings
from castline.ingest.places import compute_places
from castline.intake.beacon import Beacon
from castline.intake.split import PlayerLine
from castline.measure.agents.classifier import open_classifier
from castline.measure.rules.airing import load_ads, name_heard_ads
from castline.model.lineage import Batch, DatasetUse, Drop
from castline.store.landing.files import Landing, encode_parts, landing_place, open_landing
from castline.store.listening.playback import (
    PLAYER_KIND,
    Listener,
    PlayerEventRow,
    SessionRow,
    save_player_events,
    save_sessions,
)
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, find_batch, open_run, save_batch
from castline.store.timeseries import ensure_partitions
from castline.store.upkeep.retention import LANDING_KEPT

LANDED_SCHEMA: Final = pl.Schema(
    {
        "line_number": pl.UInt32(), "time": pl.Datetime("us", "UTC"), "received_at": pl.Datetime("us", "UTC"),
        "listener_key": pl.Binary(), "ip": pl.String(), "country": pl.String(), "asn": pl.UInt32(),
        "user_agent": pl.String(), "podcast_id": pl.String(), "episode_id": pl.String(), "session_id": pl.String(),
        "started_at": pl.Datetime("us", "UTC"), "event_id": pl.String(), "type": pl.String(),
        "position_seconds": pl.Float64(), "percent": pl.UInt8(), "campaign_id": pl.String(), "ad_id": pl.String(),
    }
)  # fmt: skip
_ROWS: Final = {
    "complete": "listen_complete",
    "skip": "skip",
    "ad_start": "ad_start",
    "ad_complete": "ad_complete",
    "ad_skip": "ad_skip",
}
_CLOCK_SLACK: Final = timedelta(days=1)
_PERSON: Final = b"castline-player"
_UUID_MARKS: Final = 0xF << 76 | 0b11 << 62
_UUID_8: Final = 8 << 76 | 0b10 << 62
_RATE: Final = Decimal("0.0001")
_LONGEST: Final = 2_000_000  # seconds
_decoder: Final = msgspec.json.Decoder(PlayerLine)


@dataclass(frozen=True, slots=True)
class _Told:
    """One beacon with all that its delivery says around it."""

    number: int
    line: PlayerLine
    beacon: Beacon


def import_players(store: Store, owner_id: UUID, path: Path) -> int:
    """How many beacons of the file are in the landing zone and in `listener_events`; the same content is taken once."""
    content = path.read_bytes()
    content_hash = sha256(content).digest()
    told = [
        _Told(0, line, beacon) for line in map(_decoder.decode, content.splitlines()) for beacon in line.delivery.events
    ]
    told = [_Told(number, one.line, one.beacon) for number, one in enumerate(told, start=1)]
    drops = list(_iter_drops(told))
    refused = {drop.line_number for drop in drops}
    good = [one for one in told if one.number not in refused]
    listeners = _find_listeners(store.settings, owner_id, good)
    _make_room(store, good)
    with (
        open_landing(store.settings.landing_dir, owner_id, PLAYER_KIND) as landing,
        open_run(store, owner_id, "player.import", parameters={"segment": path.parent.name}) as run,
    ):
        known = find_batch(run.connection, owner_id, PLAYER_KIND, content_hash)
        if known is not None:
            run.count("already_imported")
            return known.accepted_count
        if good:
            landing.add(_landed(good, listeners))
        batch = _batch_of(run, (content_hash, path), (good, drops), landing)
        landing.publish(batch.batch_id)
        save_batch(run, batch, drops)
        sessions = save_sessions(run.connection, owner_id, run.run_id, list(_sessions(owner_id, good, listeners)))
        events = save_player_events(run.connection, owner_id, run.run_id, list(_events(owner_id, good, listeners)))
        ad_days = sorted({one.beacon.at.astimezone(UTC).date() for one in good if one.beacon.type.startswith("ad_")})
        name_heard_ads(run.connection, owner_id, ad_days, load_ads(run.connection, owner_id))
        _record(run, batch, sessions + events)
    return len(good)


def _iter_drops(told: Sequence[_Told]) -> Iterator[Drop]:
    for one in told:
        received = one.line.received_at
        for at in (one.line.delivery.session.started_at, one.beacon.at):
            reason, detail = "", ""
            if at > received + _CLOCK_SLACK:
                reason, detail = "time_in_future", f"{at} lies in the future"
            elif at < received - LANDING_KEPT:
                reason, detail = "past_retention", f"{at} is longer ago than events are kept"
            if reason:
                yield Drop(one.number, reason, detail, msgspec.json.encode(one.beacon).decode())
                break


Place = tuple[str | None, str | None]


def _find_listeners(settings: Settings, owner_id: UUID, told: Sequence[_Told]) -> dict[Place, Listener]:
    pairs = {(one.line.address, one.line.user_agent) for one in told}
    places = compute_places(settings, owner_id, sorted({address for address, _ in pairs if address}))
    by_address = {row["address"]: row for row in places.iter_rows(named=True)}
    agents = sorted({agent for _, agent in pairs if agent})
    by_agent = dict(zip(agents, open_classifier(settings).classify_all(agents), strict=True))
    found = {}
    for address, agent in pairs:
        place, kind = by_address.get(address, {}), by_agent.get(agent or "")
        found[address, agent] = Listener(
            listener_key=place.get("listener_key"),
            ip=place.get("ip"),
            country=place.get("country"),
            user_agent=agent,
            app=kind.name if kind else None,
            platform=kind.platform if kind else None,
            device_type=kind.device_type if kind else None,
            device_os=kind.device_os if kind else None,
        )
    return found


def _listener_of(one: _Told, listeners: dict[Place, Listener]) -> Listener:
    return listeners[one.line.address, one.line.user_agent]


def _make_room(store: Store, told: Sequence[_Told]) -> None:
    days = {at.date() for one in told for at in (one.beacon.at, one.line.delivery.session.started_at)}
    for day in sorted(days):
        with store.owner() as connection:
            ensure_partitions(connection, day, day, tables={"listener_events"})


def _landed(told: Sequence[_Told], listeners: dict[Place, Listener]) -> pl.DataFrame:
    rows = []
    for one in told:
        listener, session, beacon = _listener_of(one, listeners), one.line.delivery.session, one.beacon
        rows.append(
            (one.number, beacon.at, one.line.received_at, listener.listener_key, listener.ip, listener.country, None,
             listener.user_agent, str(one.line.podcast_id), str(one.line.episode_id), session.id, session.started_at,
             beacon.id, beacon.type, beacon.position_seconds, beacon.percent,
             None if beacon.campaign_id is None else str(beacon.campaign_id), beacon.ad_id)
        )  # fmt: skip
    return pl.DataFrame(rows, schema=LANDED_SCHEMA, orient="row")


def _sessions(owner_id: UUID, told: Sequence[_Told], listeners: dict[Place, Listener]) -> Iterator[SessionRow]:
    """One row per session, with the furthest point that these beacons tell of."""
    groups: dict[tuple[UUID, datetime], list[_Told]] = {}
    for one in told:
        session = one.line.delivery.session
        key = _event_id(owner_id, one.line.episode_id, session.id, "session")
        groups.setdefault((key, session.started_at), []).append(one)
    for (event_id, at), members in groups.items():
        first = members[0]
        duration = first.line.duration_seconds or first.line.delivery.session.duration_seconds
        seconds = _furthest(members, duration)
        rate = None
        if seconds is not None and duration:
            rate = min(Decimal(1), Decimal(seconds) / Decimal(duration)).quantize(_RATE)
        listener = _listener_of(first, listeners)
        yield SessionRow(
            event_id, at, first.line.podcast_id, first.line.episode_id, first.line.delivery.session.id,
            seconds, rate, _encode_session(listener, members), listener,
        )  # fmt: skip


def _furthest(members: Sequence[_Told], duration: float | None) -> int | None:
    """The furthest second heard; whoever completed the episode came to its end."""
    points = [one.beacon.position_seconds for one in members if one.beacon.position_seconds is not None]
    if duration and any(one.beacon.type == "complete" for one in members):
        points.append(duration)
    return min(int(max(points)), _LONGEST) if points else None


def _events(owner_id: UUID, told: Sequence[_Told], listeners: dict[Place, Listener]) -> Iterator[PlayerEventRow]:
    seen = set()
    for one in told:
        event_type, session, beacon = _ROWS.get(one.beacon.type), one.line.delivery.session, one.beacon
        if event_type is None:
            continue
        event_id = _event_id(owner_id, one.line.episode_id, session.id, f"event {beacon.id}")
        if (event_id, beacon.at) in seen:
            continue
        seen.add((event_id, beacon.at))
        seconds = None if beacon.position_seconds is None else int(beacon.position_seconds)
        listener = _listener_of(one, listeners)
        yield PlayerEventRow(
            event_id, beacon.at, one.line.podcast_id, one.line.episode_id, session.id, seconds, event_type,
            beacon.campaign_id, _encode_metadata(listener, beacon), listener,
        )  # fmt: skip


def _encode_session(listener: Listener, members: Sequence[_Told]) -> str:
    """The app, and of each ad that is named how many percent of it were told to be heard at most."""
    ads: dict[str, int] = {}
    for beacon in (one.beacon for one in members if one.beacon.type == "ad_progress"):
        name = beacon.ad_id or (str(beacon.campaign_id) if beacon.campaign_id else None)
        if name and beacon.percent:
            ads[name] = max(ads.get(name, 0), beacon.percent)
    told: dict[str, object] = {} if listener.app is None else {"app": listener.app}
    return msgspec.json.encode(told | {"ads": ads} if ads else told).decode()


def _encode_metadata(listener: Listener, beacon: Beacon) -> str:
    """The app, and of an ad what its beacon calls it: the campaign is looked up again when placements change."""
    told = {"app": listener.app, "ad_id": beacon.ad_id}
    if beacon.campaign_id:
        told["campaign"] = str(beacon.campaign_id)
    return msgspec.json.encode({name: text for name, text in told.items() if text is not None}).decode()


def _event_id(owner_id: UUID, episode_id: UUID, session: str, name: str) -> UUID:
    """The same id for the same event, however often and in whatever order it is delivered."""
    text = owner_id.bytes + episode_id.bytes + session.encode() + b"\0" + name.encode()
    number = int.from_bytes(blake2b(text, digest_size=16, person=_PERSON).digest())
    return UUID(int=number & ~_UUID_MARKS | _UUID_8)


def _batch_of(
    run: OpenRun, file: tuple[bytes, Path], became: tuple[Sequence[_Told], Sequence[Drop]], landing: Landing
) -> Batch:
    content_hash, path = file
    good, drops = became
    number = int.from_bytes(blake2b(run.owner_id.bytes + content_hash, digest_size=16, person=_PERSON).digest())
    # A session's row is of the time at which it began, which may be a day before all that was told of it.
    times = [at for one in good for at in (one.beacon.at, one.line.delivery.session.started_at)]
    return Batch(
        batch_id=UUID(int=number & ~_UUID_MARKS | _UUID_8),
        user_id=run.owner_id,
        run_id=run.run_id,
        kind=PLAYER_KIND,
        source=f"intake {path.parent.name}",
        content_hash=content_hash,
        landed_as=landing_place(run.owner_id, PLAYER_KIND),
        received_count=len(good) + len(drops),
        accepted_count=len(good),
        refused_count=len(drops),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        created_at=now(),
        metadata={"parts": encode_parts(landing.parts)},
    )


def _record(run: OpenRun, batch: Batch, row_count: int) -> None:
    run.count("received", batch.received_count)
    run.count("landed", batch.accepted_count)
    run.count("refused", batch.refused_count)
    run.count("rows", row_count)
    span = (batch.first_at, batch.last_at)
    run.uses = [
        DatasetUse("input", "player_events", batch.source, batch.received_count, batch.content_hash, *span),
        DatasetUse("output", "landing_player_events", str(batch.batch_id), batch.accepted_count, None, *span),
        DatasetUse("output", "listener_events", str(batch.batch_id), row_count, None, *span),
        DatasetUse("output", "quarantine", str(batch.batch_id), batch.refused_count),
    ]
    run.watermark_at = batch.last_at
