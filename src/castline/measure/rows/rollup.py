"""Downloads summed per hour and day: one rollup per dimension, never a cube."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import polars as pl

from castline.measure.judge import Judged
from castline.measure.rows.binary_copy import (
    HEAD,
    TAIL,
    encode_days,
    encode_distinct,
    encode_fixed,
    encode_ids,
    encode_numbers,
    encode_text,
    encode_times,
    join_columns,
)
from castline.measure.rows.events import FILE
from castline.measure.rules.ads import DELIVERED, MISSED, NOT_KNOWN

UNKNOWN: Final = "unknown"
_COLUMNS: Final = ("podcast_id", "value", "run_id", "metric", "dimension", "member")
HOURLY_COLUMNS: Final = ("hour_at", *_COLUMNS)
DAILY_COLUMNS: Final = ("day_on", *_COLUMNS)
_MEMBERS: Final = {
    "total": "",
    "episode": "episode_id",
    "app": "app",
    "country": "country",
    "device": "device_type",
    "source": "source",
    "campaign": "campaign",
}
# Of the ads of downloads, by what became of them.
_AD_METRICS: Final = {"ads_delivered": DELIVERED, "ads_missed": MISSED, "ads_not_measurable": NOT_KNOWN}
_AD_LISTS: Final = {"ads_delivered": DELIVERED, "ads_unknown": NOT_KNOWN, "ads_missed": MISSED}
NO_CAMPAIGN: Final = "none"
SEVERAL_CAMPAIGNS: Final = "several"
MEMBER_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Rollup:
    """The sums of judged days, as frames with their tables' columns."""

    hourly: pl.DataFrame
    daily: pl.DataFrame


def compute_rollup(judged: Judged, carried: pl.DataFrame, run_id: UUID) -> Rollup:
    """The downloads' sums, the same each time but for the run; `carried` is what `find_carried` gave."""
    named = (
        judged.downloads.select("day_on", "time", "episode", "agent", "listener_key", "country", "delivery")
        .hstack(carried.select(campaign="member"))
        .join(judged.agents.select("agent", "app", "device_type"), on="agent", how="left", maintain_order="left")
        .join(_number_shows(judged.episodes), on="episode", how="left", maintain_order="left")
        .select(
            "day_on",
            "show",
            "episode",
            "app",
            "listener_key",
            "agent",
            "campaign",
            pl.col("country", "device_type").fill_null(UNKNOWN),
            source=pl.col("delivery").fill_null(FILE),
            hour_at=pl.col("time").dt.truncate("1h"),
        )
    )
    told = named.with_row_index("download").drop("campaign").join(judged.deliveries, on="download")
    hourly = pl.concat([_count_by(named), *_count_ads(told)])
    daily = pl.concat([_sum_days(hourly), _count_consumers(named)])
    return Rollup(
        _finish(hourly, judged.episodes, run_id).select(HOURLY_COLUMNS),
        _finish(daily, judged.episodes, run_id).select(DAILY_COLUMNS),
    )


def encode_rows(rows: pl.DataFrame) -> bytes:
    """The rows of one of the frames in the binary form of COPY."""
    if rows.is_empty():
        return HEAD + TAIL
    span = rows.columns[0]
    fixed = {
        span: encode_times(rows[span]) if span == "hour_at" else encode_days(rows[span]),
        "podcast_id": encode_ids(rows["podcast_id"]),
        "value": encode_numbers(rows["value"]),
        "run_id": encode_ids(rows["run_id"]),
    }
    texts = [encode_distinct(rows[name], encode_text) for name in ("metric", "dimension", "member")]
    return b"".join([HEAD, join_columns(encode_fixed(fixed, len(rows.columns)), *texts), TAIL])


def find_carried(judged: Judged) -> pl.DataFrame:
    """For each download `campaign_id` if the ads of one campaign alone were sent with it, that id or what else there is
    as `member`, and `ads`, what became of its ads as a part of its metadata, empty where none was on the air."""
    if judged.deliveries.is_empty():
        none = [
            pl.lit(None, pl.String).alias("campaign_id"),
            pl.lit(NO_CAMPAIGN).alias("member"),
            pl.lit("").alias("ads"),
        ]
        return judged.downloads.select("day_on").with_columns(none).drop("day_on")
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


def _number_shows(episodes: pl.DataFrame) -> pl.DataFrame:
    """`show` of each `episode`: the first episode of its show, which groups faster than an id."""
    return episodes.select("episode", show=pl.col("episode").min().over("podcast_id"))


def _count_ads(told: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Ads by what became of them, as many of a download as it carried; by placement, too."""
    members = _MEMBERS | {"campaign": "campaign_id", "placement": "placement_id"}
    for metric, state in _AD_METRICS.items():
        counted = _count_by(told.filter(pl.col("state") == state), members, metric)
        yield counted.filter(pl.col("member").is_not_null() | pl.col("of_episode").is_not_null())


def _count_by(
    downloads: pl.DataFrame, members: Mapping[str, str] = _MEMBERS, metric: str = "downloads"
) -> pl.DataFrame:
    """One row per hour, show, dimension and `member`, or `of_episode` where the dimension is the episode."""
    parts = []
    for dimension, column in members.items():
        keys = [pl.lit("").alias("member")] if not column else [pl.col(column).str.head(MEMBER_LENGTH).alias("member")]
        if dimension == "episode":
            keys = [pl.col("episode").alias("of_episode")]
        counted = downloads.group_by("hour_at", "show", *keys).agg(value=pl.len().cast(pl.Int64))
        parts.append(counted.with_columns(metric=pl.lit(metric), dimension=pl.lit(dimension)))
    columns = ("hour_at", "show", "metric", "dimension", "member", "of_episode", "value")
    return pl.concat(parts, how="diagonal").select(columns)


def _sum_days(hourly: pl.DataFrame) -> pl.DataFrame:
    keys = ("show", "metric", "dimension", "member", "of_episode")
    return hourly.group_by(pl.col("hour_at").dt.date().alias("day_on"), *keys).agg(pl.col("value").sum())


def _count_consumers(downloads: pl.DataFrame) -> pl.DataFrame:
    """Distinct (address, user agent) per show and day."""
    counted = downloads.unique(["day_on", "show", "listener_key", "agent"]).group_by("day_on", "show").len("value")
    return counted.select(
        "day_on",
        "show",
        metric=pl.lit("consumers"),
        dimension=pl.lit("total"),
        member=pl.lit(""),
        of_episode=pl.lit(None, pl.Int32),
        value=pl.col("value").cast(pl.Int64),
    )


def _finish(counted: pl.DataFrame, episodes: pl.DataFrame, run_id: UUID) -> pl.DataFrame:
    """The rows with ids in place of numbers, in the order of their tables' keys."""
    ids = episodes.select(of_episode="episode", id="episode_id")
    shows = episodes.select(show="episode", podcast_id="podcast_id")
    span = counted.columns[0]
    return (
        counted.join(ids, on="of_episode", how="left")
        .join(shows, on="show", how="left")
        .with_columns(pl.coalesce("member", "id").alias("member"), run_id=pl.lit(str(run_id)))
        .sort("podcast_id", "dimension", span, "metric", "member")
    )
