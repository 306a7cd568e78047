"""Networks whose addresses act as one: all under one agent, or all with the taste of a list.

A share is held against the same share elsewhere, and counts only where chance among all networks would not bring it.
"""

from math import log10
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.habits import Finding, is_tasteless
from castline.measure.behaviour.traffic import NEAR, Ints, Traffic
from castline.measure.behaviour.usual import USUAL_TAKES, compute_own_tastes

# A class of thirty tablets takes one episode; so fewer addresses must take several.
NETWORK: Final = {
    "network_addresses": 35,
    "network_addresses_of_several": 8,
    "network_takes_per_address": 3,
    "network_agent_share": 0.9,
    "network_chance": 1e-6,
    "network_hosts": 3,
    "network_episodes": 5,
    "network_share_of_day": 0.5,
    "network_host_takes": 10,
    "network_takes_in_all": 24,
    "network_host_takes_in_all": 30,
    "network_tasteless_hosts_share": 0.8,
}
_NETWORK: Final = ("day_on", "network")
_GROUP: Final = (*_NETWORK, "agent")
_BUCKET_BITS: Final = 21
_SIGNS: Final = 2


def find_networks(traffic: Traffic) -> list[Finding]:
    """Networks all of whose addresses have one agent that others have not, or under it take what a list holds."""
    takes = _crowded(traffic)
    if takes.is_empty():
        return []
    agents = _beside_others(takes, traffic)
    return [_of_one_agent(takes, agents), _tasteless(takes, agents, traffic)]


def _crowded(traffic: Traffic) -> pl.DataFrame:
    """The takes of networks with several addresses and nearly always the same agent, with their `network`."""
    places = find_dense(traffic, "agent", NETWORK["network_agent_share"], NETWORK["network_takes_in_all"])
    near = traffic.add_origins(traffic.takes[places]).with_columns(network=NEAR).drop_nulls("network")
    homes = near.group_by(_NETWORK).agg(hosts=pl.col("who").n_unique())
    return near.join(homes.filter(pl.col("hosts") >= NETWORK["network_hosts"]), on=_NETWORK)


def find_dense(traffic: Traffic, name: str, share: float, least: float) -> Ints:
    """The places of the takes of all networks with so many, nearly all of one agent or episode, and of few others.

    The numbers of that `name` are given signs by chance: their sum is as large as the count only where one has so much.
    """
    takes, mixed = traffic.takes, traffic.networks.keys
    places = traffic.networks.find_large(least)
    network = (mixed[places] >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)
    counts = np.bincount(network)[network]
    places, network, counts = (told[counts >= least] for told in (places, network, counts))
    if not len(places):
        return np.zeros(0, np.int64)
    numbers = takes[name].to_numpy()
    signed, width = numbers[places], int(numbers.max()) + 1
    chance = np.random.default_rng(0)
    may = np.ones(len(places), np.bool_)
    for _ in range(_SIGNS):
        signs = chance.choice([-1.0, 1.0], width)
        sums = np.bincount(network, signs[signed])[network]
        may &= np.abs(sums) >= (2 * share - 1) * counts
    found: Ints = places[may]
    return found


def _beside_others(takes: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Per network with nearly one agent its `takes`, and the agent's `elsewhere`, its share of what others take.

    Only of networks that are not most of the day: these are the usual.
    """
    totals = traffic.counts.by("agent", count="of_agent")
    days = totals.group_by("day_on").agg(of_day=pl.col("of_agent").sum(), day_agents=pl.len())
    told = takes.group_by(_GROUP).agg(addresses=pl.col("who").n_unique(), takes=pl.len())
    told = told.with_columns(
        of_network=pl.col("takes").sum().over(_NETWORK),
        # An address of many people has nearly every agent.
        agent_share=(pl.col("addresses") / pl.col("addresses").sum().over(_NETWORK)).round(3),
    )
    told = told.filter(pl.col("takes") >= NETWORK["network_agent_share"] * pl.col("of_network"))
    told = told.join(totals, on=["day_on", "agent"]).join(days, on="day_on")
    outside = pl.col("of_day") - pl.col("of_network")
    told = told.filter(
        outside >= pl.max_horizontal(USUAL_TAKES, (1 - NETWORK["network_share_of_day"]) * pl.col("of_day"))
    )
    return told.with_columns(elsewhere=(pl.col("of_agent") - pl.col("takes") + 1) / (outside + 1))


def _of_one_agent(takes: pl.DataFrame, agents: pl.DataFrame) -> Finding:
    """Networks nearly all of whose addresses have an agent that few have elsewhere."""
    # As many networks may have enough takes to be compared, with each agent.
    compared = pl.col("of_day") / NETWORK["network_takes_in_all"] * pl.col("day_agents")
    chance = pl.col("elsewhere").log(10) * pl.col("addresses") + compared.log(10)
    many = pl.col("addresses") >= NETWORK["network_addresses"]
    several = (pl.col("addresses") >= NETWORK["network_addresses_of_several"]) & (
        pl.col("takes") >= NETWORK["network_takes_per_address"] * pl.col("addresses")
    )
    chosen = agents.filter(
        (many | several)
        & (pl.col("agent_share") >= NETWORK["network_agent_share"])
        & (chance <= log10(NETWORK["network_chance"]))
    )
    usual = pl.col("elsewhere").round(3).alias("usual_agent_share")
    return _finding(takes, chosen.select(*_GROUP, "addresses", "takes", "agent_share", usual))


def _tasteless(takes: pl.DataFrame, agents: pl.DataFrame, traffic: Traffic) -> Finding:
    """Networks of one agent whose addresses, each by itself, take what a list holds."""
    mine = takes.join(agents.select(_GROUP), on=_GROUP, how="semi")
    weight = pl.min_horizontal(1.0, NETWORK["network_host_takes"] / pl.len().over(*_NETWORK, "who"))
    mine = mine.with_columns(weight=weight).filter(
        (pl.col("weight").sum().over(_NETWORK) >= NETWORK["network_host_takes_in_all"])
        & (pl.col("episode").n_unique().over(_NETWORK) >= NETWORK["network_episodes"])
    )
    if mine.is_empty():
        return _finding(takes, agents.clear())
    told = agents.select(*_GROUP, "addresses", "takes").join(compute_own_tastes(traffic, mine, _NETWORK), on=_NETWORK)
    is_list = pl.col("tasteless_hosts_share") >= NETWORK["network_tasteless_hosts_share"]
    return _finding(takes, told.filter(is_tasteless() & is_list))


def _finding(takes: pl.DataFrame, chosen: pl.DataFrame) -> Finding:
    numbered = chosen.sort(_GROUP).with_row_index("subject")
    measured = [name for name in chosen.columns if name not in _GROUP]
    return Finding(
        takes.join(numbered.select("subject", *_GROUP), on=_GROUP).select("take", "subject"),
        numbered.select("subject", "day_on", "agent", who=pl.lit(None, pl.UInt64), measured=pl.struct(measured)),
    )
