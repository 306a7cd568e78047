"""A delivery of conversions over HTTP: a body becomes rows, and what became of them becomes the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import msgspec

from castline.base.errors import CastlineError, InvalidInput
from castline.ingest.conversions.receive import ConversionBatch, receive_conversions
from castline.model.account import ApiKey
from castline.model.lineage import Drop
from castline.model.vocab import ConversionType
from castline.sources.conversions.csv import ParsedRow, reason_of
from castline.sources.conversions.fields import SYNONYMS
from castline.sources.conversions.json import parse_conversion
from castline.store.payload import decode_json, encode_json
from castline.web.context import Context

_MOST: Final = 10_000
_REMEMBERED_SECONDS: Final = 24 * 3600
_JSON: Final = "application/json"


class NotJson(InvalidInput):
    """body: is no JSON: {detail}"""

    fix = "Send one conversion, a list of them, or an object with the member `conversions`, as application/json."


class KeyReused(InvalidInput):
    """Idempotency-Key: was used before with another body"""

    fix = "Use a new key for a new delivery, and the same key only to repeat one."


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that was not taken: its place in the body, counted from 0, the field, and what is wrong with it."""

    index: int
    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What became of a delivery: received = accepted + duplicate + refused_count."""

    batch_id: str
    received: int
    accepted: int
    duplicate: int
    refused_count: int
    refused: list[RefusedRecord] = field(default_factory=list)
    already_imported: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that can be kept and given again."""

    status: int
    body: dict[str, Any]
    media_type: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)


def receive_delivery(context: Context, key: ApiKey, body: bytes, idempotency_key: str | None) -> Answer:
    """The delivery is committed, and this is the answer; a repeated key gives the first answer again.

    Raises NotJson, KeyReused, and what the store raises.
    """
    memory = f"idempotency:{key.user_id}:{sha256(idempotency_key.encode()).hexdigest()}" if idempotency_key else None
    if memory and (known := _recall(context, memory, body)):
        return known
    rows = parse_body(body)
    batch = receive_conversions(
        context.store,
        key.user_id,
        rows,
        source="api",
        content_hash=sha256(body).digest(),
        name=f"api key {key.prefix}",
    )
    answer = _answer(batch)
    if memory:
        _remember(context, memory, body, answer)
    return answer


def parse_body(body: bytes) -> list[ParsedRow | Drop]:
    """One row per record of the body, those that cannot be read as drops. Raises NotJson."""
    try:
        content = decode_json(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(detail=str(error)[:200]) from error
    records = content.get("conversions") if isinstance(content, Mapping) and "conversions" in content else content
    if isinstance(records, Mapping):
        records = [records]
    if not isinstance(records, Sequence) or isinstance(records, str) or not records:
        raise NotJson(detail="there is no conversion in it")
    if len(records) > _MOST:
        raise NotJson(detail=f"it has {len(records)} records, {_MOST} are taken at once")
    return [_parse_record(number, record) for number, record in enumerate(records, start=1)]


def _parse_record(number: int, record: object) -> ParsedRow | Drop:
    text = encode_json(record).decode()
    if not isinstance(record, Mapping):
        return Drop(number, "invalid_record", "record: is no object", text)
    try:
        return ParsedRow(number, text, parse_conversion(record))
    except InvalidInput as error:
        return Drop(number, reason_of(error), error.message, text)


def _answer(batch: ConversionBatch) -> Answer:
    refused = [_refused(drop) for drop in batch.drops]
    result = {
        "batch_id": str(batch.batch_id),
        "received": batch.received,
        "accepted": batch.accepted,
        "duplicate": batch.duplicate,
        "refused_count": batch.refused,
        "refused": refused,
        "already_imported": batch.already_imported,
    }
    if batch.refused < batch.received:
        return Answer(200, result)
    problem = {
        "type": "urn:castline:problem:all_refused",
        "title": "all refused",
        "status": 422,
        "code": "all_refused",
        "detail": "; ".join(f"{item['field']}: {item['detail']}" for item in refused[:5]) or "No record was taken.",
        "fix": "`castline quarantine list` shows what waits; mend the records and send them again.",
    }
    return Answer(422, problem | result, "application/problem+json")


def _refused(drop: Drop) -> dict[str, object]:
    name, colon, rest = drop.detail.partition(": ")
    return {"index": drop.line_number - 1, "field": name if colon else "", "detail": rest if colon else drop.detail}


def _recall(context: Context, memory: str, body: bytes) -> Answer | None:
    try:
        kept = context.cache.find(memory)
    except CastlineError:
        return None  # the store's own memory of records still keeps everything single
    if kept is None:
        return None
    told = decode_json(kept)
    if told["body"] != sha256(body).hexdigest():
        raise KeyReused
    headers = {"idempotency-replayed": "true"}
    return Answer(told["status"], told["answer"], told["media_type"], headers)


def _remember(context: Context, memory: str, body: bytes, answer: Answer) -> None:
    told = {
        "body": sha256(body).hexdigest(),
        "status": answer.status,
        "answer": answer.body,
        "media_type": answer.media_type,
    }
    try:
        context.cache.save(memory, encode_json(told), _REMEMBERED_SECONDS)
    except CastlineError:
        return


_RECORD: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["occurred_at"],
    "additionalProperties": False,
    "properties": {
        name: {"type": ["string", "number", "null"], "description": f"also as {', '.join(names[1:])}"}
        if len(names) > 1
        else {"type": ["string", "number", "null"]}
        for name, names in SYNONYMS.items()
    }
    | {
        "metadata": {"type": "object"},
        "conversion_type": {
            "type": "string",
            "enum": [*ConversionType.__args__, "refund", "chargeback", "reversal"],  # type: ignore[attr-defined]
            "default": "purchase",
        },
        "occurred_at": {"type": ["string", "number"], "description": "ISO 8601 (UTC without a zone) or Unix time"},
    },
}
DELIVERY_SCHEMA: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        _JSON: {
            "schema": {
                "oneOf": [
                    _RECORD,
                    {"type": "array", "items": _RECORD, "minItems": 1, "maxItems": _MOST},
                    {
                        "type": "object",
                        "required": ["conversions"],
                        "properties": {"conversions": {"type": "array", "items": _RECORD, "minItems": 1}},
                    },
                ]
            },
            "example": {
                "conversions": [
                    {
                        "occurred_at": "2026-03-01T09:30:00Z",
                        "order_id": "A-1001",
                        "conversion_value": 79.9,
                        "currency": "USD",
                        "promo_code": "FOX20",
                    }
                ]
            },
        }
    },
}
