"""The networks that many takes come from, beside all others of their day."""

from math import e
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.traffic import NEAR, Ints, Traffic

CROWDED: Final = {"network_hosts": 3, "network_takes_in_all": 24, "network_share_of_day": 0.8, "network_others": 20}
NETWORK_KEYS: Final = ("day_on", "network")
_SIGNS: Final = 2


def find_crowded(traffic: Traffic) -> pl.DataFrame:
    """The takes of networks (`network`) with several addresses (`hosts`) and enough takes (`of_network`).

    With those of the day, `of_day`, and its `day_agents`. None where the rest of a day comes from few networks or is
    little of it: then nothing is usual, the log is a test, or it shows the addresses of proxies.
    """
    places, _ = find_much(traffic, CROWDED["network_takes_in_all"])
    near = traffic.add_origins(traffic.takes[places]).with_columns(network=NEAR).drop_nulls("network")
    told = near.group_by(NETWORK_KEYS).agg(hosts=pl.col("who").n_unique(), of_network=pl.len())
    told = told.filter(
        (pl.col("hosts") >= CROWDED["network_hosts"]) & (pl.col("of_network") >= CROWDED["network_takes_in_all"])
    )
    told = told.join(tell_days(traffic, told["day_on"].unique()), on="day_on").filter(
        (pl.col("networks") >= pl.len().over("day_on") + CROWDED["network_others"])
        & (pl.col("of_network") <= CROWDED["network_share_of_day"] * pl.col("of_day"))
    )
    return near.join(told.drop("networks"), on=NETWORK_KEYS)


def tell_days(traffic: Traffic, days: pl.Series) -> pl.DataFrame:
    """Per day its takes, their networks and agents."""
    networks = pl.DataFrame({"day_on": traffic.takes["day_on"], "network": traffic.networks.keys})
    networks = networks.filter(pl.col("day_on").is_in(days.implode())) if len(days) else networks.clear()
    told = networks.group_by("day_on").agg(of_day=pl.len(), networks=pl.col("network").n_unique())
    agents = traffic.counts.by("agent", count="of_agent").group_by("day_on").agg(day_agents=pl.len())
    return told.join(agents, on="day_on")


def find_dense(traffic: Traffic, name: str, share: float, least: float) -> Ints:
    """The places of the takes of all networks with so many, nearly all of one agent or episode, and of few others.

    The numbers of that `name` are given signs by chance: their sum is as large as the count only where one has so much.
    """
    places, network = find_much(traffic, least)
    if not len(places):
        return places
    counts = np.bincount(network)[network]
    numbers = traffic.takes[name].to_numpy()
    signed, width = numbers[places], int(numbers.max()) + 1
    chance = np.random.default_rng(0)
    may = np.ones(len(places), np.bool_)
    for _ in range(_SIGNS):
        signs = chance.choice([-1.0, 1.0], width)
        sums = np.bincount(network, signs[signed])[network]
        may &= np.abs(sums) >= (2 * share - 1) * counts
    found: Ints = places[may]
    return found


def bound_choices(some: pl.Expr, of_all: pl.Expr) -> pl.Expr:
    """At most how many ways there are to choose some of all, as a power of ten."""
    return pl.when(some > 0).then(some * (e * of_all / some).log(10)).otherwise(0.0)


def find_much(traffic: Traffic, least: float) -> tuple[Ints, Ints]:
    """The places of the takes of all networks with so many, and the number of each one's network."""
    places = traffic.networks.find_large(least)
    # Exactly: networks of other days, or by chance of the same bucket, must not tell anything of one another.
    _, network, counts = np.unique(traffic.networks.keys[places], return_inverse=True, return_counts=True)
    much = (counts >= least)[network]
    return places[much], network[much]
