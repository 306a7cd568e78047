"""Networks whose addresses act as one: under few agents that others seldom have, or with the taste of a list.

A share is held against the same share elsewhere, and counts only where chance among all networks would not bring it.
"""

from math import log10
from typing import Final

import polars as pl

from castline.measure.behaviour.crowded import CROWDED, NETWORK_KEYS, bound_choices
from castline.measure.behaviour.habits import Finding, is_tasteless
from castline.measure.behaviour.traffic import Traffic
from castline.measure.behaviour.usual import USUAL_TAKES, compute_own_tastes

# A class of thirty tablets takes one episode; so fewer addresses must take several.
NETWORK: Final = {
    **CROWDED,
    "network_addresses": 35,
    "network_addresses_of_several": 8,
    "network_takes_per_address": 3,
    "network_agents_share": 0.9,
    "network_addresses_per_agent": 4,
    "network_chance": 1e-6,
    "network_few_agents": 3,
    "network_tasteless_share_of_day": 0.5,
    "network_episodes": 5,
    "network_host_takes": 10,
    "network_host_takes_in_all": 30,
    "network_tasteless_hosts_share": 0.8,
}
_GROUP: Final = (*NETWORK_KEYS, "agent")


def find_networks(traffic: Traffic, crowded: pl.DataFrame) -> list[Finding]:
    """Networks all of whose addresses have few agents that others have not, or under them take what a list holds."""
    if crowded.is_empty():
        return []
    agents = _main_agents(crowded, traffic)
    return [_of_few_agents(crowded, agents), _tasteless(crowded, agents, traffic)]


def _main_agents(takes: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Per network the most frequent agents until they have nearly all consumers, beside what others take under them."""
    told = takes.group_by(_GROUP).agg(
        pl.col("hosts", "of_network", "of_day", "day_agents").first(),
        consumers=pl.col("who").n_unique(),
        takes=pl.len(),
    )
    told = told.sort(*NETWORK_KEYS, "consumers", "agent", descending=[False, False, True, False])
    told = told.with_columns(
        all_consumers=pl.col("consumers").sum().over(NETWORK_KEYS),
        before=pl.col("consumers").cum_sum().over(NETWORK_KEYS) - pl.col("consumers"),
    )
    told = told.filter(pl.col("before") < NETWORK["network_agents_share"] * pl.col("all_consumers"))
    return told.join(traffic.counts.by("agent", count="of_agent"), on=["day_on", "agent"])


def _of_few_agents(takes: pl.DataFrame, agents: pl.DataFrame) -> Finding:
    """Networks nearly all of whose addresses have a few agents that few have elsewhere."""
    mine = takes.join(agents.select(_GROUP), on=_GROUP, how="semi")
    told = agents.group_by(NETWORK_KEYS).agg(
        pl.col("of_network", "of_day", "day_agents", "all_consumers").first(),
        pl.col("consumers", "takes", "of_agent").sum(),
        agents=pl.len(),
        agent=_one_agent(),
    )
    told = told.join(mine.group_by(NETWORK_KEYS).agg(addresses=pl.col("who").n_unique()), on=NETWORK_KEYS)
    outside = pl.col("of_day") - pl.col("of_network")
    elsewhere = (pl.col("of_agent") - pl.col("takes") + pl.col("agents")) / (outside + pl.col("agents"))
    # As many networks may have enough takes to be compared, with each choice of agents, and of addresses without them.
    compared = (pl.col("of_day") / CROWDED["network_takes_in_all"]).log(10)
    compared += pl.col("agents") * pl.col("day_agents").log(10)
    compared += bound_choices(pl.col("all_consumers") - pl.col("consumers"), pl.col("all_consumers"))
    many = pl.col("addresses") >= NETWORK["network_addresses"]
    several = (pl.col("addresses") >= NETWORK["network_addresses_of_several"]) & (
        pl.col("takes") >= NETWORK["network_takes_per_address"] * pl.col("addresses")
    )
    chosen = told.filter(
        (many | several)
        & (pl.col("addresses") >= NETWORK["network_addresses_per_agent"] * pl.col("agents"))
        & (elsewhere.log(10) * pl.col("consumers") + compared <= log10(NETWORK["network_chance"]))
    )
    usual = elsewhere.round(3).alias("usual_agents_share")
    return _finding(mine, chosen.select(*_GROUP, "addresses", "takes", "agents", usual))


def _tasteless(takes: pl.DataFrame, agents: pl.DataFrame, traffic: Traffic) -> Finding:
    """Networks of few agents whose addresses, each by itself, take what a list holds."""
    few = agents.filter(
        (pl.len().over(NETWORK_KEYS) <= NETWORK["network_few_agents"])
        & (pl.len().over(NETWORK_KEYS) * CROWDED["network_hosts"] <= pl.col("hosts"))
        & (pl.col("of_network") <= NETWORK["network_tasteless_share_of_day"] * pl.col("of_day"))
        & (pl.col("of_day") - pl.col("of_network") >= USUAL_TAKES)
    )
    mine = takes.join(few.select(_GROUP), on=_GROUP, how="semi")
    weight = pl.min_horizontal(1.0, NETWORK["network_host_takes"] / pl.len().over(*NETWORK_KEYS, "who"))
    mine = mine.with_columns(weight=weight).filter(
        (pl.col("weight").sum().over(NETWORK_KEYS) >= NETWORK["network_host_takes_in_all"])
        & (pl.col("episode").n_unique().over(NETWORK_KEYS) >= NETWORK["network_episodes"])
    )
    told = few.group_by(NETWORK_KEYS).agg(agents=pl.len(), agent=_one_agent())
    counted = mine.group_by(NETWORK_KEYS).agg(addresses=pl.col("who").n_unique(), takes=pl.len())
    told = told.join(counted, on=NETWORK_KEYS)
    if told.is_empty():
        return _finding(mine, told)
    told = told.join(compute_own_tastes(traffic, mine, NETWORK_KEYS), on=NETWORK_KEYS)
    is_list = pl.col("tasteless_hosts_share") >= NETWORK["network_tasteless_hosts_share"]
    return _finding(mine, told.filter(is_tasteless() & is_list))


def _one_agent() -> pl.Expr:
    """The agent, where it is one."""
    return pl.when(pl.len() == 1).then(pl.col("agent").first())


def _finding(takes: pl.DataFrame, chosen: pl.DataFrame) -> Finding:
    numbered = chosen.sort(NETWORK_KEYS).with_row_index("subject")
    measured = [name for name in chosen.columns if name not in _GROUP]
    return Finding(
        takes.join(numbered.select("subject", *NETWORK_KEYS), on=NETWORK_KEYS).select("take", "subject"),
        numbered.select("subject", "day_on", "agent", who=pl.lit(None, pl.UInt64), measured=pl.struct(measured)),
    )
