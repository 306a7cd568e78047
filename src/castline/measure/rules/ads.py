"""Ads delivered: which ads of a download were sent with it. Method: docs/method/ads-delivered.md

PTM v2.3, step 4: the download is valid, and of a dynamic ad all its bytes were sent, of a baked-in one the bytes up to
and including it. Where bytes or places are not known, neither is the answer, and it is never guessed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Final
from uuid import UUID

import polars as pl

from castline.measure.rules.matching import EpisodeIndex, KnownEpisode
from castline.model.campaign import Campaign, Placement
from castline.model.show import AdSlot
from castline.model.vocab import PlacementKind

MISSED, DELIVERED, NOT_KNOWN = range(3)
_MOMENT: Final = pl.Datetime("us", "UTC")
# One row per ad. Of an ad without a place the span is the whole file, which proves it where it was sent.
ADS_SCHEMA: Final = pl.Schema(
    {
        "ad": pl.UInt32(),
        "episode": pl.Int32(),
        "campaign_id": pl.String(),
        "placement_id": pl.String(),
        "start_at": _MOMENT,
        "end_at": _MOMENT,
        "first_byte": pl.Int64(),
        "end_byte": pl.Int64(),
        "whole_bytes": pl.Int64(),
        "header_bytes": pl.Int64(),
        "has_place": pl.Boolean(),
    }
)
# One row per download and ad on the air at its time; `download` is its place among the downloads.
DELIVERIES_SCHEMA: Final = pl.Schema(
    {"download": pl.UInt32(), "campaign_id": pl.String(), "placement_id": pl.String(), "state": pl.UInt8()}
)
Seconds = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Ad:
    """A campaign's ad in an episode, on the air in [start_at, end_at); where it lies in seconds may not be known."""

    campaign_id: UUID
    placement_id: UUID | None
    episode_id: UUID
    kind: PlacementKind
    start_at: datetime
    end_at: datetime
    seconds: Seconds | None


def find_ads(
    campaigns: Iterable[Campaign], placements: Iterable[Placement], slots: Mapping[UUID, Sequence[AdSlot]]
) -> list[Ad]:
    """One ad per placement, and one per slot of a campaign that no placement stands for.

    A placement that tells no seconds has those of the one slot of its campaign that no other placement has. An ad is on
    the air from the flight's beginning, or from its air date where that is later, to the flight's end.
    """
    by_id = {campaign.campaign_id: campaign for campaign in campaigns}
    groups: dict[tuple[UUID, UUID], tuple[list[Placement], list[AdSlot]]] = defaultdict(lambda: ([], []))
    for placement in placements:
        groups[placement.campaign_id, placement.episode_id][0].append(placement)
    for episode_id, told in slots.items():
        for slot in told:
            if slot.campaign_id is not None:
                groups[slot.campaign_id, episode_id][1].append(slot)
    ads: list[Ad] = []
    for (campaign_id, episode_id), (placed, told_slots) in groups.items():
        if campaign_id in by_id:
            ads += _ads_of(by_id[campaign_id], episode_id, placed, told_slots)
    return sorted((ad for ad in ads if ad.start_at < ad.end_at), key=_order)


def _order(ad: Ad) -> tuple[str, Decimal, str, str]:
    start = ad.seconds[0] if ad.seconds else Decimal("Infinity")
    return str(ad.episode_id), start, str(ad.campaign_id), str(ad.placement_id)


def _ads_of(campaign: Campaign, episode_id: UUID, placements: Sequence[Placement], slots: Sequence[AdSlot]) -> list[Ad]:
    told = {placement.placement_id: _seconds_of(placement) for placement in placements}
    taken = Counter(seconds for seconds in told.values() if seconds)
    free = list((Counter((slot.start_time_seconds, slot.end_time_seconds) for slot in slots) - taken).elements())
    homeless = [placement for placement in placements if told[placement.placement_id] is None]
    if homeless:
        # Which slot is whose can be told only of one placement and one slot.
        if len(homeless) == len(free) == 1:
            told[homeless[0].placement_id] = free[0]
        free = []
    flight = (campaign.start_date, campaign.end_date)
    ads = [
        Ad(
            campaign.campaign_id,
            item.placement_id,
            episode_id,
            item.kind,
            max(flight[0], item.air_date or flight[0]),
            flight[1],
            told[item.placement_id],
        )
        for item in placements
    ]
    return ads + [Ad(campaign.campaign_id, None, episode_id, "baked", *flight, seconds) for seconds in free]


def _seconds_of(placement: Placement) -> Seconds | None:
    if placement.start_seconds is None or placement.end_seconds is None:
        return None
    return placement.start_seconds, placement.end_seconds


def locate_ads(ads: Sequence[Ad], index: EpisodeIndex) -> pl.DataFrame:
    """One row of ADS_SCHEMA per ad of a known episode, in the order of `ads`."""
    numbers = {known.episode_id: number for number, known in enumerate(index.episodes)}
    rows: list[tuple[object, ...]] = []
    for ad in ads:
        number = numbers.get(ad.episode_id)
        if number is None:
            continue
        known = index.episodes[number]
        span = compute_ad_span(ad, known)
        first, end = span or (0, known.file_bytes)
        placement = None if ad.placement_id is None else str(ad.placement_id)
        rows.append(
            (len(rows), number, str(ad.campaign_id), placement, ad.start_at, ad.end_at, first, end, known.file_bytes,
             known.header_bytes or 0, span is not None)
        )  # fmt: skip
    return pl.DataFrame(rows, schema=ADS_SCHEMA, orient="row")


def compute_ad_span(ad: Ad, known: KnownEpisode) -> tuple[int, int] | None:
    """The bytes that deliver the ad, from the first to before the last; None where its place in the file is not known.

    Of a dynamic ad its own bytes, of any other all from the file's beginning to the ad's end.
    """
    size, seconds = known.file_bytes, known.duration_seconds
    if not size or not seconds or ad.seconds is None or ad.seconds[0] >= seconds:
        return None
    header = min(known.header_bytes or 0, size)
    per_second = Fraction(size - header) / Fraction(seconds)
    end = min(header + ceil(Fraction(ad.seconds[1]) * per_second), size)
    first = header + floor(Fraction(ad.seconds[0]) * per_second) if ad.kind == "dynamic" else 0
    return (first, end) if first < end else None


def judge_ads(counted: pl.DataFrame, ads: pl.DataFrame) -> pl.DataFrame:
    """One row of DELIVERIES_SCHEMA per download and ad on the air, in the order of both.

    `counted` has the spans of windows that count: window, download, time (of the download), episode, delivery,
    span_start, span_bytes; and is_other and own_bytes of what came of a file that is not the enclosure.
    """
    spans = counted.filter(pl.col("episode").is_in(ads["episode"].unique().implode()))
    if spans.is_empty():
        return pl.DataFrame(schema=DELIVERIES_SCHEMA)
    told = _as_enclosure(spans, ads).with_columns(is_silent=_is_silent(), start=pl.col("span_start").fill_null(-1))
    loose = pl.col("span_bytes").filter(~pl.col("is_silent") & (pl.col("start") < 0))
    windows = told.group_by("download", "episode", "time").agg(
        is_silent=pl.col("is_silent").any(), loose_bytes=loose.sum(), largest_bytes=loose.max().fill_null(0)
    )
    pairs = (
        windows.join(ads, on="episode")
        .filter((pl.col("time") >= pl.col("start_at")) & (pl.col("time") < pl.col("end_at")))
        .sort("download", "ad")
        .with_row_index("pair")
    )
    joined = pairs.join(_count_covered(pairs, told), on="pair", how="left", maintain_order="left")
    return joined.with_columns(state=_state()).select(DELIVERIES_SCHEMA.names()).cast(DELIVERIES_SCHEMA)


def _as_enclosure(spans: pl.DataFrame, ads: pl.DataFrame) -> pl.DataFrame:
    """The spans of other files as those of the enclosure that hold the same seconds; unknown where a size is.

    Both files last as long, so a place lies as far in the one's audio as in the other's. The file that is whole in the
    one is whole in the other. Rounded outwards, by a byte at most, so that what was one piece stays one.
    """
    if not spans["is_other"].any():
        return spans
    files = ads.select("episode", "whole_bytes", "header_bytes").unique("episode")
    told = spans.join(files, on="episode", how="left", maintain_order="left")
    rate = (pl.col("whole_bytes") - pl.col("header_bytes")) / pl.col("own_bytes")
    begin, end = pl.col("span_start"), pl.col("span_start") + pl.col("span_bytes")
    first = pl.when(begin <= 0).then(begin.cast(pl.Float64)).otherwise(pl.col("header_bytes") + begin * rate).floor()
    last = (
        pl.when(end >= pl.col("own_bytes")).then("whole_bytes").otherwise((pl.col("header_bytes") + end * rate).ceil())
    )
    loose = (
        pl.when(pl.col("span_bytes") >= pl.col("own_bytes")).then("whole_bytes").otherwise(pl.col("span_bytes") * rate)
    )
    size = pl.when(begin.is_null()).then(loose).otherwise(last - first)
    return spans.with_columns(
        told.select(
            span_start=pl.when("is_other").then(first.cast(pl.Int64)).otherwise("span_start"),
            span_bytes=pl.when("is_other").then(size.cast(pl.Int64)).otherwise("span_bytes"),
        )
    )


def _is_silent() -> pl.Expr:
    """True where nobody knows which bytes came: a redirect sees none, and a stream's lie in files of their own."""
    return pl.col("span_bytes").is_null() | pl.col("delivery").is_in(["hls", "prefix"]).fill_null(value=False)


def _count_covered(pairs: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """(pair, covered): how many distinct bytes of the ad's span were sent."""
    known = told.filter(~pl.col("is_silent") & (pl.col("start") >= 0)).select("download", "start", "span_bytes")
    parts = (
        pairs.select("pair", "download", "first_byte", "end_byte")
        .join(known, on="download")
        .select(
            "pair",
            first=pl.max_horizontal("start", "first_byte"),
            end=pl.min_horizontal(pl.col("start") + pl.col("span_bytes"), "end_byte"),
        )
        .filter(pl.col("end") > pl.col("first"))
        .sort("pair", "first")
    )
    reached = parts.with_columns(before=pl.col("end").cum_max().shift(1).over("pair"))
    new = (pl.col("end") - pl.max_horizontal("first", pl.col("before").fill_null(0))).clip(0)
    return reached.group_by("pair").agg(covered=new.sum())


def _state() -> pl.Expr:
    wanted = pl.col("end_byte") - pl.col("first_byte")
    covered = pl.col("covered").fill_null(0)
    # A response whose place is unknown may have brought what is missing; one as large as the file has.
    may_be = pl.col("is_silent") | ~pl.col("has_place") | (covered + pl.col("loose_bytes") >= wanted)
    return (
        pl.when(pl.col("end_byte").is_null())
        .then(pl.lit(NOT_KNOWN, pl.UInt8))
        .when((covered >= wanted) | (pl.col("largest_bytes") >= pl.col("whole_bytes")))
        .then(pl.lit(DELIVERED, pl.UInt8))
        .when(may_be)
        .then(pl.lit(NOT_KNOWN, pl.UInt8))
        .otherwise(pl.lit(MISSED, pl.UInt8))
    )
