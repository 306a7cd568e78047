"""Conversions and refunds into the store: once each, whoever tells them how often; what cannot be taken is kept apart.

A delivery is one run, one batch, one transaction. A record is known by its source's own key: told again with the same
body it is a duplicate, with another body a conflict, which waits in quarantine.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

from castline.base.clock import now
from castline.base.config import Settings
from castline.base.errors import Ambiguous, InvalidInput, NotFound
from castline.ingest.places import listener_key, truncate_ip
from castline.ingest.scrub import scrub_payload
from castline.model.campaign import Campaign, Sponsor
from castline.model.conversion import ConversionInput, RefundInput
from castline.model.lineage import Batch, DatasetUse, Drop
from castline.sources.conversions.csv import ParsedRow, reason_of
from castline.sources.conversions.json import render_conversion
from castline.store.entities.campaigns import choose, load_campaigns, load_sponsors
from castline.store.money.conversions import ToldRow, load_bodies, lock_conversions, save_told
from castline.store.payload import encode_json
from castline.store.pool import Store
from castline.store.provenance.ledger import OpenRun, find_batch, open_run, save_batch

BATCH_KIND: Final = "conversions"
JOB: Final = "conversion.receive"
_AHEAD: Final = timedelta(days=1)  # of our clock; further, and the source's clock or time zone is wrong
_SOURCE_LENGTH: Final = 50
PIXEL: Final = "pixel"
# What the request of a pixel brings beside what the page says: an order's page that is loaded again says the same.
_OF_THE_REQUEST: Final = ("occurred_at", "ip_address", "user_agent", "referrer", "session_id", "device_id", "metadata")
Received = ConversionInput | RefundInput | ParsedRow | Drop


@dataclass(frozen=True, slots=True)
class ConversionBatch:
    """What became of a delivery: received = accepted + duplicate + refused; `already_imported` if it came before."""

    batch_id: UUID
    received: int
    accepted: int
    duplicate: int
    refused: int
    drops: tuple[Drop, ...] = ()
    already_imported: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """The sponsors and campaigns that rows may name."""

    sponsors: Sequence[Sponsor]
    campaigns: Sequence[Campaign]


@dataclass(slots=True)
class _Intake:
    """A delivery under way: what its rows have become so far."""

    settings: Settings
    owner_id: UUID
    source: str
    names: Names
    told: list[tuple[ParsedRow, ToldRow]] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)


def receive_conversions(  # noqa: PLR0913  # what a delivery is known by, each of it needed
    store: Store,
    owner_id: UUID,
    rows: Sequence[Received],
    *,
    source: str,
    content_hash: bytes,
    name: str,
    read_as: Mapping[str, object] | None = None,
) -> ConversionBatch:
    """The rows are in the store or in quarantine, each counted once; the same content again changes nothing.

    `source` is the door (csv, api, pixel), `name` what was delivered there; `read_as` is kept with the batch, so that
    a refused row can be read again.
    """
    if not 0 < len(source) <= _SOURCE_LENGTH:
        raise InvalidInput(field="source", detail=f"must have 1 to {_SOURCE_LENGTH} characters")
    with open_run(store, owner_id, JOB, parameters={"source": source, "name": name}) as run:
        # The lock comes first: of two deliveries of one content the later one finds the batch of the earlier.
        lock_conversions(run.connection, owner_id)
        if known := find_batch(run.connection, owner_id, BATCH_KIND, content_hash):
            run.count("already_imported")
            return describe_same(known)
        names = Names(load_sponsors(run.connection, owner_id), load_campaigns(run.connection, owner_id))
        intake = _Intake(store.settings, owner_id, source, names)
        for place, row in enumerate(rows, start=1):
            _take_in(intake, place, row)
        facts = {"source": source} | dict(read_as or {"format": "json"})
        return _save_delivery(run, intake, content_hash, (name, facts))


def describe_same(known: Batch) -> ConversionBatch:
    """What came before under the same content: nothing is new, everything is a duplicate or still refused."""
    return ConversionBatch(
        batch_id=known.batch_id,
        received=known.received_count,
        accepted=0,
        duplicate=known.accepted_count,
        refused=known.refused_count,
        already_imported=True,
    )


def _take_in(intake: _Intake, place: int, row: Received) -> None:
    """The row is among those to save, or among the drops."""
    if isinstance(row, Drop):
        intake.drops.append(replace(row, payload=scrub_payload(row.payload, intake.settings.ip_privacy)))
        return
    if not isinstance(row, ParsedRow):
        row = ParsedRow(place, encode_json(render_conversion(row)).decode(), row)
    try:
        intake.told.append((row, resolve_row(intake.settings, intake.owner_id, intake.source, row.value, intake.names)))
    except Refused as refused:
        _refuse(intake, row, refused.reason, refused.detail)


def _refuse(intake: _Intake, row: ParsedRow, reason: str, detail: str) -> None:
    payload = scrub_payload(row.text, intake.settings.ip_privacy)
    intake.drops.append(Drop(row.line_number, reason, detail, payload))


def _save_delivery(
    run: OpenRun, intake: _Intake, content_hash: bytes, described: tuple[str, dict[str, object]]
) -> ConversionBatch:
    received = len(intake.told) + len(intake.drops)
    fresh, duplicates = _split_known(run, intake)
    outcome = ConversionBatch(uuid4(), received, len(fresh), duplicates, len(intake.drops), tuple(intake.drops))
    times = [row.value.occurred_at for row in fresh]
    batch = Batch(
        batch_id=outcome.batch_id,
        user_id=run.owner_id,
        run_id=run.run_id,
        kind=BATCH_KIND,
        source=described[0],
        content_hash=content_hash,
        landed_as=None,
        received_count=received,
        accepted_count=len(fresh) + duplicates,
        refused_count=len(intake.drops),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
        created_at=now(),
        metadata=described[1] | {"duplicate": duplicates},
    )
    save_batch(run, batch, intake.drops)
    save_told(run.connection, run.owner_id, intake.source, batch.batch_id, fresh)
    run.counts |= {"received": received, "accepted": len(fresh), "duplicate": duplicates, "refused": outcome.refused}
    run.uses += describe_uses(batch, fresh)
    return outcome


def describe_uses(batch: Batch, fresh: Sequence[ToldRow]) -> list[DatasetUse]:
    """What a delivery read and wrote, for the ledger."""
    uses = [DatasetUse("input", "orders", batch.source, batch.received_count, batch.content_hash)]
    refund_count = sum(isinstance(row.value, RefundInput) for row in fresh)
    for dataset, row_count in (("conversions", len(fresh) - refund_count), ("refunds", refund_count)):
        if row_count:
            uses.append(
                DatasetUse("output", dataset, str(batch.batch_id), row_count, None, batch.first_at, batch.last_at)
            )
    return uses


def _split_known(run: OpenRun, intake: _Intake) -> tuple[list[ToldRow], int]:
    """The rows that are new, and how many were told before; a known key with another body joins the drops."""
    keys = [told.source_key for _, told in intake.told]
    bodies = load_bodies(run.connection, run.owner_id, intake.source, keys)
    fresh: list[ToldRow] = []
    duplicate_count = 0
    for row, told in intake.told:
        known = bodies.get(told.source_key)
        if known is None:
            bodies[told.source_key] = told.body_hash
            fresh.append(told)
        elif known == told.body_hash:
            duplicate_count += 1
        else:
            _refuse(intake, row, "conflict", f"source_key: {told.source_key!r} was told before with another body")
    intake.drops.sort(key=lambda drop: drop.line_number)
    return fresh, duplicate_count


class Refused(Exception):  # carries a drop's reason to where its row is known, never further
    """A row is refused for a reason."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def resolve_row(
    settings: Settings, owner_id: UUID, source: str, value: ConversionInput | RefundInput, names: Names
) -> ToldRow:
    """The row with its ids: of its sponsor, of its campaign, of itself. Raises Refused."""
    if value.occurred_at > now() + _AHEAD:
        raise Refused("invalid_field", f"occurred_at: {value.occurred_at:%Y-%m-%d %H:%M} UTC lies in the future")
    sponsor = _find_sponsor(value.sponsor, names)
    campaign = _find_campaign(value, sponsor, names) if isinstance(value, ConversionInput) else None
    sponsor_id = sponsor.sponsor_id if sponsor else campaign.sponsor_id if campaign else _only_sponsor(names)
    key, kept = None, None
    if isinstance(value, ConversionInput) and value.ip_address:
        key, kept = _find_address(settings, owner_id, value.ip_address)
    body = _hash_body(value, key, (sponsor_id, campaign.campaign_id if campaign else None))
    if source == PIXEL and value.order_id:
        body = _hash_said(value)
    source_key = value.source_key or _make_source_key(value, sponsor_id, body)
    return ToldRow(
        row_id=uuid5(NAMESPACE_OID, f"castline conversion {owner_id} {source} {source_key}"),
        value=value,
        source_key=source_key,
        body_hash=body,
        sponsor_id=sponsor_id,
        campaign_id=campaign.campaign_id if campaign else None,
        listener_key=key,
        ip_address=kept,
    )


def _find_sponsor(named: str | None, names: Names) -> Sponsor | None:
    if named is None:
        return None
    try:
        return choose(names.sponsors, named, noun="sponsor", names=lambda item: (item.sponsor_id, item.name))
    except (NotFound, Ambiguous):
        raise Refused("unknown_sponsor", f"sponsor: there is no sponsor {named[:100]!r}") from None


def _find_campaign(value: ConversionInput, sponsor: Sponsor | None, names: Names) -> Campaign | None:
    named = str(value.campaign_id) if value.campaign_id else value.campaign
    if named is None:
        return None
    of_sponsor = [item for item in names.campaigns if sponsor is None or item.sponsor_id == sponsor.sponsor_id]
    try:
        return choose(of_sponsor, named, noun="campaign", names=lambda item: (item.campaign_id, item.name))
    except (NotFound, Ambiguous):
        whose = f" of {sponsor.name}" if sponsor else ""
        raise Refused("unknown_campaign", f"campaign: there is no one campaign {named[:100]!r}{whose}") from None


def _only_sponsor(names: Names) -> UUID | None:
    # An account with one sponsor has no other whose customer this could be.
    return names.sponsors[0].sponsor_id if len(names.sponsors) == 1 else None


def _find_address(settings: Settings, owner_id: UUID, text: str) -> tuple[bytes | None, str | None]:
    """The household's key and what may be kept of its address; a network, as quarantine keeps it, has no key."""
    if "/" in text:
        return None, truncate_ip(text.partition("/")[0], "none" if settings.ip_privacy == "none" else "truncated")
    try:
        return listener_key(settings, owner_id, text), truncate_ip(text, settings.ip_privacy)
    except InvalidInput as error:
        raise Refused(reason_of(error), error.message) from None


def _hash_body(value: ConversionInput | RefundInput, key: bytes | None, ids: tuple[UUID | None, UUID | None]) -> bytes:
    """The same record told again has the same hash, however sponsor and campaign were named.

    Its address counts as its key, so that the hash gives no address away.
    """
    body = render_conversion(value) | {"sponsor": ids[0], "campaign": ids[1], "ip_address": key}
    body.pop("source_key", None)
    return hashlib.sha256(encode_json(body)).digest()


def _hash_said(value: ConversionInput | RefundInput) -> bytes:
    """The hash of what a page says of its order, whoever loads it and how often."""
    said = {name: content for name, content in render_conversion(value).items() if name not in _OF_THE_REQUEST}
    return hashlib.sha256(encode_json(said)).digest()


def _make_source_key(value: ConversionInput | RefundInput, sponsor_id: UUID | None, body: bytes) -> str:
    # An order can be refunded in parts, so the order's number is no key of a refund.
    if isinstance(value, ConversionInput) and value.order_id:
        return f"{value.conversion_type}:{sponsor_id or ''}:{value.order_id}"
    return f"sha256:{body.hex()}"
