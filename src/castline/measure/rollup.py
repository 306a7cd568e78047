"""Downloads as rows of `listener_events`, and their sums per hour and day: one rollup per dimension, never a cube."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.judge import Judged

Words = npt.NDArray[np.uint64]
UNKNOWN: Final = "unknown"
EVENT_COLUMNS: Final = (
    "event_id", "timestamp", "podcast_id", "episode_id", "event_type", "platform", "country_code", "device_type",
    "device_os", "user_agent", "ip_address", "metadata", "listener_key", "run_id",
)  # fmt: skip
HOURLY_COLUMNS: Final = ("hour_at", "podcast_id", "metric", "dimension", "member", "value", "run_id")
DAILY_COLUMNS: Final = ("day_on", "podcast_id", "metric", "dimension", "member", "value", "run_id")
_MEMBERS: Final = {"total": "", "episode": "episode_id", "app": "app", "country": "country", "device": "device_type"}
_MEMBER_LENGTH: Final = 255
_SECOND: Final = "%Y-%m-%d %H:%M:%S%.6f+00"


@dataclass(frozen=True, slots=True)
class Rollup:
    """What judged days become: frames with the columns of their tables, ready to be copied."""

    events: pl.DataFrame
    hourly: pl.DataFrame
    daily: pl.DataFrame


def compute_rollup(judged: Judged, owner_id: UUID, run_id: UUID) -> Rollup:
    """The downloads' rows, the same each time but for the run."""
    downloads = judged.downloads.join(
        judged.agents.drop("user_agent_is_empty", "is_bot", "is_watch"), on="agent", how="left", maintain_order="left"
    )
    named = downloads.with_columns(
        pl.col("country", "device_type").fill_null(UNKNOWN),
        hour_at=pl.col("time").dt.truncate("1h"),
    )
    run = pl.lit(str(run_id)).alias("run_id")
    hourly = _count_by(named, "hour_at").with_columns(pl.col("hour_at").dt.strftime(_SECOND), run)
    daily = pl.concat([_count_by(named, "day_on"), _count_consumers(named)]).with_columns(run)
    return Rollup(
        _events(downloads, owner_id).with_columns(run).select(EVENT_COLUMNS),
        hourly.select(HOURLY_COLUMNS),
        daily.select(DAILY_COLUMNS),
    )


def encode_csv(rows: pl.DataFrame) -> bytes:
    """CSV without a header, in which nothing at all is null and empty text is quoted."""
    return rows.write_csv(None, include_header=False, quote_style="necessary", null_value="").encode()


def _count_by(downloads: pl.DataFrame, span: str) -> pl.DataFrame:
    parts = []
    for dimension, column in _MEMBERS.items():
        member = pl.col(column).str.head(_MEMBER_LENGTH) if column else pl.lit("")
        counted = downloads.group_by(span, "podcast_id", member.alias("member")).agg(value=pl.len().cast(pl.Int64))
        parts.append(counted.with_columns(metric=pl.lit("downloads"), dimension=pl.lit(dimension)))
    return (
        pl.concat(parts, how="diagonal")
        .sort(span, "podcast_id", "dimension", "member")
        .select(span, "podcast_id", "metric", "dimension", "member", "value")
    )


def _count_consumers(downloads: pl.DataFrame) -> pl.DataFrame:
    """Distinct (address, user agent) per show and day."""
    consumers = downloads.unique(["day_on", "podcast_id", "listener_key", "agent"])
    counted = consumers.group_by("day_on", "podcast_id").agg(value=pl.len().cast(pl.Int64)).sort("day_on", "podcast_id")
    return counted.select(
        "day_on",
        "podcast_id",
        metric=pl.lit("consumers"),
        dimension=pl.lit("total"),
        member=pl.lit(""),
        value=pl.col("value"),
    )


def _events(downloads: pl.DataFrame, owner_id: UUID) -> pl.DataFrame:
    apps = downloads["app"].unique()
    metadata = {app: msgspec.json.encode({"app": app}).decode() for app in apps}
    return downloads.with_columns(
        event_id=_event_ids(downloads, owner_id),
        timestamp=pl.col("time").dt.strftime(_SECOND),
        event_type=pl.lit("download"),
        country_code=pl.col("country"),
        ip_address=pl.col("ip"),
        metadata=pl.col("app").replace_strict(metadata, return_dtype=pl.String),
        listener_key=pl.concat_str(pl.lit("\\x"), pl.col("listener_key").bin.encode("hex")),
    )


def _event_ids(downloads: pl.DataFrame, owner_id: UUID) -> pl.Series:
    """A UUID of version 8 per download: 48 bits of its time in milliseconds, then bits of its window's hash.

    The window is account, UTC day, listener, user agent and episode. Each part is a cryptographic hash already or
    becomes one (once per distinct value), so their mixture is as good as a hash of the whole.
    """
    high, low = _key_words(downloads["listener_key"])
    for parts, salt in ((downloads["user_agent"], b"agent"), (downloads["episode_id"], b"episode")):
        first, second = _hash_words(parts, salt + owner_id.bytes)
        high, low = _mix(high ^ first), _mix(low ^ second)
    days = downloads["day_on"].to_physical().to_numpy().astype(np.uint64)
    high, low = _mix(high + days), _mix(low ^ (high + days))
    millis = downloads["time"].dt.epoch("ms").to_numpy().astype(np.uint64) & np.uint64((1 << 48) - 1)
    first = (millis << np.uint64(16)) | np.uint64(0x8000) | (high & np.uint64(0x0FFF))
    second = np.uint64(1 << 63) | (low & np.uint64((1 << 62) - 1))
    text = [f"{one:016x}{two:016x}" for one, two in zip(first.tolist(), second.tolist(), strict=True)]
    return pl.Series("event_id", text, pl.String)


def _key_words(keys: pl.Series) -> tuple[Words, Words]:
    joined = np.frombuffer(b"".join(keys.to_list()), ">u8").astype(np.uint64).reshape(-1, 2)
    return joined[:, 0], joined[:, 1]


def _hash_words(parts: pl.Series, salt: bytes) -> tuple[Words, Words]:
    distinct = parts.unique()
    hashed = {part: blake2b(part.encode(), digest_size=16, key=salt).digest() for part in distinct}
    words = np.frombuffer(b"".join(hashed.values()), ">u8").astype(np.uint64).reshape(-1, 2)
    places = parts.replace_strict(list(hashed), list(range(len(hashed))), return_dtype=pl.Int64).to_numpy()
    return words[places, 0], words[places, 1]


def _mix(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014), which no two words share."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
