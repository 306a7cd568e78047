"""Networks each of whose addresses takes one and the same set of episodes and nothing else, where others do not.

Neighbours may have a taste in common, and apps fetch the newest of a show: how many others take just the same is told
by the day, and by the time in which these do. Under whatever agents.
"""

from math import log10
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.crowded import CROWDED, NETWORK_KEYS, bound_choices
from castline.measure.behaviour.habits import Finding
from castline.measure.behaviour.traffic import Flags, Ints, Traffic

# A carrier's address takes an episode again under every phone that likes it: many such come to take all there is.
ALIKE: Final = {
    "alike_addresses": 8,
    "alike_episodes": 3,
    "alike_share": 0.8,
    "alike_takes_per_episode": 2,
    "alike_chance": 1e-6,
}
_AS_ON_DAY: Final = 10
_HOST: Final = (*NETWORK_KEYS, "who")
_CELL: Final = (*NETWORK_KEYS, "episode")


def find_alike(traffic: Traffic, crowded: pl.DataFrame) -> list[Finding]:
    """Networks whose addresses take the same episodes and nothing else, under whatever agents."""
    common = _common_episodes(crowded)
    hosts = _alike_hosts(crowded, common)
    if hosts.is_empty():
        return []
    told = hosts.group_by(NETWORK_KEYS).agg(
        pl.col("hosts", "of_day", "episodes").first(), pl.col("takes").sum(), addresses=pl.len()
    )
    # Not even a set that nobody else takes would tell of the others.
    told = told.filter(_chance(1 / pl.col("of_day")) <= log10(ALIKE["alike_chance"])).sort(NETWORK_KEYS)
    told = told.with_columns(usual_share=_find_usual_shares(traffic, told, hosts, common))
    chosen = told.filter(_chance(pl.col("usual_share")) <= log10(ALIKE["alike_chance"])).with_row_index("subject")
    measured = pl.struct("addresses", "takes", "episodes", pl.col("usual_share").round(3))
    none = {"who": pl.lit(None, pl.UInt64), "agent": pl.lit(None, pl.UInt32)}
    mine = hosts.select(_HOST).join(chosen.select(*NETWORK_KEYS, "subject"), on=NETWORK_KEYS)
    return [
        Finding(
            crowded.join(mine, on=_HOST).select("take", "subject"),
            chosen.select("subject", "day_on", measured=measured, **none),
        )
    ]


def _chance(usual_share: pl.Expr) -> pl.Expr:
    """How likely so many addresses take the same, as a power of ten; any network and set of the day could have."""
    compared = (pl.col("of_day") / CROWDED["network_takes_in_all"]).log(10) + pl.col("of_day").log(10)
    compared += bound_choices(pl.col("hosts") - pl.col("addresses"), pl.col("hosts"))
    return usual_share.log(10) * pl.col("addresses") + compared


def _common_episodes(crowded: pl.DataFrame) -> pl.DataFrame:
    """Per network the episodes that nearly all its addresses take, where these are several."""
    cells = crowded.group_by(_CELL).agg(pl.col("hosts").first(), takers=pl.col("who").n_unique())
    common = cells.filter(
        (pl.col("hosts") >= ALIKE["alike_addresses"]) & (pl.col("takers") >= ALIKE["alike_share"] * pl.col("hosts"))
    )
    common = common.with_columns(episodes=pl.len().over(NETWORK_KEYS))
    return common.filter(pl.col("episodes") >= ALIKE["alike_episodes"]).select(*_CELL, "episodes")


def _alike_hosts(crowded: pl.DataFrame, common: pl.DataFrame) -> pl.DataFrame:
    """The addresses that take nearly all of these and little else, of networks in which nearly all are such."""
    near = crowded.join(common.select(NETWORK_KEYS).unique(), on=NETWORK_KEYS, how="semi")
    each = near.group_by(_HOST).agg(
        pl.col("hosts", "of_day").first(), taken=pl.col("episode").n_unique(), takes=pl.len()
    )
    held = near.select(*_HOST, "episode").unique().join(common, on=_CELL)
    held = held.group_by(_HOST).agg(pl.col("episodes").first(), held=pl.len())
    alike = each.join(held, on=_HOST).filter(
        (pl.col("held") >= ALIKE["alike_share"] * pl.col("episodes"))
        & (pl.col("held") >= ALIKE["alike_share"] * pl.col("taken"))
        & (pl.col("takes") <= ALIKE["alike_takes_per_episode"] * pl.col("taken"))
    )
    return alike.filter(pl.len().over(NETWORK_KEYS) >= ALIKE["alike_share"] * pl.col("hosts"))


def _find_usual_shares(traffic: Traffic, told: pl.DataFrame, hosts: pl.DataFrame, common: pl.DataFrame) -> pl.Series:
    """Per network the share of others that take the same; several farms of a day must not excuse one another."""
    shares = []
    for day, networks in told.group_by("day_on", maintain_order=True):
        others = _Others(traffic, day[0], hosts.filter(pl.col("day_on") == day[0])["who"])
        for name in networks["network"]:
            here = pl.col("day_on").eq(day[0]) & pl.col("network").eq(name)
            shares.append(others.find_share(hosts.filter(here)["who"], common.filter(here)["episode"]))
    return pl.Series(shares, dtype=pl.Float64)


class _Others:
    """What the addresses of a day take, but for those that are asked about."""

    def __init__(self, traffic: Traffic, day: object, asked: pl.Series) -> None:
        takes = traffic.takes.select("day_on", "who", "episode", at=traffic.find_times(traffic.takes))
        # An address under several agents may take an episode several times.
        once = takes.filter(pl.col("day_on") == day).group_by("who", "episode").agg(pl.col("at").min())
        self._asked = once.filter(pl.col("who").is_in(asked.implode()))
        others = once.join(self._asked, on="who", how="anti")
        names, self._address = np.unique(others["who"].to_numpy(), return_inverse=True)
        self._width = len(names)
        self._episode, self._at = others["episode"].to_numpy(), others["at"].to_numpy()

    def find_share(self, who: pl.Series, episodes: pl.Series) -> float:
        """The share of the others that take just these, of the day or, if greater, while these addresses do."""
        mine = self._asked.filter(pl.col("who").is_in(who.implode()))["at"].to_numpy()
        inside = np.isin(self._episode, episodes.to_numpy())
        during = np.flatnonzero((self._at >= mine.min()) & (self._at <= mine.max()))
        alike, everybody = self._count(self._address, inside, len(episodes))
        # As if one more address had taken the set and one had not; and ten as on the whole day.
        of_day = (alike + 1) / (everybody + 2)
        alike, everybody = self._count(self._address[during], inside[during], len(episodes))
        return max(of_day, (alike + _AS_ON_DAY * of_day) / (everybody + _AS_ON_DAY))

    def _count(self, address: Ints, inside: Flags, episodes: int) -> tuple[int, int]:
        """How many addresses take just this set, and how many there are."""
        taken = np.bincount(address, minlength=self._width)
        held = np.bincount(address[inside], minlength=self._width)
        alike = (held >= ALIKE["alike_share"] * episodes) & (held >= ALIKE["alike_share"] * taken) & (held > 0)
        return int(alike.sum()), int((taken > 0).sum())
