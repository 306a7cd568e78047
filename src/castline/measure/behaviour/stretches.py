"""Crowds that take one and the same number of an episode's bytes: just over what counts, and no usual size.

People break off wherever they are, and players ask for pieces of one size whatever the episode: how likely a size is
to be of one episode alone is told by what others take of it.
"""

from math import log10
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.aims import bound_share
from castline.measure.behaviour.crowded import bound_choices
from castline.measure.behaviour.habits import JUST_OVER, Finding
from castline.measure.behaviour.traffic import NEAR, Traffic

STRETCH: Final = {
    "stretch_addresses": 20,
    "stretch_networks_share": 0.5,
    "stretch_app_share": 0.8,
    "stretch_piece_bytes": 16_384,
    "stretch_round_bytes": 100_000,
    "stretch_longer_takes": 3,
    "stretch_times_longer": 2,
    "stretch_chance": 1e-6,
}
_CELL: Final = ("day_on", "episode", "bytes_sent")
_EPISODE: Final = ("day_on", "episode")


def find_same_stretches(traffic: Traffic, agents: pl.DataFrame) -> list[Finding]:
    """Addresses of many networks, under several apps, that take the same odd number of an episode's bytes."""
    near = _just_enough(traffic)
    many = near.group_by(_CELL).agg(addresses=pl.col("who").n_unique(), takes=pl.len())
    many = many.filter((pl.col("addresses") >= STRETCH["stretch_addresses"]) & _is_odd())
    if many.is_empty():
        return []
    near = traffic.add_origins(near.join(many.select(_CELL), on=_CELL, how="semi"))
    near = near.join(agents.select("agent", "app"), on="agent", how="left")
    spread = near.group_by(_CELL).agg(
        networks=NEAR.n_unique(),
        app_share=(pl.col("app").unique_counts().max() / pl.len()).round(3),
    )
    told = many.join(spread, on=_CELL).filter(
        (pl.col("networks") >= STRETCH["stretch_networks_share"] * pl.col("addresses"))
        & (pl.col("app_share") <= STRETCH["stretch_app_share"])
    )
    chosen = _beyond_chance(_of_longer(told, traffic), traffic).sort(_CELL).with_row_index("subject")
    none = {"who": pl.lit(None, pl.UInt64), "agent": pl.lit(None, pl.UInt32)}
    measured = pl.struct("addresses", "networks", "takes", "bytes_sent", "app_share", "usual_share")
    return [
        Finding(
            near.join(chosen.select(*_CELL, "subject"), on=_CELL).select("take", "subject"),
            chosen.select("subject", "day_on", measured=measured, **none),
        )
    ]


def _just_enough(traffic: Traffic) -> pl.DataFrame:
    """The takes of one request each that brought just over what counts, and no whole file, with `bytes_sent`."""
    # Told of the rows before any is gathered: few brought so little.
    sent = pl.col("bytes_sent").is_between("needed_bytes", JUST_OVER * pl.col("needed_bytes"))
    just = traffic.ends.select((sent & ~pl.col("needs_whole")).fill_null(value=False)).to_series().to_numpy()
    found = traffic.takes.filter(pl.Series(just[traffic.takes["place"].to_numpy()]))
    requests = np.bincount(traffic.take_of)[found["take"].to_numpy()] if found.height else np.zeros(0, np.int64)
    found = found.filter(pl.Series(requests == 1))
    return found.with_columns(traffic.ends["bytes_sent"].gather(found["place"]))


def _is_odd() -> pl.Expr:
    """True for what is no whole number of pieces or of round sizes, nor one byte more or less."""
    sizes = (int(STRETCH["stretch_piece_bytes"]), int(STRETCH["stretch_round_bytes"]))
    return pl.all_horizontal((pl.col("bytes_sent") + 1) % size > 2 for size in sizes)  # noqa: PLR2004


def _of_longer(told: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Those of whose episode some had far more at once: the size is no whole file's."""
    rows = traffic.ends.select("episode", "listener_key", sent="bytes_sent", day_on=pl.Series(traffic.days))
    rows = rows.join(told.select(_CELL), on=_EPISODE).filter(
        pl.col("sent") >= STRETCH["stretch_times_longer"] * pl.col("bytes_sent")
    )
    longer = rows.group_by(_CELL).agg(longer=pl.col("listener_key").n_unique())
    return told.join(longer.filter(pl.col("longer") >= STRETCH["stretch_longer_takes"]), on=_CELL, how="semi")


def _beyond_chance(told: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Those that are of their episode far more than other takes are, beside as many sizes as a day may have."""
    if told.is_empty():
        return told.with_columns(usual_share=pl.lit(None, pl.Float64))
    sizes = pl.DataFrame(
        {"day_on": traffic.takes["day_on"], "sent": traffic.ends["bytes_sent"][traffic.takes["place"]]}
    )
    same = sizes.group_by("day_on", bytes_sent="sent").agg(same=pl.len())
    counted = traffic.counts.by("episode", count="all_takes")
    days = counted.group_by("day_on").agg(of_day=pl.col("all_takes").sum())
    told = told.join(same, on=["day_on", "bytes_sent"]).join(counted, on=_EPISODE).join(days, on="day_on")
    # Several that are made on one day must not excuse one another.
    others = pl.col("all_takes").cast(pl.Int64) - pl.col("takes").sum().over(_EPISODE)
    all_others = pl.col("of_day").cast(pl.Int64) - pl.col("takes").sum().over("day_on")
    told = told.with_columns(usual_share=bound_share(others, all_others).round(3))
    evidence = pl.col("takes") * (1 / pl.col("usual_share")).log(10) - bound_choices(
        pl.col("same") - pl.col("takes"), pl.col("same")
    )
    compared = (pl.col("of_day") / STRETCH["stretch_addresses"]).log(10)
    return told.filter(evidence - compared >= -log10(STRETCH["stretch_chance"]))
