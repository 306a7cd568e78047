"""Farms: addresses of one network, or of the whole day, that act as one under one agent.

Everything is a share beside the same share outside: where agents and episodes are spread over networks by chance, or
where everybody takes the new episode, nothing stands out.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.counts import BUCKET_BITS, mix
from castline.measure.behaviour.habits import Finding
from castline.measure.behaviour.traffic import NEAR, WIDE, Flags, Traffic
from castline.measure.behaviour.usual import USUAL_TAKES

FARM: Final = {
    "addresses": 35,
    "share_of_takes": 0.5,
    "unusual_share": 0.35,
    "times_usual": 4,
    "usual_share": 0.25,
    "times_expected": 10,
    "agent_share": 0.3,
    "agent_times_usual": 4,
    "pair_takes": 10,
    "pair_deviations": 8,
    "mixed_share_of_takes": 0.9,
    "mixed_agents_per_address": 0.15,
    "mixed_usual_agents_share": 0.35,
    "same_set_addresses": 20,
    "same_set_episodes": 3,
    "same_set_share": 0.8,
    "spread_addresses": 40,
    "spread_episodes": 20,
    "spread_share_of_takes": 0.97,
    "spread_usual_share": 0.2,
    "spread_sibling_takes": 30,
    "spread_sibling_share": 0.2,
    "spread_alike_agents": 3,
    "spread_alike_takes": 20,
}
_LEAST: Final = 20
# The networks that may be a farm's: those near one another, and whoever runs the network.
_RUN_BY: Final = "AS" + pl.col("asn").cast(pl.String)
_FEW_NETWORKS: Final = 50
_GROUP: Final = ("day_on", "network", "agent")
_CELL: Final = (*_GROUP, "episode")


def find_farms(traffic: Traffic, agents: pl.DataFrame) -> list[Finding]:
    """Networks whose addresses take one or a few unusual episodes under one or few agents, or all the same set; and
    agents that came for such episodes alone, wherever from.
    """
    if traffic.takes.is_empty():
        return []
    whole = _Whole(traffic)
    if whole.lifted.is_empty():
        return []
    found = _spread_farm(traffic.takes, whole, agents)
    lifted = traffic.add_origins(traffic.takes.filter(pl.Series(_holds(whole.lifted, traffic.takes))))
    for network in (NEAR, WIDE, _RUN_BY):
        near = _all_of(_dense_networks(lifted.with_columns(network=network)), network, traffic)
        if near.is_empty():
            continue
        cells = whole.compare(near)
        found += [_aimed_farm(near, cells), _same_set_farm(near, cells), _mixed_farm(near, whole)]
    return found


def _dense_networks(lifted: pl.DataFrame) -> pl.DataFrame:
    """The networks in which one or few agents take an episode often, each with a beginning of its addresses."""
    place = ["day_on", "network", "episode"]
    cells = lifted.drop_nulls("network").group_by(*place, "agent").agg(cell=pl.len(), ip=pl.col("network").first())
    cells = cells.with_columns(here=pl.col("cell").sum().over(place), agents=pl.len().over(place))
    one = (pl.col("cell") >= _LEAST) & (pl.col("cell") >= FARM["agent_share"] * pl.col("here"))
    few = (pl.col("here") >= _LEAST) & (pl.col("agents") <= FARM["mixed_agents_per_address"] * pl.col("here"))
    return cells.filter(one | few).select("day_on", "network").unique()


def _all_of(networks: pl.DataFrame, network: pl.Expr, traffic: Traffic) -> pl.DataFrame:
    """All takes of these networks."""
    names = networks["network"].unique().sort().to_list()
    if not names:
        return traffic.takes.clear()
    takes = traffic.takes
    if len(names) <= _FEW_NETWORKS:
        ends = traffic.ends
        if names[0].startswith("AS"):
            inside = ends["asn"].is_in([int(name[2:]) for name in names]).fill_null(value=False)
        else:
            # Much cheaper than to cut the network out of each address.
            inside = ends.select(pl.any_horizontal(pl.col("ip").str.starts_with(name) for name in names)).to_series()
        takes = takes.filter(inside.fill_null(value=False).gather(takes["place"]))
    near = traffic.add_origins(takes).with_columns(network=network)
    return near.join(networks, on=["day_on", "network"], how="semi")


class _Whole:
    """The day's takes by agent and episode, to compare a network with what is outside of it."""

    def __init__(self, traffic: Traffic) -> None:
        day, counts = "day_on", traffic.counts
        self.agents = counts.by("agent", count="of_agent")
        self.days = self.agents.group_by(day).agg(of_day=pl.col("of_agent").sum())
        self.episodes = traffic.add_shows(counts.by("episode", count="of_episode"))
        self.shows = self.episodes.group_by(day, "show").agg(of_show=pl.col("of_episode").sum())
        # Those with fewer takes are of no account.
        self.pairs = counts.by("agent", "episode", count="pair", least=int(FARM["pair_takes"]))
        self.lifted = self._find_lifted()

    def _find_lifted(self) -> pl.DataFrame:
        """The pairs whose agent takes the episode far more than other agents do, beyond chance."""
        often = self.pairs.join(self.agents, on=["day_on", "agent"])
        often = often.join(self.episodes, on=["day_on", "episode"]).join(self.days, on="day_on")
        others = pl.col("of_day") - pl.col("of_agent")
        usual = (pl.col("of_episode") - pl.col("pair")) / others
        often = often.filter(others > 0).with_columns(chance=pl.col("of_agent") * usual)
        beyond = pl.col("pair") - pl.col("chance")
        return often.filter(
            (beyond >= pl.col("chance")) & (beyond >= FARM["pair_deviations"] * pl.col("chance").sqrt())
        )

    def usual_agents(self, takes: pl.DataFrame) -> pl.DataFrame:
        """Per network the number of its agents and their share of the takes elsewhere."""
        keys = ["day_on", "network"]
        mine = takes.group_by(*keys, "agent").agg(mine=pl.len())
        mine = mine.with_columns(of_network=pl.col("mine").sum().over(keys))
        elsewhere = (pl.col("of_agent") - pl.col("mine")) / (pl.col("of_day") - pl.col("of_network"))
        told = mine.join(self.agents, on=["day_on", "agent"]).join(self.days, on="day_on")
        return told.group_by(keys).agg(agents=pl.len(), usual_agents_share=elsewhere.sum().round(3))

    def compare(self, takes: pl.DataFrame) -> pl.DataFrame:
        """Per network, agent and episode how many addresses took it, and how many the rest of the day lets expect.

        Only those that are many times the expected, and whose agent is found among all that took the episode there
        far more often than anywhere else: a country may love a show, with all its phones.
        """
        net = ["day_on", "network"]
        cells = takes.group_by(_CELL).agg(cell=pl.len(), show=pl.col("show").first())
        cells = cells.with_columns(
            of_network=pl.col("cell").sum().over(net),
            of_group=pl.col("cell").sum().over(_GROUP),
            here=pl.col("cell").sum().over(*net, "episode"),
            of_show_here=pl.col("cell").sum().over(*net, "show"),
            of_agent_here=pl.col("cell").sum().over(_GROUP),
        ).filter(pl.col("cell") >= _LEAST)
        outside = pl.col("of_day") - pl.col("of_network")
        cells = self._beside(cells).filter(outside >= USUAL_TAKES)
        usual_agent = (pl.col("of_agent") - pl.col("of_agent_here")) / outside
        return cells.with_columns(
            expected=pl.col("of_network") * (pl.col("pair") - pl.col("cell")) / outside,
            usual=_rate(pl.col("of_episode") - pl.col("here"), pl.col("of_show") - pl.col("of_show_here")),
            share=pl.col("cell") / pl.col("of_group"),
            agent_share=pl.col("cell") / pl.col("here"),
        ).filter(
            (pl.col("cell") >= FARM["times_expected"] * pl.col("expected"))
            & (pl.col("agent_share") >= FARM["agent_share"])
            & (pl.col("agent_share") >= FARM["agent_times_usual"] * usual_agent)
        )

    def _beside(self, cells: pl.DataFrame) -> pl.DataFrame:
        """The cells with what the whole day holds of their pair, episode, agent and show."""
        day = "day_on"
        cells = cells.join(self.pairs, on=[day, "agent", "episode"])
        cells = cells.join(self.episodes.drop("show"), on=[day, "episode"])
        cells = cells.join(self.agents, on=[day, "agent"]).join(self.shows, on=[day, "show"])
        return cells.join(self.days, on=day)


def _rate(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """The share; none of nothing."""
    return pl.when(whole > 0).then(part / whole).otherwise(0.0)


def _aimed_farm(takes: pl.DataFrame, cells: pl.DataFrame) -> Finding:
    """Addresses of one network that take little but episodes which others do not."""
    told = cells.group_by(_GROUP).agg(
        addresses=pl.col("cell").max(),
        episodes=pl.len(),
        share_of_takes=pl.col("share").sum().round(3),
        unusual_share=_of_unusual("share"),
        usual_share=_of_unusual("usual"),
        expected_addresses=pl.col("expected").sum().round(2),
    )
    chosen = told.filter(
        (pl.col("addresses") >= FARM["addresses"])
        & (pl.col("share_of_takes") >= FARM["share_of_takes"])
        & (pl.col("unusual_share") >= FARM["unusual_share"])
        & (pl.col("usual_share") <= FARM["usual_share"])
    )
    # What the group takes of an episode that is popular too is no less the farm's.
    return _finding(takes.join(cells.select(_CELL), on=_CELL, how="semi"), chosen)


def _of_unusual(name: str) -> pl.Expr:
    """The sum over the episodes that are taken more often than is usual."""
    return pl.col(name).filter(pl.col("share") >= FARM["times_usual"] * pl.col("usual")).sum().round(3)


def _mixed_farm(takes: pl.DataFrame, whole: "_Whole") -> Finding:
    """Addresses of one network that take little but episodes which others do not, under few agents."""
    keys = ["day_on", "network"]
    cells = takes.group_by(*keys, "episode").agg(
        cell=pl.len(), addresses=pl.col("who").n_unique(), show=pl.col("show").first()
    )
    cells = cells.with_columns(
        of_network=pl.col("cell").sum().over(keys), of_show_here=pl.col("cell").sum().over(*keys, "show")
    ).filter(pl.col("addresses") >= _LEAST)
    cells = cells.join(whole.episodes.drop("show"), on=["day_on", "episode"]).join(whole.shows, on=["day_on", "show"])
    cells = cells.join(whole.days, on="day_on").filter(pl.col("of_day") - pl.col("of_network") >= USUAL_TAKES)
    cells = cells.with_columns(
        share=pl.col("cell") / pl.col("of_network"),
        usual=_rate(pl.col("of_episode") - pl.col("cell"), pl.col("of_show") - pl.col("of_show_here")),
    )
    cells = cells.filter(pl.col("share") >= FARM["times_usual"] * pl.col("usual"))
    told = cells.group_by(keys).agg(
        addresses=pl.col("addresses").max(),
        episodes=pl.len(),
        share_of_takes=pl.col("share").sum().round(3),
        usual_share=pl.col("usual").sum().round(3),
    )
    told = told.join(whole.usual_agents(takes.join(told, on=keys, how="semi")), on=keys).filter(
        (pl.col("addresses") >= FARM["addresses"])
        & (pl.col("share_of_takes") >= FARM["mixed_share_of_takes"])
        & (pl.col("usual_share") <= FARM["usual_share"])
        & (pl.col("agents") <= FARM["mixed_agents_per_address"] * pl.col("addresses"))
        & (pl.col("usual_agents_share") <= FARM["mixed_usual_agents_share"])
    )
    aimed = takes.join(cells.select(*keys, "episode"), on=[*keys, "episode"], how="semi")
    return _finding(aimed, told, keys)


def _same_set_farm(takes: pl.DataFrame, cells: pl.DataFrame) -> Finding:
    """Addresses of one network that take the same episodes, to the last one."""
    groups = cells.group_by(_GROUP).len().filter(pl.col("len") >= FARM["same_set_episodes"])
    near = takes.join(groups.select(_GROUP), on=_GROUP, how="semi")
    sets = near.group_by(*_GROUP, "who").agg(episodes=pl.len(), taken=pl.col("episode").sort())
    sets = sets.with_columns(addresses=pl.len().over(*_GROUP, "taken"), of_group=pl.len().over(_GROUP)).filter(
        (pl.col("episodes") >= FARM["same_set_episodes"])
        & (pl.col("addresses") >= FARM["same_set_addresses"])
        & (pl.col("addresses") >= FARM["same_set_share"] * pl.col("of_group"))
    )
    told = sets.group_by(_GROUP).agg(
        addresses=pl.col("addresses").first(),
        episodes=pl.col("episodes").first(),
        same_set_share=(pl.col("addresses") / pl.col("of_group")).first().round(3),
    )
    return _finding(near.join(sets.select(*_GROUP, "who"), on=[*_GROUP, "who"], how="semi"), told)


def _spread_farm(takes: pl.DataFrame, whole: _Whole, agents: pl.DataFrame) -> list[Finding]:
    """Agents that come from everywhere for a few episodes which no other agent takes."""
    keys = ["day_on", "agent"]
    cells = whole.pairs.join(whole.agents, on=keys).with_columns(share=pl.col("pair") / pl.col("of_agent"))
    cells = cells.filter(pl.col("of_agent") >= FARM["spread_addresses"])
    cells = cells.with_columns(episodes=pl.len().over(keys), share_of_takes=pl.col("share").sum().over(keys))
    cells = cells.filter(
        (pl.col("episodes") <= FARM["spread_episodes"]) & (pl.col("share_of_takes") >= FARM["spread_share_of_takes"])
    )
    if cells.is_empty():
        return []
    # Several farms on one day must not excuse one another.
    others = takes.join(cells.select(keys).unique(), on=keys, how="anti")
    cells = cells.join(whole.episodes.select("day_on", "episode", "show"), on=["day_on", "episode"])
    cells = _beside_alike(_beside_others(cells, others), whole)
    cells = cells.join(_beside_siblings(cells, others, agents), on=[*keys, "episode"])
    told = cells.group_by(keys).agg(
        addresses=pl.col("pair").max(),
        episodes=pl.len(),
        share_of_takes=pl.col("share").sum().round(3),
        unusual_share=_of_unusual("share"),
        usual_share=_of_unusual("usual"),
        sibling_share=_of_unusual("sibling_share"),
        is_told=pl.col("is_told").all(),
    )
    chosen = told.filter(
        (pl.col("addresses") >= FARM["spread_addresses"])
        & (pl.col("unusual_share") >= FARM["unusual_share"])
        & (pl.col("usual_share") <= FARM["spread_usual_share"])
        & (pl.col("sibling_share") <= FARM["spread_sibling_share"])
        & pl.col("is_told")
    ).drop("is_told")
    near = takes.join(cells.select(*keys, "episode"), on=[*keys, "episode"], how="semi")
    unusual = cells.filter(pl.col("share") >= FARM["times_usual"] * pl.col("usual")).select(*keys, "episode")
    # Of what others like too, only what the farm's addresses take: people may have its agent.
    theirs = near.join(unusual, on=[*keys, "episode"], how="semi").select(*keys, "who").unique()
    return [_finding(near.join(theirs, on=[*keys, "who"], how="semi"), chosen, keys)]


def _beside_others(cells: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The cells with `usual`, the episode's share of its show among the other agents."""
    shows = others.group_by("day_on", "show").agg(show_others=pl.len())
    days = shows.group_by("day_on").agg(day_others=pl.col("show_others").sum())
    days = days.filter(pl.col("day_others") >= USUAL_TAKES)
    episodes = others.group_by("day_on", "episode").agg(episode_others=pl.len())
    told = cells.join(days, on="day_on").join(shows, on=["day_on", "show"], how="left")
    told = told.join(episodes, on=["day_on", "episode"], how="left").with_columns(
        pl.col("show_others", "episode_others").fill_null(0)
    )
    return told.with_columns(usual=_rate(pl.col("episode_others"), pl.col("show_others")))


def _beside_alike(cells: pl.DataFrame, whole: _Whole) -> pl.DataFrame:
    """The cells with `usual` no less than what some other agents take of it: apps that fetch what is new do no more."""
    told = whole.pairs.join(whole.agents, on=["day_on", "agent"])
    told = told.filter(pl.col("of_agent") >= FARM["spread_alike_takes"])
    told = told.join(cells.select("day_on", "episode").unique(), on=["day_on", "episode"], how="semi")
    # Itself is one of them.
    most = (pl.col("pair") / pl.col("of_agent")).top_k(1 + int(FARM["spread_alike_agents"]))
    enough = pl.len() > FARM["spread_alike_agents"]
    alike = told.group_by("day_on", "episode").agg(alike=pl.when(enough).then(most.min()).otherwise(0.0))
    cells = cells.join(alike, on=["day_on", "episode"], how="left")
    return cells.with_columns(usual=pl.max_horizontal("usual", "alike")).drop("alike")


def _beside_siblings(cells: pl.DataFrame, others: pl.DataFrame, agents: pl.DataFrame) -> pl.DataFrame:
    """Per cell `sibling_share`, the episode's among other agents of the app: where an app sends its people, all go.

    `is_told` is false where a known podcast app has no siblings to tell by.
    """
    apps = agents.select("agent", "app", "is_known_app")
    mine = cells.join(apps, on="agent").select("app").unique()
    named = others.join(apps.join(mine, on="app", how="semi"), on="agent")
    totals = named.group_by("day_on", "app").agg(of_app=pl.len())
    taken = named.group_by("day_on", "app", "episode").agg(taken=pl.len())
    asked = cells.select("day_on", "agent", "episode").join(apps, on="agent")
    asked = asked.join(totals, on=["day_on", "app"], how="left")
    asked = asked.join(taken, on=["day_on", "app", "episode"], how="left")
    asked = asked.with_columns(pl.col("of_app", "taken").fill_null(0))
    is_known = pl.col("app") != "unknown"
    return asked.select(
        "day_on",
        "agent",
        "episode",
        sibling_share=pl.when(is_known).then(_rate(pl.col("taken"), pl.col("of_app"))).otherwise(0.0),
        is_told=~pl.col("is_known_app") | (pl.col("of_app") >= FARM["spread_sibling_takes"]),
    )


def _finding(takes: pl.DataFrame, chosen: pl.DataFrame, keys: Sequence[str] = _GROUP) -> Finding:
    told = chosen.with_columns(**{name: pl.lit(None) for name in _GROUP if name not in chosen.columns})
    numbered = told.sort(keys).with_row_index("subject")
    measured = [name for name in chosen.columns if name not in _GROUP]
    aimed = takes.join(numbered.select("subject", *keys), on=keys, nulls_equal=True).select("take", "subject")
    return Finding(
        aimed,
        numbered.select("subject", "day_on", "agent", who=pl.lit(None, pl.UInt64), measured=pl.struct(measured)),
    )


def _holds(pairs: pl.DataFrame, takes: pl.DataFrame) -> Flags:
    """True for the takes of these pairs of agent and episode on their days, and for a few others."""
    marked = np.zeros(1 << BUCKET_BITS, np.bool_)
    marked[mix(pairs, "day_on", "agent", "episode")] = True
    return marked[mix(takes, "day_on", "agent", "episode")]
