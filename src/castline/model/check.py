"""Checks that values make of themselves in `__post_init__`; every message names the field."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar, get_args
from uuid import UUID

import msgspec

from castline.base.errors import InvalidInput

T = TypeVar("T")
URL_LENGTH: Final = 4096  # signed and prefixed enclosure URLs pass 1,000 characters in practice (ruling 5a)
FLIGHT_YEARS: Final = range(2000, 2100)  # conversions begin with 2000, and a slip of the hand is no century
_URL: Final = re.compile(r"^https?://[^\s/]+", re.IGNORECASE)


def check_length(text: str | None, limit: int, *, field: str) -> None:
    """The text fits its column. Raises InvalidInput."""
    if text is not None and len(text) > limit:
        raise InvalidInput(field=field, detail=f"is {len(text)} characters long, {limit} fit")


def check_text(text: str, limit: int, *, field: str) -> None:
    """The text is there and fits its column. Raises InvalidInput."""
    if not text.strip():
        raise InvalidInput(field=field, detail="must not be empty")
    check_length(text, limit, field=field)


def check_url(url: str | None, *, field: str) -> None:
    """The URL, if there is one, is http or https and fits. Raises InvalidInput."""
    if url is None:
        return
    check_length(url, URL_LENGTH, field=field)
    if not _URL.match(url):
        raise InvalidInput(field=field, detail=f"{url[:80]!r} is no http or https address")


def check_choice(value: str, vocabulary: object, *, field: str) -> None:
    """The value is one of a Literal's. Raises InvalidInput with the choices."""
    choices = get_args(vocabulary)
    if value not in choices:
        raise InvalidInput(field=field, detail=f"{value!r} is none of {', '.join(choices)}")


def check_aware(moment: datetime | None, *, field: str) -> None:
    """The moment, if there is one, has a time zone. Raises InvalidInput."""
    if moment is not None and moment.tzinfo is None:
        raise InvalidInput(field=field, detail="needs a time zone")


def check_flight(start: datetime, end: datetime) -> None:
    """The campaign flies for a while, in years that every computation can reach beyond. Raises InvalidInput."""
    check_aware(start, field="start_date")
    check_aware(end, field="end_date")
    if end <= start:
        raise InvalidInput(field="end_date", detail=f"{end:%Y-%m-%d} is not after the start {start:%Y-%m-%d}")
    for field, moment in (("start_date", start), ("end_date", end)):
        if moment.year not in FLIGHT_YEARS:
            detail = f"{moment:%Y-%m-%d} is not in the years {FLIGHT_YEARS[0]} to {FLIGHT_YEARS[-1]}"
            raise InvalidInput(field=field, detail=detail)


def check_range(value: Decimal | float | None, low: float, high: float, *, field: str) -> None:
    """The number, if there is one, lies in [low, high]. Raises InvalidInput."""
    if value is not None and not low <= value <= high:
        raise InvalidInput(field=field, detail=f"{value} is not between {low} and {high}")


def convert_json(payload: object, kind: type[T], *, field: str) -> T:
    """A typed value from decoded JSON; unknown keys and wrong types are refused.

    Raises InvalidInput with the field and the place inside it.
    """
    if is_dataclass(kind) and isinstance(payload, Mapping):
        known = {item.name for item in fields(kind)}
        if unknown := set(payload) - known:
            raise InvalidInput(
                field=field, detail=f"unknown key {min(map(str, unknown))!r}; known are {', '.join(sorted(known))}"
            )
    try:
        return msgspec.convert(payload, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(field=field, detail=str(error)) from None


def to_json(value: object) -> dict[str, object]:
    """The value's fields that are not at their default, as plain JSON values."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(type(value).__name__)
    out: dict[str, object] = {}
    for item in fields(value):
        content = getattr(value, item.name)
        default = item.default if item.default is not MISSING else None
        if content is not None and (content != default or item.default is MISSING):
            out[item.name] = _plain(content)
    return out


def _plain(content: object) -> object:
    if isinstance(content, tuple | list):
        return [_plain(item) for item in content]
    if isinstance(content, UUID):
        return str(content)
    if isinstance(content, datetime):
        return content.isoformat()
    return to_json(content) if is_dataclass(content) and not isinstance(content, type) else content
