"""Rows that differ between what stands and what shall stand, told by marks where the rows themselves are large."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import polars as pl

from castline.measure.judge import Judged
from castline.measure.rows.events import event_ids

_OF_AGENT: Final = ("platform", "device_type", "device_os", "user_agent", "app")
_MARK: Final = ("high", "low", "content")
_MARKS: Final = pl.Schema({"day_on": pl.Date, **dict.fromkeys(_MARK, pl.UInt64)})


@dataclass(frozen=True, slots=True)
class Change:
    """The rows that stand and must go, and those that come: what differs goes and comes."""

    gone: pl.DataFrame
    come: pl.DataFrame


def find_change(before: pl.DataFrame, after: pl.DataFrame) -> Change:
    """What makes the rows that stood the rows that shall stand; each row is there once, in the columns of `before`."""
    names = before.columns
    return Change(
        before.join(after, on=names, how="anti", nulls_equal=True),
        after.join(before, on=names, how="anti", nulls_equal=True, maintain_order="left"),
    )


def mark_downloads(judged: Judged, carried: pl.DataFrame, owner_id: UUID) -> pl.DataFrame:
    """`day_on` and the mark of each download, in order."""
    if judged.downloads.is_empty():
        return _MARKS.to_frame()
    ids = event_ids(judged, owner_id)
    agents = judged.agents.select("agent", told=judged.agents.select(_OF_AGENT).hash_rows())
    episodes = judged.episodes.select("episode", named=judged.episodes.select("podcast_id", "episode_id").hash_rows())
    told = (
        judged.downloads.select("time", "ip", "country", "delivery", "agent", "episode", "listener_key")
        .hstack(carried.select("campaign_id", "ads"))
        .join(agents, on="agent", how="left", maintain_order="left")
        .join(episodes, on="episode", how="left", maintain_order="left")
        .drop("agent", "episode")
    )
    halves = {"high": pl.Series(ids[:, 0]), "low": pl.Series(ids[:, 1])}
    return judged.downloads.select("day_on", **halves, content=told.hash_rows())
