"""Crowds aimed at one episode: networks, or one address under many agents, that take hardly anything besides.

Of many people some take something else. How likely it is that so many take the same is told by what others take, at
the upper bound of what these may like; so the less they are, the more of the aimed it needs.
"""

from math import log10
from typing import Final

import polars as pl

from castline.measure.behaviour.crowded import CROWDED, bound_choices, find_dense, find_much, tell_days
from castline.measure.behaviour.habits import Finding
from castline.measure.behaviour.traffic import ADDRESS, NEAR, WIDE, Traffic

# A class of thirty tablets takes one episode, and so do two hundred guests of an event behind a few addresses.
AIM: Final = {
    "aim_share_of_takes": 0.95,
    "aim_addresses": 35,
    "aim_addresses_of_one": 8,
    "aim_places": 4,
    "aim_made_takes": 60,
    "aim_made_agents_share": 0.8,
    "aim_usual_made_share": 0.3,
    "aim_agents_at_address": 120,
    "aim_usual_share": 0.8,
    "aim_deviations": 3,
    "aim_chance": 1e-6,
    "aim_rest_share": 0.1,
    "aim_apps_in_common": 0.65,
    "aim_hasty_minutes": 60,
}
_NETWORK: Final = ("day_on", "network")
_EPISODE: Final = ("day_on", "episode")
_MARGIN: Final = 0.05
# What few other networks take is told by what all do, too: as if they had so many takes more.
_AS_OF_ALL: Final = 10
# As many episodes are one aim.
_FEW: Final = 5
_MOST: Final = 0.9
_MINUTE: Final = 60_000_000


def find_aimed_networks(traffic: Traffic) -> list[Finding]:
    """Networks whose addresses take one episode and hardly anything besides, each by itself or several together."""
    least, share = int(AIM["aim_addresses_of_one"]), AIM["aim_share_of_takes"]
    places = find_dense(traffic, "episode", share - _MARGIN, least)
    near = traffic.add_origins(traffic.takes[places]).with_columns(network=NEAR).drop_nulls("network")
    cells = near.group_by(*_NETWORK, "episode").agg(addresses=pl.col("who").n_unique(), takes=pl.len())
    cells = cells.with_columns(of_network=pl.col("takes").sum().over(_NETWORK))
    cells = cells.with_columns(share_of_takes=(pl.col("takes") / pl.col("of_network")).round(3))
    cells = cells.filter((pl.col("addresses") >= least) & (pl.col("share_of_takes") >= share))
    if cells.is_empty():
        return []
    near = near.join(cells.select(_NETWORK), on=_NETWORK, how="semi")
    told = _beside_others(cells, near, traffic)
    strays = pl.col("of_network") - pl.col("takes")
    told = told.with_columns(
        evidence=_evidence(pl.col("addresses"), pl.col("of_day") / least) - bound_choices(strays, pl.col("of_network"))
    )
    many = told.filter((pl.col("addresses") >= AIM["aim_addresses"]) & (pl.col("evidence") >= _least_evidence()))
    together = _together(told, near, traffic)
    chosen = pl.concat([many, _made(told, near, traffic), together]).unique(_NETWORK, maintain_order=True)
    return [_finding(near, chosen, (*_NETWORK, "episode"))]


def _made(told: pl.DataFrame, near: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The networks of few addresses but many agents, which are seen nowhere else as others' are."""
    enough = _evidence(pl.col("takes"), pl.col("of_day") / AIM["aim_made_takes"]) >= _least_evidence()
    few = told.filter((pl.col("takes") >= AIM["aim_made_takes"]) & enough)
    if few.is_empty():
        return few
    agents = traffic.counts.by("agent", count="all_takes")
    days = agents.group_by("day_on").agg(
        usual_made_share=(pl.col("all_takes").filter(pl.col("all_takes") == 1).sum() / pl.col("all_takes").sum())
    )
    mine = near.join(few.select(_NETWORK), on=_NETWORK, how="semi").group_by(*_NETWORK, "agent").agg(mine=pl.len())
    mine = mine.join(agents, on=["day_on", "agent"])
    made = mine.group_by(_NETWORK).agg(
        made_agents_share=pl.col("mine").filter(pl.col("mine") == pl.col("all_takes")).sum() / pl.col("mine").sum()
    )
    made = made.join(days, on="day_on").filter(
        (pl.col("made_agents_share") >= AIM["aim_made_agents_share"])
        & (pl.col("usual_made_share") <= AIM["aim_usual_made_share"])
    )
    return few.join(made, on=_NETWORK, how="semi")


def _together(told: pl.DataFrame, near: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The networks in places far apart that are aimed at one episode, if chance picks not so many of all networks.

    Neighbours hear the same: of each place its fullest network alone tells. And phones hear other things than homes do:
    what the other networks with as many takes have of the episode is usual, too.
    """
    least = AIM["aim_addresses_of_one"]
    each = told.join(near.select(*_NETWORK, place=WIDE).unique(_NETWORK), on=_NETWORK)
    each = each.filter(pl.col("place").n_unique().over(_EPISODE) >= AIM["aim_places"])
    if each.is_empty():
        return told.clear()
    places, _ = find_much(traffic, least)
    others = traffic.takes[places].join(near.select("take"), on="take", how="anti")
    of_others = others.group_by("day_on").agg(of_others=pl.len())
    taken = others.group_by(_EPISODE).agg(taken=pl.len())
    each = each.join(of_others, on="day_on", how="left").join(taken, on=_EPISODE, how="left")
    each = each.with_columns(pl.col("of_others", "taken").fill_null(0))
    usual = (pl.col("taken") + _AS_OF_ALL * pl.col("usual_share")) / (pl.col("of_others") + _AS_OF_ALL)
    each = each.with_columns(usual_share=pl.max_horizontal("usual_share", usual))
    fullest = each.sort("addresses", "network").unique([*_EPISODE, "place"], keep="last", maintain_order=True)
    strays = pl.col("of_network") - pl.col("takes")
    evidence = pl.col("addresses") * (1 / pl.col("usual_share")).log(10) - bound_choices(strays, pl.col("of_network"))
    chosen = fullest.group_by(_EPISODE).agg(
        pl.col("addresses").sum(),
        places=pl.len(),
        evidence=evidence.sum() - bound_choices(pl.len(), pl.col("of_day").first() / least),
    )
    chosen = chosen.filter(
        (pl.col("places") >= AIM["aim_places"])
        & (pl.col("addresses") >= AIM["aim_addresses"])
        & (pl.col("evidence") >= _least_evidence())
    )
    return told.join(chosen, on=_EPISODE, how="semi")


def find_aimed_addresses(traffic: Traffic, agents: pl.DataFrame) -> list[Finding]:
    """Addresses that take one episode or a few under very many agents, and hardly anything besides.

    A company's people, or a carrier's, come over hours and have the apps that all have.
    """
    least, share = AIM["aim_agents_at_address"], AIM["aim_share_of_takes"]
    many = traffic.visits.group_by(ADDRESS).agg(agents=pl.col("agent").n_unique())
    many = many.filter(pl.col("agents") >= least)
    if many.is_empty():
        return []
    takes = traffic.takes.join(many, on=ADDRESS)
    cells = takes.group_by(*ADDRESS, "episode").agg(pl.col("agents").first(), takes=pl.len())
    cells = cells.with_columns(of_address=pl.col("takes").sum().over(ADDRESS))
    order = [pl.col("takes"), pl.col("episode")]
    cells = cells.sort(*ADDRESS, *order, descending=True).group_by(ADDRESS, maintain_order=True).head(_FEW)
    told = _few(cells, takes, traffic).with_columns(share_of_takes=(pl.col("takes") / pl.col("of_address")).round(3))
    told = told.filter((pl.col("share_of_takes") >= share) & (pl.col("usual_share") <= AIM["aim_usual_share"]))
    told = told.with_columns(evidence=_evidence(pl.col("takes"), pl.col("of_day") / least))
    chosen = told.filter(pl.col("evidence") >= _least_evidence())
    chosen = chosen.join(_compare_crowds(traffic, many, agents), on=ADDRESS).filter(
        (pl.col("apps_in_common") <= AIM["aim_apps_in_common"]) | (pl.col("most_minutes") <= AIM["aim_hasty_minutes"])
    )
    return [
        _finding(takes.join(cells.select(*ADDRESS, "episode"), on=[*ADDRESS, "episode"], how="semi"), chosen, ADDRESS)
    ]


def _compare_crowds(traffic: Traffic, many: pl.DataFrame, agents: pl.DataFrame) -> pl.DataFrame:
    """Per address `apps_in_common`, how much of its visits the mix of the others' apps explains, and `most_minutes`,
    the shortest time that holds nine tenths of them.
    """
    apps = agents.select("agent", "app")
    mine = traffic.visits.join(many.select(ADDRESS), on=ADDRESS, how="semi").join(apps, on="agent")
    rest = traffic.takes.join(many.select(ADDRESS), on=ADDRESS, how="anti").join(apps, on="agent")
    usual = rest.group_by("day_on", "app").agg(usual=pl.len())
    usual = usual.with_columns(pl.col("usual") / pl.col("usual").sum().over("day_on"))
    cells = mine.group_by(*ADDRESS, "app").agg(part=pl.len())
    cells = cells.with_columns(pl.col("part") / pl.col("part").sum().over(ADDRESS))
    cells = cells.join(usual, on=["day_on", "app"], how="left")
    both = pl.min_horizontal("part", pl.col("usual").fill_null(0))
    common = cells.group_by(ADDRESS).agg(apps_in_common=both.sum().round(3))
    held = (pl.len() * _MOST).ceil().cast(pl.Int64).first()
    spans = mine.sort(*ADDRESS, "at", "row").group_by(ADDRESS, maintain_order=True)
    return common.join(
        spans.agg(most_minutes=((pl.col("at").shift(1 - held) - pl.col("at")).min() / _MINUTE).round(1)), on=ADDRESS
    )


def _few(cells: pl.DataFrame, takes: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The addresses of these cells with `usual_share`, at most what others take of the cells' episodes together."""
    told = cells.join(_count_others(takes, takes.select(ADDRESS).unique(), traffic), on=_EPISODE)
    # Each of the shows that they are of counts once.
    of_show = (pl.col("of_show") / pl.len().over(*ADDRESS, "show")).alias("of_show")
    told = (
        told.with_columns(of_show)
        .group_by(ADDRESS)
        .agg(
            pl.col("agents", "of_address", "of_day").first(),
            pl.col("takes", "others", "of_show").sum(),
            episodes=pl.len(),
        )
    )
    return told.with_columns(usual_share=_usual_share())


def _beside_others(cells: pl.DataFrame, takes: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The cells with `of_day`, what others take, and `usual_share`, where that is not too much."""
    counted = _count_others(takes, cells.select(_NETWORK).unique(), traffic)
    told = cells.join(counted.select(*_EPISODE, "of_day", usual_share=_usual_share()), on=_EPISODE)
    return told.filter(pl.col("usual_share") <= AIM["aim_usual_share"])


def _count_others(takes: pl.DataFrame, asked: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Per episode how many take it but for the `takes` of those asked about, and what these others take in all.

    Several that are aimed on one day must not excuse one another. No days of which others are little, or come from few
    networks: such a log is a test, or shows the addresses of proxies.
    """
    counted = traffic.add_shows(traffic.counts.by("episode", count="all_takes"))
    mine = takes.group_by(_EPISODE).agg(mine=pl.len())
    counted = counted.join(mine, on=_EPISODE, how="left").with_columns(pl.col("mine").fill_null(0).cast(pl.Int64))
    counted = counted.with_columns(others=pl.col("all_takes").cast(pl.Int64) - pl.col("mine"))
    counted = counted.with_columns(
        of_day=pl.col("others").sum().over("day_on"), of_show=pl.col("others").sum().over("day_on", "show")
    )
    days = tell_days(traffic, asked["day_on"].unique()).select("day_on", "networks", all_day="of_day")
    days = days.join(asked.group_by("day_on").agg(asked=pl.len()), on="day_on")
    days = days.filter(pl.col("networks") >= pl.col("asked") + CROWDED["network_others"])
    counted = counted.join(days, on="day_on")
    return counted.filter(pl.col("of_day") >= AIM["aim_rest_share"] * pl.col("all_day")).drop("networks", "asked")


def _usual_share() -> pl.Expr:
    """At most the share of the others' takes, of the day or of the show."""
    others = pl.col("others")
    return pl.max_horizontal(bound_share(others, pl.col("of_day")), bound_share(others, pl.col("of_show"))).round(3)


def bound_share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """The most that a share may be of which these are what was seen (Wilson's upper bound)."""
    share, squared = part / whole, AIM["aim_deviations"] ** 2
    spread = (share * (1 - share) / whole + squared / (4 * whole.pow(2))).sqrt() * AIM["aim_deviations"]
    bound = (share + squared / (2 * whole) + spread) / (1 + squared / whole)
    return pl.when(whole > 0).then(bound).otherwise(1.0)


def _evidence(count: pl.Expr, compared: pl.Expr) -> pl.Expr:
    """How unlikely chance brings so many that take the same among as many as may be compared, in powers of ten."""
    return count * (1 / pl.col("usual_share")).log(10) - pl.max_horizontal(compared, 1).log(10)


def _least_evidence() -> float:
    return -log10(AIM["aim_chance"])


def _finding(takes: pl.DataFrame, chosen: pl.DataFrame, keys: tuple[str, ...]) -> Finding:
    """The takes of what these are aimed at."""
    numbered = chosen.sort(keys).with_row_index("subject")
    told = (
        *("agents", "addresses", "episodes", "takes", "share_of_takes", "usual_share"),
        *("apps_in_common", "most_minutes"),
    )
    measured = [name for name in told if name in chosen]
    who = pl.col("who") if "who" in chosen else pl.lit(None, pl.UInt64).alias("who")
    return Finding(
        takes.join(numbered.select("subject", *keys), on=keys).select("take", "subject"),
        numbered.select("subject", "day_on", who, agent=pl.lit(None, pl.UInt32), measured=pl.struct(measured)),
    )
