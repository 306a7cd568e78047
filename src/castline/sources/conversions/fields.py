"""What a conversion says of itself: names and shapes of its fields, as every door of ours reads them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, cast
from uuid import UUID

from castline.base.errors import InvalidInput
from castline.base.money import check_currency, parse_amount
from castline.base.text import normalise_name
from castline.model.conversion import ConversionInput, RefundInput
from castline.model.vocab import ConversionType, RefundReason
from castline.sources.conversions.amounts import choose_currency, parse_digits, parse_money_text

# Field -> the names it goes by in exports and payloads, first choice first; names are compared by `normalise_name`.
SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "conversion_type": ("conversion_type", "type", "event", "event_name", "event_type", "kind", "action"),
    "source_key": ("source_key", "id", "event_id", "conversion_id", "refund_id", "message_id", "messageid"),
    "order_id": (
        "order_id",
        "order",
        "order_number",
        "order_no",
        "order_ref",
        "orderid",
        "transaction_id",
        "transaction",
        "purchase_id",
    ),
    "product_id": ("product_id", "product", "sku", "item_id"),
    "conversion_value": (
        "conversion_value",
        "value",
        "revenue",
        "total",
        "amount",
        "order_total",
        "total_price",
        "order_value",
        "sale_amount",
        "price",
    ),
    "currency": ("currency", "currency_code", "conversion_currency", "presentment_currency"),
    "occurred_at": (
        "occurred_at",
        "timestamp",
        "time",
        "datetime",
        "date_time",
        "date",
        "created_at",
        "event_time",
        "order_date",
        "ordered_at",
        "conversion_time",
        "conversion_date",
        "purchased_at",
        "refunded_at",
        "refund_date",
    ),
    "promo_code": (
        "promo_code",
        "promocode",
        "promo",
        "code",
        "coupon",
        "coupon_code",
        "discount_code",
        "discount_codes",
        "voucher",
        "voucher_code",
    ),
    "utm_source": ("utm_source",),
    "utm_medium": ("utm_medium",),
    "utm_campaign": ("utm_campaign",),
    "campaign": ("campaign", "campaign_id", "campaign_name"),
    "sponsor": ("sponsor", "sponsor_id", "sponsor_name", "advertiser", "brand"),
    "custom_tracking_id": ("custom_tracking_id", "tracking_id", "custom_id"),
    "external_user_id": ("external_user_id", "user_id", "customer_id", "customer", "client_id"),
    "session_id": ("session_id", "session"),
    "device_id": ("device_id", "device", "cookie_id", "cookie", "visitor_id"),
    "email": ("email", "e_mail", "email_address", "customer_email"),
    "email_hash": ("email_hash", "hashed_email", "email_sha256", "em"),
    "ip_address": ("ip_address", "ip", "client_ip", "browser_ip", "ip_addr", "remote_addr", "client_ip_address"),
    "user_agent": ("user_agent", "useragent", "client_user_agent", "ua"),
    "referrer": ("referrer", "referer"),
    "reason": ("reason",),
}
FIELD_OF: Final = {name: field for field, names in SYNONYMS.items() for name in names}
_TYPES: Final[dict[str, ConversionType]] = {
    "purchase": "purchase",
    "order": "purchase",
    "sale": "purchase",
    "order_completed": "purchase",
    "order_created": "purchase",
    "signup": "signup",
    "sign_up": "signup",
    "registration": "signup",
    "download": "download",
    "install": "download",
    "trial": "trial",
    "start_trial": "trial",
    "trial_start": "trial",
    "visit": "visit",
    "page_view": "visit",
    "pageview": "visit",
}
_REFUNDS: Final[dict[str, RefundReason]] = {
    "refund": "refund",
    "refunded": "refund",
    "return": "refund",
    "order_refunded": "refund",
    "chargeback": "chargeback",
    "dispute": "chargeback",
    "reversal": "reversal",
    "chargeback_reversal": "reversal",
    "chargeback_reversed": "reversal",
}
_TEXTS: Final = (
    "source_key",
    "order_id",
    "product_id",
    "promo_code",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "campaign",
    "sponsor",
    "custom_tracking_id",
    "external_user_id",
    "session_id",
    "device_id",
    "ip_address",
    "user_agent",
    "referrer",
)
_SOURCE_KEY_LENGTH: Final = 500
_LONG_TEXT: Final = 4096
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)  # before it a number was meant in another unit
_FOUR_DECIMALS: Final = Decimal("0.0001")  # numeric(14, 4)
_LARGEST: Final = Decimal(10**10)
_EPOCH: Final = re.compile(r"\d{10}(\.\d+)?|\d{13}")
_MILLISECOND_DIGITS: Final = 13
_SPACED_OFFSET: Final = re.compile(r"^(.*\d)\s+(?:UTC|GMT|Z|([+-]\d\d:?\d\d))$")
_YEAR_FIRST: Final = re.compile(r"^(\d{4})/(\d{1,2})/(\d{1,2})(.*)$", re.DOTALL)
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
Parsed = ConversionInput | RefundInput


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts are meant: the zone of naive times, sponsor and currency of rows that name none, and whether numbers
    are typed by people (`localised`), so that 1,234 may be two numbers and $5 an amount.
    """

    zone: tzinfo = UTC
    sponsor: str | None = None
    currency: str | None = None
    localised: bool = False


def parse_facts(facts: Mapping[str, object], reading: Reading) -> Parsed:
    """The conversion or refund that the fields (named as in SYNONYMS) tell of. Raises InvalidInput with the field."""
    texts = {name: _clean_text(facts.get(name), field=name) for name in _TEXTS}
    texts["sponsor"] = texts["sponsor"] or reading.sponsor
    occurred_at = parse_time(facts.get("occurred_at"), reading.zone)
    kind = _clean_text(facts.get("conversion_type"), field="conversion_type")
    word = normalise_name(kind or "purchase")
    if word in _REFUNDS:
        return _make_refund(facts, texts, (occurred_at, _REFUNDS[word]), reading)
    if word not in _TYPES:
        known = ", ".join(dict.fromkeys((*_TYPES.values(), *_REFUNDS.values())))
        raise InvalidInput(field="conversion_type", detail=f"{kind!r} is none of {known}")
    return _make_conversion(facts, texts, (occurred_at, _TYPES[word]), reading)


def _make_conversion(
    facts: Mapping[str, object],
    texts: Mapping[str, str | None],
    fixed: tuple[datetime, ConversionType],
    reading: Reading,
) -> ConversionInput:
    named = _parse_currency(facts.get("currency"))
    value, currency = parse_money(facts.get("conversion_value"), named, reading, field="conversion_value")
    metadata = facts.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise InvalidInput(field="metadata", detail="must be an object")
    return ConversionInput(
        occurred_at=fixed[0],
        conversion_type=fixed[1],
        conversion_value=value,
        currency=currency,
        email_hash=_parse_email(facts),
        metadata=cast(dict[str, Any], _check_json(dict(metadata), field="metadata")),
        **cast(dict[str, Any], texts),
    )


def _make_refund(
    facts: Mapping[str, object],
    texts: Mapping[str, str | None],
    fixed: tuple[datetime, RefundReason],
    reading: Reading,
) -> RefundInput:
    order_id = texts["order_id"]
    if order_id is None:
        raise InvalidInput(field="order_id", detail="is missing: a refund needs the order it belongs to")
    named = _parse_currency(facts.get("currency"))
    amount, currency = parse_money(facts.get("conversion_value"), named, reading, field="amount")
    if amount is None or currency is None:
        raise InvalidInput(field="amount" if amount is None else "currency", detail="is missing")
    if not amount:
        raise InvalidInput(field="amount", detail="is zero: nothing was given back")
    return RefundInput(
        order_id=order_id,
        occurred_at=fixed[0],
        amount=abs(amount) if fixed[1] == "reversal" else -abs(amount),
        currency=currency,
        reason=fixed[1],
        source_key=texts["source_key"],
        sponsor=texts["sponsor"],
    )


def _clean_text(content: object, *, field: str) -> str | None:
    """The trimmed text, None for nothing. Raises InvalidInput for what the store cannot hold."""
    if content is None:
        return None
    if isinstance(content, bool) or not isinstance(content, str | int | Decimal | UUID):
        raise InvalidInput(field=field, detail="must be text")
    text = str(content).strip()
    _check_storable(text, field=field)
    limit = {"source_key": _SOURCE_KEY_LENGTH}.get(field, _LONG_TEXT)
    if len(text) > limit:
        raise InvalidInput(field=field, detail=f"is {len(text)} characters long, {limit} fit")
    return text or None


def _check_storable(text: str, *, field: str) -> None:
    if "\0" in text:
        raise InvalidInput(field=field, detail="holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(field=field, detail="holds half of a surrogate pair") from None


def _check_json(content: object, *, field: str) -> object:
    if isinstance(content, str):
        _check_storable(content, field=field)
    elif isinstance(content, Mapping):
        for key, item in content.items():
            _check_storable(str(key), field=field)
            _check_json(item, field=f"{field}.{key}")
    elif isinstance(content, list | tuple):
        for item in content:
            _check_json(item, field=field)
    return content


def _parse_currency(content: object) -> str | None:
    text = _clean_text(content, field="currency")
    return None if text is None else check_currency(text)


def _parse_email(facts: Mapping[str, object]) -> bytes | None:
    """SHA-256 of the trimmed, lower-case address; what is a hash already is taken as one."""
    text = _clean_text(facts.get("email_hash"), field="email_hash")
    if text is not None:
        if not _HASH.fullmatch(text):
            raise InvalidInput(field="email_hash", detail="is no SHA-256 in 64 hexadecimal digits")
        return bytes.fromhex(text)
    text = _clean_text(facts.get("email"), field="email")
    if text is None:
        return None
    return bytes.fromhex(text) if _HASH.fullmatch(text) else hash_email(text)


def hash_email(address: str) -> bytes:
    """SHA-256 of the trimmed, lower-case address, as the Meta Conversions API and its kin have it."""
    return hashlib.sha256(address.strip().lower().encode()).digest()


def parse_time(content: object, zone: tzinfo) -> datetime:
    """The moment in UTC from ISO 8601, year-first dates with slashes, or Unix seconds or milliseconds.

    A naive time is of `zone`. Raises InvalidInput.
    """
    text = _clean_text(content, field="occurred_at")
    if text is None:
        raise InvalidInput(field="occurred_at", detail="is missing")
    moment = _parse_epoch(text) if _EPOCH.fullmatch(text) else _parse_iso(text, zone)
    if moment < _EARLIEST:
        raise InvalidInput(field="occurred_at", detail=f"{text!r} is before {_EARLIEST:%Y-%m-%d}")
    return moment


def _parse_epoch(text: str) -> datetime:
    seconds = Decimal(text) / (1000 if len(text) == _MILLISECOND_DIGITS else 1)
    return datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(seconds % 1 * 1_000_000))


def _parse_iso(text: str, zone: tzinfo) -> datetime:
    plain = _YEAR_FIRST.sub(lambda found: f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}{found[4]}", text)
    if spaced := _SPACED_OFFSET.match(plain):
        plain = f"{spaced[1]}{spaced[2] or '+00:00'}"
    try:
        moment = datetime.fromisoformat(plain)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            field="occurred_at",
            detail=f"{text[:60]!r} is no ISO 8601 time, such as 2026-03-01T09:30:00Z, nor a Unix time",
        ) from None


def parse_money(
    content: object, named: str | None, reading: Reading, *, field: str
) -> tuple[Decimal | None, str | None]:
    """The amount, None for nothing, to four decimals, and its currency: `named`, told by its sign, or the default.

    Raises InvalidInput for what could be two amounts.
    """
    if content is None or content == "":
        return None, named or reading.currency
    if isinstance(content, bool) or not isinstance(content, str | int | float | Decimal):
        raise InvalidInput(field=field, detail="must be a number")
    text = str(content).strip()
    if not text:
        return None, named or reading.currency
    if reading.localised:
        money = parse_money_text(text, field=field)
        currency = choose_currency(money, named, reading.currency, field=field)
        amount = parse_digits(money, currency, field=field)
    else:
        amount, currency = parse_amount(text, field=field), named or reading.currency
    if abs(amount) >= _LARGEST:
        raise InvalidInput(field=field, detail=f"{text[:40]} is too large")
    return amount.quantize(_FOUR_DECIMALS, ROUND_HALF_EVEN), currency


def is_known(name: str) -> bool:
    """Whether a column or key of this name is one of ours."""
    return normalise_name(name) in FIELD_OF
