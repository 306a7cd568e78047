"""The times of logs: common log format, ISO 8601 in its variants, seconds and their fractions since 1970."""

from typing import Final

import polars as pl

_NUMBER: Final = r"^[0-9]{1,20}(?:\.[0-9]{1,12})?(?:[eE]\+?[0-9]{1,2})?$"
_ISO: Final = r"^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T \t]"  # slashes are Caddy's `wall`
_ISO_LENGTH: Final = 19
_ISO_REST: Final = r"^(?:[.,](?P<fraction>[0-9]{1,9})[0-9]*)? ?(?P<zone>Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?$"
_HTTP: Final = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, section 5.6.7
_COMMON: Final = (
    r"^\[?(?P<day>[0-9]{1,2}/[A-Za-z]{3}/[0-9]{4}):(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?(?: (?P<zone>[+-][0-9]{2}:?[0-9]{2}))?\]?$"
)
_ZONE_LIMIT: Final = 15 * 60
_UTC: Final = pl.Datetime("us", "UTC")
# Seconds until the year 5138; what is larger counts thousandths, millionths or billionths.
_SCALES: Final = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0))
_BILLIONTHS: Final = 1e-3


def parse_times(texts: pl.Series, zone: str = "UTC") -> pl.Series:
    """The times in UTC, null where a text is none. A text without a zone of its own is in `zone`.

    Of an hour that a clock shows twice, when summer time ends, it is the first; an hour that it skips is no time.
    """
    text = texts.cast(pl.String).alias("text")
    found = []
    is_number, is_iso = text.str.contains(_NUMBER), text.str.contains(_ISO)
    if is_number.any():
        found.append(text.to_frame().select(pl.when(is_number).then(_from_number(pl.col("text"))))["text"])
    if is_iso.any():
        found.append(_from_iso(text.set(~is_iso, None) if not is_iso.all() else text, zone))
    if not (is_number | is_iso).all():
        found += [_from_common(text, zone), text.str.to_datetime(_HTTP, time_unit="us", time_zone="UTC", strict=False)]
    if not found:
        return pl.Series("time", [None] * len(texts), _UTC)
    return pl.DataFrame([part.cast(_UTC).alias(str(number)) for number, part in enumerate(found)]).select(
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


def _from_iso(text: pl.Series, zone: str) -> pl.Series:
    plain = text.str.head(_ISO_LENGTH)
    if plain.str.contains("[/ \t]").any():
        plain = plain.str.replace_all("/", "-", literal=True).str.replace("[ \t]", "T")
    local = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", time_zone="UTC", strict=False)
    # What stands behind the second is the same for many: a zone, or one of a thousand fractions.
    rest = text.str.slice(_ISO_LENGTH).alias("rest")
    table = rest.unique().to_frame()
    table = table.with_columns(pl.col("rest").str.extract_groups(_ISO_REST).alias("parts")).unnest("parts")
    # A rest that does not fit leaves both null, and so does an empty one.
    fits = table["rest"].str.contains(_ISO_REST)
    shift = _shift_of(table)
    table = table.select("rest", "zone", shift=pl.when(fits).then(shift))
    found = pl.DataFrame([local.alias("local"), rest]).join(table, on="rest", how="left", maintain_order="left")
    return found.select(_in_zone(pl.col("local") + pl.col("shift"), zone)).to_series()


def _from_common(text: pl.Series, zone: str) -> pl.Series:
    parts = text.to_frame().select(pl.col("text").str.extract_groups(_COMMON).alias("parts")).unnest("parts")
    form = "%d/%b/%Y %H:%M:%S"
    local = pl.concat_str("day", pl.lit(" "), "clock").str.to_datetime(form, time_unit="us", strict=False)
    return (
        parts.with_columns(shift=_shift_of(parts))
        .select(_in_zone(local.dt.replace_time_zone("UTC") + pl.col("shift"), zone))
        .to_series()
    )


def _in_zone(time: pl.Expr, zone: str) -> pl.Expr:
    """The time, which is that of a clock in `zone` where the text had no zone of its own."""
    if zone == "UTC":
        return time
    clock = time.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    return pl.when(pl.col("zone").is_null()).then(clock).otherwise(time)


def _shift_of(parts: pl.DataFrame) -> pl.Series:
    """What to add to a local time: its fraction, less its zone; null for a zone that no clock shows."""
    zones = {zone: zone_minutes(zone) for zone in parts["zone"].unique()}
    minutes = pl.col("zone").replace_strict(zones, default=None, return_dtype=pl.Int32)
    micros = pl.col("fraction").str.pad_end(6, "0").str.head(6).cast(pl.Int64, strict=False).fill_null(0)
    return parts.select(shift=pl.duration(microseconds=micros) - pl.duration(minutes=minutes))["shift"]
