"""Downloads as rows of `listener_events`, and their sums per hour and day: one rollup per dimension, never a cube."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from castline.measure.ads import DELIVERED, MISSED, NOT_KNOWN
from castline.measure.judge import Judged

Words = npt.NDArray[np.uint64]
UNKNOWN: Final = "unknown"
EVENT_COLUMNS: Final = (
    "event_id", "timestamp", "podcast_id", "episode_id", "event_type", "platform", "device_type", "device_os",
    "user_agent", "metadata", "country_code", "ip_address", "listener_key", "run_id", "campaign_id",
)  # fmt: skip
HOURLY_COLUMNS: Final = ("hour_at", "podcast_id", "metric", "dimension", "member", "value", "run_id")
DAILY_COLUMNS: Final = ("day_on", "podcast_id", "metric", "dimension", "member", "value", "run_id")
_MEMBERS: Final = {
    "total": "",
    "episode": "episode_id",
    "app": "app",
    "country": "country",
    "device": "device_type",
    "source": "source",
    "campaign": "campaign",
}
# Of the ads of downloads, by what became of them; those that were not sent are the rest.
_AD_METRICS: Final = {"ads_delivered": DELIVERED, "ads_not_measurable": NOT_KNOWN}
_AD_LISTS: Final = {"ads_delivered": DELIVERED, "ads_unknown": NOT_KNOWN, "ads_missed": MISSED}
NO_CAMPAIGN: Final = "none"
SEVERAL_CAMPAIGNS: Final = "several"
# How a download was seen: in a log of files or of streams, or by a redirect in front of them (labelled, PTM v2.3).
_FILE: Final = "file"
_MEMBER_LENGTH: Final = 255
_SECOND: Final = "%Y-%m-%d %H:%M:%S%.6f+00"


@dataclass(frozen=True, slots=True)
class Rollup:
    """What judged days become: `events` is the text of their rows, the others are frames with their tables' columns."""

    event_count: int
    events: bytes
    hourly: pl.DataFrame
    daily: pl.DataFrame


def compute_rollup(judged: Judged, owner_id: UUID, run_id: UUID) -> Rollup:
    """The downloads' rows, the same each time but for the run."""
    carried = _find_carried(judged)
    named = (
        judged.downloads.hstack(carried)
        .join(judged.agents.select("agent", "app", "device_type"), on="agent", how="left")
        .join(judged.episodes.select("episode", "podcast_id", "episode_id"), on="episode", how="left")
        .select(
            "day_on",
            "podcast_id",
            "episode_id",
            "app",
            "listener_key",
            "agent",
            pl.col("country", "device_type").fill_null(UNKNOWN),
            source=pl.col("delivery").fill_null(_FILE),
            campaign=pl.col("member"),
            hour_at=pl.col("time").dt.truncate("1h"),
        )
    )
    run = pl.lit(str(run_id)).alias("run_id")
    told = named.with_row_index("download").drop("campaign").join(judged.deliveries, on="download")
    hourly = pl.concat([_count_by(named, "hour_at"), *_count_ads(told, "hour_at")])
    hourly = hourly.with_columns(pl.col("hour_at").dt.strftime(_SECOND), run)
    daily = pl.concat([_count_by(named, "day_on"), _count_consumers(named), *_count_ads(told, "day_on")])
    daily = daily.with_columns(run)
    return Rollup(
        judged.downloads.height,
        _encode_events(judged, carried, (owner_id, run_id)),
        hourly.select(HOURLY_COLUMNS),
        daily.select(DAILY_COLUMNS),
    )


def encode_rows(rows: pl.DataFrame) -> bytes:
    """The rows in the text form of COPY: a line each, tabs between, backslash and N for null."""
    content = io.BytesIO()
    rows.write_csv(content, include_header=False, separator="\t", quote_style="never", null_value="\\N")
    return content.getvalue()


def _find_carried(judged: Judged) -> pl.DataFrame:
    """For each download `campaign_id` if the ads of one campaign alone were sent with it, that id or what else there is
    as `member`, and `ads`, what became of its ads as a part of its metadata, empty where none was on the air."""
    delivered = pl.col("campaign_id").filter(pl.col("state") == DELIVERED)
    lists = [
        pl.when((pl.col("state") == state).any()).then(
            pl.concat_str(
                pl.lit(f',"{name}":["'),
                pl.col("campaign_id").filter(pl.col("state") == state).str.join('","'),
                pl.lit('"]'),
            )
        )
        for name, state in _AD_LISTS.items()
    ]
    of_download = judged.deliveries.group_by("download").agg(
        only=delivered.first(), count=delivered.n_unique(), ads=pl.concat_str(lists, ignore_nulls=True)
    )
    places = pl.DataFrame({"download": range(judged.downloads.height)}, schema={"download": pl.UInt32})
    told = places.join(of_download, on="download", how="left", maintain_order="left")
    campaign = pl.when(pl.col("count") == 1).then("only")
    several = pl.when(pl.col("count") > 1).then(pl.lit(SEVERAL_CAMPAIGNS))
    return told.select(
        campaign.alias("campaign_id"),
        pl.coalesce(campaign, several, pl.lit(NO_CAMPAIGN)).alias("member"),
        pl.col("ads").fill_null(""),
    )


def _count_ads(told: pl.DataFrame, span: str) -> Iterator[pl.DataFrame]:
    """Ads by what became of them, as many of a download as it carried; by placement, too."""
    members = _MEMBERS | {"campaign": "campaign_id", "placement": "placement_id"}
    for metric, state in _AD_METRICS.items():
        counted = _count_by(told.filter(pl.col("state") == state), span, members, metric)
        yield counted.filter(pl.col("member").is_not_null())


def _count_by(
    downloads: pl.DataFrame, span: str, members: Mapping[str, str] = _MEMBERS, metric: str = "downloads"
) -> pl.DataFrame:
    parts = []
    for dimension, column in members.items():
        member = pl.col(column).str.head(_MEMBER_LENGTH) if column else pl.lit("")
        counted = downloads.group_by(span, "podcast_id", member.alias("member")).agg(value=pl.len().cast(pl.Int64))
        parts.append(counted.with_columns(metric=pl.lit(metric), dimension=pl.lit(dimension)))
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


def _encode_events(judged: Judged, carried: pl.DataFrame, ids: tuple[UUID, UUID]) -> bytes:
    """One line per download; what belongs to an agent or an episode is put together once for each."""
    downloads = judged.downloads
    if downloads.is_empty():
        return b""
    owner_id, run_id = ids
    source = downloads["delivery"].fill_null(_FILE)
    sources = source.unique().sort()
    agents = pl.concat(_describe(judged.agents, name) for name in sources)
    of_agent = agents.select(text=pl.concat_str(pl.all(), separator="\t"))["text"]
    place = source.replace_strict(sources, range(len(sources)), return_dtype=pl.UInt32) * judged.agents.height
    of_episode = judged.episodes.select(text=pl.concat_str("podcast_id", "episode_id", separator="\t"))["text"]
    lines = downloads.select(
        pl.concat_str(
            _event_ids(judged, owner_id),
            pl.col("time").dt.strftime(_SECOND),
            of_episode.gather(downloads["episode"]).alias("of_episode"),
            pl.lit("download"),
            pl.concat_str(of_agent.gather(place + downloads["agent"]), carried["ads"], pl.lit("}")).alias("of_agent"),
            pl.col("country", "ip").fill_null("\\N"),
            pl.concat_str(pl.lit("\\\\x"), pl.col("listener_key").bin.encode("hex")),
            pl.lit(str(run_id)),
            carried["campaign_id"].fill_null("\\N"),
            separator="\t",
        )
    )
    return encode_rows(lines)


def _describe(agents: pl.DataFrame, source: str) -> pl.DataFrame:
    """The columns of `listener_events` that an agent fills, for one source; `metadata` lacks its last brace."""
    facts = {} if source == _FILE else {"source": source}
    told = [msgspec.json.encode({"app": app} | facts).decode().removesuffix("}") for app in agents["app"]]
    return agents.select(
        *(_escaped(name) for name in ("platform", "device_type", "device_os", "user_agent")),
        pl.Series("metadata", told, pl.String),
    ).select(pl.col("platform", "device_type", "device_os", "user_agent"), _escaped("metadata"))


def _escaped(name: str) -> pl.Expr:
    """The column in the text form of COPY, where backslash and control characters are written out."""
    text = pl.col(name).str.replace_all("\\", "\\\\", literal=True)
    for sign, written in (("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.str.replace_all(sign, written, literal=True)
    return text.fill_null("\\N")


def _event_ids(judged: Judged, owner_id: UUID) -> pl.Series:
    """A UUID of version 8 per download: 48 bits of its time in milliseconds, then bits of its window's hash.

    The window is account, UTC day, listener, user agent and episode. Each part is a cryptographic hash already or
    becomes one (once per distinct value), so their mixture is as good as a hash of the whole.
    """
    downloads = judged.downloads
    high, low = _key_words(downloads["listener_key"])
    for texts, numbers, salt in (
        (judged.agents["user_agent"], downloads["agent"], b"agent"),
        (judged.episodes["episode_id"], downloads["episode"], b"episode"),
    ):
        words = _hash_words(texts, salt + owner_id.bytes)[numbers.to_numpy()]
        high, low = _mix(high ^ words[:, 0]), _mix(low ^ words[:, 1])
    days = downloads["day_on"].to_physical().to_numpy().astype(np.uint64)
    high, low = _mix(high + days), _mix(low ^ (high + days))
    millis = downloads["time"].dt.epoch("ms").to_numpy().astype(np.uint64) & np.uint64((1 << 48) - 1)
    ids = np.empty((len(high), 2), ">u8")
    ids[:, 0] = (millis << np.uint64(16)) | np.uint64(0x8000) | (high & np.uint64(0x0FFF))
    ids[:, 1] = np.uint64(1 << 63) | (low & np.uint64((1 << 62) - 1))
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(ids), [None, pa.py_buffer(ids.tobytes())])
    return pl.Series("event_id", packed.cast(pa.binary())).bin.encode("hex")


def _key_words(keys: pl.Series) -> tuple[Words, Words]:
    joined = np.frombuffer(b"".join(keys.to_list()), ">u8").astype(np.uint64).reshape(-1, 2)
    return joined[:, 0], joined[:, 1]


def _hash_words(texts: pl.Series, salt: bytes) -> Words:
    """Two words per text."""
    hashed = (blake2b(text.encode(), digest_size=16, key=salt).digest() for text in texts)
    return np.frombuffer(b"".join(hashed), ">u8").astype(np.uint64).reshape(-1, 2)


def _mix(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014), which no two words share."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
