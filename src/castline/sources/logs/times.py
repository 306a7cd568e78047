"""The times of logs: common log format, ISO 8601 in its variants, seconds and their fractions since 1970."""

from typing import Final

import polars as pl

_NUMBER: Final = r"^[0-9]{1,20}(?:\.[0-9]{1,12})?(?:[eE]\+?[0-9]{1,2})?$"
_ISO: Final = (
    r"^(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[T \t](?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,9})[0-9]*)? ?(?P<zone>Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?$"
)
_COMMON: Final = (
    r"^\[?(?P<day>[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}):(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?(?: (?P<zone>[+-][0-9]{2}:?[0-9]{2}))?\]?$"
)
_ZONE_LIMIT: Final = 15 * 60
_UTC: Final = pl.Datetime("us", "UTC")
# Seconds until the year 5138; what is larger counts thousandths, millionths or billionths.
_SCALES: Final = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))
_BILLIONTHS: Final = 1e-3


def parse_times(texts: pl.Series) -> pl.Series:
    """The times in UTC, null where a text is none. A text without a zone is in UTC."""
    frame = pl.DataFrame({"text": texts.cast(pl.String)})
    text = pl.col("text")
    is_number, is_iso = frame["text"].str.contains(_NUMBER), frame["text"].str.contains(r"^[0-9]{4}-")
    found = []
    if is_number.any():
        found.append(frame.select(pl.when(is_number).then(_from_number(text)).alias("time"))["time"])
    if is_iso.any():
        found.append(_from_parts(frame, _ISO, "%Y-%m-%d %H:%M:%S"))
    if frame["text"].str.contains("/", literal=True).any():
        found.append(_from_parts(frame, _COMMON, "%d/%b/%Y %H:%M:%S"))
    if not found:
        return pl.Series("time", [None] * len(texts), _UTC)
    return pl.DataFrame([part.alias(str(number)) for number, part in enumerate(found)]).select(
        pl.coalesce(pl.all()).alias("time")
    )["time"]


def zone_minutes(zone: str | None) -> int | None:
    """Minutes east of UTC; None for what no clock shows."""
    if zone is None or zone in {"Z", "z", "UTC"}:
        return 0
    digits = zone.rstrip("]").replace(":", "")
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return None if minutes > _ZONE_LIMIT else minutes * (-1 if digits[0] == "-" else 1)


def _from_number(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Float64, strict=False)
    scaled = number * _BILLIONTHS
    for limit, scale in reversed(_SCALES):
        scaled = pl.when(number < limit).then(number * scale).otherwise(scaled)
    return scaled.round(0).cast(pl.Int64, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _from_parts(frame: pl.DataFrame, pattern: str, form: str) -> pl.Series:
    parts = frame.select(pl.col("text").str.extract_groups(pattern).alias("parts")).unnest("parts")
    zones = {zone: zone_minutes(zone) for zone in parts["zone"].unique()}
    local = pl.concat_str("day", pl.lit(" "), "clock").str.to_datetime(form, time_unit="us", strict=False)
    minutes = pl.col("zone").replace_strict(zones, default=None, return_dtype=pl.Int32)
    micros = pl.col("fraction").str.pad_end(6, "0").str.head(6).cast(pl.Int64, strict=False).fill_null(0)
    time = local.dt.replace_time_zone("UTC") - pl.duration(minutes=minutes) + pl.duration(microseconds=micros)
    return parts.select(time.alias("time"))["time"].cast(_UTC)
