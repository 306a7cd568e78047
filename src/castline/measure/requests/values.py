"""What a line of a file of requests tells, as values: times, numbers and addresses in every form that people write."""

import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import new
from types import NoneType
from typing import Final

import numpy as np
import polars as pl

# A number of seconds that large would lie beyond the year 5000: it is thousandths, or millionths.
_SECONDS_END: Final = 1e11
_MILLIS_END: Final = 1e14
_NUMBER_END: Final = 1 << 53
# Nearly all times are written so; the rest costs ten times as much.
_PLAIN_TIME: Final = r"^[0-9]{4}-(?:0[1-9]|1[0-2])-[0-9]{2}T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{1,6})?Z$"
_PLAIN_FORM: Final = "%Y-%m-%dT%H:%M:%S%.fZ"
_EPOCH_TEXT: Final = re.compile(r"-?[0-9]{9,16}(?:\.[0-9]+)?")
_ORDINAL: Final = re.compile(r"([0-9]{4})-?([0-9]{3})(?=[T ]|$)")
# ISO 8601: the end of a day is its hour 24, and a leap second is the second 60 of its minute.
_END_OF_DAY: Final = re.compile(r"(?<=[T ])24(?=(?::?00(?::?00(?:[.,]0+)?)?)?(?:[Z+-]|$))")
_LEAP: Final = re.compile(r"(?<=[T ])([0-9]{2}(:?)[0-5][0-9]\2)60(?:[.,][0-9]+)?")
_DRESSED: Final = r"^\s|\s$|\[|:.*\.|\..*:"
_URL_SAFE: Final = str.maketrans("-_", "+/")
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")
_V4_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}")
# Digests of fewer digits could name two listeners; in base64 both cases tell them from words.
_METHOD: Final = r"(?:[A-Za-z][\w-]{0,19}[:$])?"
_HEX_DIGEST: Final = re.compile(rf"{_METHOD}([0-9A-Fa-f]{{16,128}})", re.ASCII)
_BASE64_DIGEST: Final = re.compile(rf"{_METHOD}(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])([\w+/-]{{22,86}})={{0,2}}", re.ASCII)
# What a log without an address leaves to be hashed.
_DIGESTS_OF_NOTHING: Final = frozenset(
    new(name, text, usedforsecurity=False).digest()
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
    for text in (b"", b"-")
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Number = int | float | str | None


class BadTime(ValueError):
    """What is no time."""


def read_column(
    values: Sequence[object], read: Callable[[object], object], dtype: pl.DataType
) -> tuple[pl.Series, dict[int, ValueError]]:
    """Each value as `read` gives it, and by place what it raised; there the value is null."""
    found: list[object] = []
    errors: dict[int, ValueError] = {}
    for place, value in enumerate(values):
        try:
            found.append(None if value is None else read(value))
        except ValueError as error:
            errors[place] = error
            found.append(None)
    return pl.Series(found, dtype=dtype), errors


def read_wholes(values: Sequence[Number]) -> tuple[pl.Series, dict[int, ValueError]]:
    """Whole numbers, cut where they are none, null for none; by place what is no number or too large for one."""
    if set(map(type, values)) <= {int, NoneType}:
        told = pl.Series(values, dtype=pl.Int64, strict=False)
        if told.null_count() == values.count(None) and _are_small(told):
            return told, {}
    return read_column(values, _parse_whole, pl.Int64())


def read_numbers(values: Sequence[Number]) -> tuple[pl.Series, dict[int, ValueError]]:
    """Numbers, null for none; by place what is no finite number or too large."""
    if set(map(type, values)) <= {int, float, NoneType}:
        told = pl.Series(values, dtype=pl.Float64, strict=False)
        if told.null_count() == values.count(None) and _are_small(told):
            return told, {}
    return read_column(values, _parse_number, pl.Float64())


def read_times(values: Sequence[Number]) -> tuple[pl.Series, dict[int, ValueError]]:
    """Times in UTC; by place what is none, `BadTime` each."""
    times = pl.Series([None] * len(values), dtype=pl.Datetime("us", "UTC"))
    if set(map(type, values)) <= {str, NoneType}:
        texts = pl.Series(values, dtype=pl.String)
        plain = texts.str.contains(_PLAIN_TIME)
        told = texts if plain.all(ignore_nulls=False) else texts.set(~plain, None)
        times = told.str.to_datetime(_PLAIN_FORM, time_unit="us", strict=False).dt.replace_time_zone("UTC")
    missing = times.is_null().arg_true()
    if missing.is_empty():
        return times, {}
    parsed, errors = read_column([values[place] or "" for place in missing], _parse_any_time, times.dtype)
    at = missing.to_list()
    return times.scatter(at, parsed), {at[place]: error for place, error in errors.items()}


def read_addresses(values: Sequence[str | None]) -> pl.Series:
    """Each address without blanks, brackets and a port, as proxies and load balancers write them."""
    texts = pl.Series(values, dtype=pl.String)
    odd = texts.str.contains(_DRESSED).fill_null(value=False).arg_true()
    return texts if odd.is_empty() else texts.scatter(odd, [_parse_address(values[place] or "") for place in odd])


def try_parse_digest(text: str) -> bytes | None:
    """The digest that a host hands over in an address's place; None for anything else, and for the digest of nothing.

    8 to 64 bytes in hexadecimal digits, or 16 to 64 in base64, behind the name of the method or not.
    """
    if found := _HEX_DIGEST.fullmatch(text):
        digest = bytes.fromhex(found[1] + "0" * (len(found[1]) % 2))
    elif (found := _BASE64_DIGEST.fullmatch(text)) and len(found[1]) % 4 != 1:
        digest = b64decode(found[1].translate(_URL_SAFE) + "=" * (-len(found[1]) % 4))
    else:
        return None
    return None if digest in _DIGESTS_OF_NOTHING or len(set(digest)) == 1 else digest


def read_texts(values: Sequence[str | None]) -> pl.Series:
    """The texts as categories: each stands in memory once."""
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    codes = np.fromiter(map(places.__getitem__, values), np.uint32, len(values))
    return pl.Series(list(places), dtype=pl.Categorical).gather(codes)


def _parse_address(text: str) -> str:
    text = text.strip()
    found = _BRACKETED.fullmatch(text) or _V4_PORT.fullmatch(text)
    return found[1] if found else text


def _are_small(told: pl.Series) -> bool:
    return bool((told.abs() < _NUMBER_END).all())


def _parse_number(value: object) -> float | None:
    if value in {"", "-"}:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # the decoder lets only numbers and texts through
    except OverflowError as error:
        raise ValueError(f"{str(value)[:60]} is too large") from error
    if not abs(number) < _NUMBER_END:
        raise ValueError(f"{str(value)[:60]} is too large")
    return number


def _parse_whole(value: object) -> int | None:
    number = _parse_number(value)
    return None if number is None else int(number)


def _parse_any_time(value: object) -> datetime:
    """ISO 8601, in UTC where it names no zone, or a number since 1970: seconds, thousandths or millionths."""
    if value == "":
        raise BadTime("no time")
    try:
        return _parse_time_text(value) if isinstance(value, str) else _parse_epoch(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError, OSError) as error:
        raise BadTime(f"{str(value)[:60]!r} is no time") from error


def _parse_epoch(number: float) -> datetime:
    size = 1 if abs(number) < _SECONDS_END else 1e3 if abs(number) < _MILLIS_END else 1e6
    return datetime.fromtimestamp(number / size, UTC)


@lru_cache(maxsize=10_000)
def _parse_time_text(text: str) -> datetime:
    text = text.strip().upper().removesuffix(" UTC")
    if _EPOCH_TEXT.fullmatch(text):
        return _parse_epoch(float(text))
    extra = timedelta(0)
    if found := _ORDINAL.match(text):
        # The day of the year, counted from its first.
        extra += timedelta(days=int(found[2]) - 1)
        if not timedelta(0) <= extra < _EPOCH.replace(year=int(found[1]) + 1) - _EPOCH.replace(year=int(found[1])):
            raise BadTime("no such day")
        text = f"{found[1]}-01-01{text[found.end() :]}"
    if _END_OF_DAY.search(text):
        extra += timedelta(days=1)
        text = _END_OF_DAY.sub("00", text)
    # A leap second belongs to the day that it ends.
    text = _LEAP.sub(r"\g<1>59.999999", text)
    parsed = datetime.fromisoformat(text) + extra
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
