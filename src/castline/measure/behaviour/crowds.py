"""Many agents or addresses that act as one: told against what households take on the same day, so never without them.

Traffic whose agents and episodes are spread over addresses by chance has no such crowds, however dense it is.
"""

from typing import Final

import polars as pl

from castline.measure.behaviour.counts import count_by
from castline.measure.behaviour.habits import Finding, is_tasteless
from castline.measure.behaviour.traffic import ADDRESS, Traffic
from castline.measure.behaviour.usual import EVEN, USUAL_TAKES, beside_uneven, compute_common_tastes, compute_tastes

_MINUTE: Final = 60_000_000
_DAY_MINUTES: Final = 1_440
_MOST: Final = 0.9
# An office's agents are few that many have and many that few have; a list of agents is worked off evenly.
AGENT_ROTATION: Final = {
    "agents": 40,
    "repeating_agents": 15,
    "repeating_visits_per_agent": 4,
    "episodes": 5,
    "share_of_takes": 0.9,
    "times_usual": 4,
    "usual_share": 0.25,
    "unevenness": 1.8,
    "paced_gap_variation": 0.5,
    "new_agents_share": 0.9,
    "usual_new_agents_share": 0.2,
    "strange_agents_share": 0.8,
    "strange_times_usual": 2,
    "many_agents": 120,
    "hasty_minutes": 60,
    "aimed_episodes": 12,
    "tasteless_takes": 60,
    "tasteless_agents": 6,
    "tasteless_share_of_one": 0.25,
    "taste": 0,
    "usual_taste": 1.5,
    "taste_deviations": 10,
    "common_taste": 0.2,
    **EVEN,
}
# People who are sent to an episode come later, too: the next day, or when they are home.
CROWD_BURST: Final = {
    "crowd_addresses": 50,
    "crowd_minutes": 20,
    "crowd_share_of_day": 0.95,
    "crowd_lone_share": 0.9,
    "crowd_quiet_minutes": 120,
}


def find_rotations(traffic: Traffic) -> list[Finding]:
    """Addresses that take a few episodes under many agents in turn."""
    many = traffic.visits.group_by(ADDRESS).agg(agents=pl.col("agent").n_unique())
    many = many.filter(pl.col("agents") >= AGENT_ROTATION["repeating_agents"])
    if many.is_empty():
        return []
    takes = traffic.takes.join(many.select(ADDRESS), on=ADDRESS, how="semi")
    cells = takes.group_by(*ADDRESS, "episode").agg(cell=pl.len())
    cells = cells.with_columns(
        all_takes=pl.col("cell").sum().over(ADDRESS), share=pl.col("cell") / pl.col("cell").sum().over(ADDRESS)
    )
    cells = cells.join(_usual_episodes(traffic), on=["day_on", "episode"], how="left").with_columns(
        pl.col("usual").fill_null(0)
    )
    cells = cells.join(_usual_days(traffic), on="day_on", how="left")
    # Either the episodes stand out, or they are few and the agents betray themselves.
    lifted = cells.filter(
        (pl.col("share") >= AGENT_ROTATION["times_usual"] * pl.col("usual")) & (pl.col("usual_takes") >= USUAL_TAKES)
    )
    fullest = cells.filter(pl.col("share").rank("ordinal", descending=True).over(ADDRESS) <= AGENT_ROTATION["episodes"])
    agents = _agents_of(traffic, takes)
    found = (
        _targeted(lifted)
        .join(agents, on=ADDRESS)
        .filter(
            (pl.col("episodes") <= AGENT_ROTATION["aimed_episodes"])
            & (pl.col("usual_share") <= AGENT_ROTATION["usual_share"])
            & (pl.col("unevenness") <= AGENT_ROTATION["unevenness"])
            & (_is_listed() | _is_repeating())
        )
    )
    betrayed = _targeted(fullest).join(agents, on=ADDRESS).filter(_betrayed())
    return [
        _rotation(takes, lifted, found),
        _rotation(takes, fullest, betrayed),
        _rotation(takes, cells, agents.filter(_is_list_of_many())),
    ]


def find_tasteless_crowds(traffic: Traffic) -> list[Finding]:
    """Addresses of many agents that take much, nothing of it often, and neither what households nor other crowds do."""
    many = traffic.visits.group_by(ADDRESS).agg(
        agents=pl.col("agent").n_unique(), takes=pl.struct("agent", "episode").n_unique()
    )
    many = many.filter(
        (pl.col("agents") >= AGENT_ROTATION["tasteless_agents"])
        & (pl.col("takes") >= AGENT_ROTATION["tasteless_takes"])
    )
    if many.is_empty():
        return []
    takes = traffic.takes.join(many.select(ADDRESS), on=ADDRESS, how="semi")
    # Who has taken an episode asks for it again: what a crowd likes is told by its visits.
    episodes = _visits_of(traffic, many).group_by(*ADDRESS, "episode").len().group_by(ADDRESS)
    most = episodes.agg(share_of_one=(pl.col("len").max() / pl.col("len").sum()).round(3), episodes=pl.len())
    told = many.join(most, on=ADDRESS).filter(pl.col("share_of_one") <= AGENT_ROTATION["tasteless_share_of_one"])
    told = told.join(compute_tastes(traffic, _visits_of(traffic, told)), on=ADDRESS)
    far = pl.col("taste_deviations") >= AGENT_ROTATION["taste_deviations"]
    strong = (pl.col("taste") <= AGENT_ROTATION["taste"]) & (pl.col("usual_taste") >= AGENT_ROTATION["usual_taste"])
    told = told.filter(far & (strong | is_tasteless())).join(compute_common_tastes(takes, ADDRESS), on=ADDRESS)
    alone = pl.col("common_taste").is_null() | (pl.col("common_taste") <= AGENT_ROTATION["common_taste"])
    return [_rotation(takes, takes.select(*ADDRESS, "episode").unique(), told.filter(alone))]


def find_crowd_bursts(traffic: Traffic) -> list[Finding]:
    """Episodes that many addresses take within minutes, which take nothing else, and hardly anybody at other times."""
    episodes = _dense_episodes(traffic)
    if episodes.is_empty():
        return []
    keys = ("day_on", "episode")
    takes = traffic.takes.with_columns(at=traffic.find_times(traffic.takes) // _MINUTE)
    days = takes.group_by("day_on").agg(day_ends_at=pl.col("at").max(), of_day=pl.len())
    takes = takes.join(episodes, on=keys).sort(*keys, "at", "take")
    # The shortest time that holds nearly all of an episode's takes.
    held = (pl.col("takes") * CROWD_BURST["crowd_share_of_day"]).ceil().cast(pl.Int64).first()
    dense = takes.group_by(keys, maintain_order=True).agg(
        lasting_minutes=(pl.col("at").shift(1 - held) - pl.col("at")).min(),
        begins_at=pl.col("at").gather((pl.col("at").shift(1 - held) - pl.col("at")).arg_min()).first(),
        takes=pl.len(),
    )
    dense = dense.filter(pl.col("lasting_minutes") <= CROWD_BURST["crowd_minutes"])
    # A burst's first and last are of it too.
    most, ends_at = CROWD_BURST["crowd_minutes"], pl.col("begins_at") + pl.col("lasting_minutes")
    inside = pl.col("at").is_between(ends_at - most, pl.col("begins_at") + most)
    takes = takes.drop("takes").join(dense, on=keys).filter(inside)
    told = _lone_crowds(takes, traffic).join(dense, on=keys).join(days, on="day_on")
    others = pl.col("of_day") - pl.col("takes").sum().over("day_on")
    told = told.filter(
        (pl.col("addresses") >= CROWD_BURST["crowd_addresses"])
        & (pl.col("addresses") >= CROWD_BURST["crowd_share_of_day"] * pl.col("takes"))
        & (pl.col("lone_share") >= CROWD_BURST["crowd_lone_share"])
        & (others >= USUAL_TAKES)
        & (pl.col("day_ends_at") >= ends_at + CROWD_BURST["crowd_quiet_minutes"])
    )
    numbered = told.sort(keys).with_row_index("subject")
    measured = ["addresses", "lasting_minutes", "takes", "lone_share"]
    none = {"who": pl.lit(None, pl.UInt64), "agent": pl.lit(None, pl.UInt32)}
    return [
        Finding(
            takes.join(numbered.select("subject", *keys), on=keys).select("take", "subject"),
            numbered.select("subject", "day_on", measured=pl.struct(measured), **none),
        )
    ]


def _dense_episodes(traffic: Traffic) -> pl.DataFrame:
    """The episodes with enough takes that may lie within the minutes of a burst: two steps of so many hold it."""
    least, share = int(CROWD_BURST["crowd_addresses"]), CROWD_BURST["crowd_share_of_day"]
    step = int(CROWD_BURST["crowd_minutes"])
    half = int(least * share / 2)
    episodes = traffic.counts.by("episode", count="takes", least=least)
    if episodes.is_empty():
        return episodes
    # A step is of one day, unless all days are one: so days need not be counted by.
    told = traffic.takes.select("episode", day_on=traffic.find_times(traffic.takes) // (step * _MINUTE))
    steps = count_by(told, "episode", count="n", least=half).with_columns(
        (pl.col("day_on") // (_DAY_MINUTES // step)).cast(pl.Int32).clip(upper_bound=int(traffic.days.max()))
    )
    fullest = steps.group_by("day_on", "episode").agg(inside=pl.col("n").top_k(2).sum() + half)
    told = fullest.join(episodes, on=["day_on", "episode"])
    return told.filter(pl.col("inside") >= share * pl.col("takes")).select("day_on", "episode", "takes")


def _lone_crowds(takes: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """Per episode how many addresses took it, and the share of those that took nothing else on the day."""
    each = traffic.takes.join(takes.select(ADDRESS).unique(), on=ADDRESS, how="semi")
    lone = each.group_by(ADDRESS).agg(is_lone=pl.col("episode").n_unique() == 1)
    homes = takes.select(*ADDRESS, "episode").unique().join(lone, on=ADDRESS)
    return homes.group_by("day_on", "episode").agg(addresses=pl.len(), lone_share=pl.col("is_lone").mean().round(3))


def _visits_of(traffic: Traffic, addresses: pl.DataFrame) -> pl.DataFrame:
    return traffic.visits.join(addresses.select(ADDRESS), on=ADDRESS, how="semi")


def _targeted(cells: pl.DataFrame) -> pl.DataFrame:
    """The addresses whose takes are of these cells."""
    told = cells.group_by(ADDRESS).agg(
        episodes=pl.len(),
        share_of_takes=pl.col("share").sum().round(3),
        usual_share=pl.col("usual").sum().round(3),
        takes=pl.col("all_takes").first(),
    )
    return told.filter(pl.col("share_of_takes") >= AGENT_ROTATION["share_of_takes"])


def _betrayed() -> pl.Expr:
    fresh = (
        (pl.col("new_agents_share") >= AGENT_ROTATION["new_agents_share"])
        & (pl.col("usual_new_agents_share") <= AGENT_ROTATION["usual_new_agents_share"])
        & (pl.col("unevenness") <= AGENT_ROTATION["unevenness"])
    )
    return (pl.col("agents") >= AGENT_ROTATION["agents"]) & (pl.col("is_paced") | fresh).fill_null(value=False)


def _is_listed() -> pl.Expr:
    """True where the agents are no guests' of one event: very many, or at a machine's pace, or not households'."""
    many = pl.col("agents") >= AGENT_ROTATION["many_agents"]
    return many | ((pl.col("agents") >= AGENT_ROTATION["agents"]) & (_is_strange() | pl.col("is_paced")))


def _is_strange() -> pl.Expr:
    """True where most agents are none that households have."""
    return pl.col("strange_agents_share") >= pl.max_horizontal(
        AGENT_ROTATION["strange_agents_share"],
        AGENT_ROTATION["strange_times_usual"] * pl.col("usual_new_agents_share").fill_null(0),
    )


def _is_list_of_many() -> pl.Expr:
    """True where very many agents take turns evenly, whatever they take: at a machine's pace, or strangers in a hurry.

    A crowd has a few agents that many have, and comes over the day.
    """
    hasty = pl.col("most_minutes") <= AGENT_ROTATION["hasty_minutes"]
    return (
        (pl.col("agents") >= AGENT_ROTATION["many_agents"])
        & (pl.col("unevenness") <= AGENT_ROTATION["unevenness"])
        & (pl.col("is_paced") | (_is_strange() & hasty))
    )


def _is_repeating() -> pl.Expr:
    """True where a short list of agents is gone through again and again."""
    return pl.col("visits") >= AGENT_ROTATION["repeating_visits_per_agent"] * pl.col("agents")


def _agents_of(traffic: Traffic, takes: pl.DataFrame) -> pl.DataFrame:
    """Per address how evenly and how regularly its agents came, and how many of them came nowhere else."""
    per_agent = traffic.visits.join(takes.select("take"), on="take", how="semi")
    counts = per_agent.group_by(*ADDRESS, "agent").agg(visits=pl.len())
    even = counts.group_by(ADDRESS).agg(
        agents=pl.len(),
        visits=pl.col("visits").sum(),
        unevenness=(pl.col("visits").var() / pl.col("visits").mean()).round(3),
    )
    gap, most = pl.col("at").diff(), (pl.len() * _MOST).ceil().cast(pl.Int64).first()
    pace = (
        per_agent.sort(*ADDRESS, "at", "row")
        .group_by(ADDRESS, maintain_order=True)
        .agg(
            gap_variation=(gap.std() / gap.mean()).fill_nan(None).round(3),
            most_minutes=((pl.col("at").shift(1 - most) - pl.col("at")).min() / _MINUTE).round(1),
        )
    )
    paced = beside_uneven(traffic, pace.filter(pl.col("gap_variation") <= AGENT_ROTATION["paced_gap_variation"]))
    pace = pace.join(paced.select(*ADDRESS, is_paced=True), on=ADDRESS, how="left").with_columns(
        pl.col("is_paced").fill_null(value=False)
    )
    homes = traffic.takes.group_by("day_on", "agent").agg(homes=pl.col("who").n_unique())
    known = counts.join(homes, on=["day_on", "agent"])
    theirs = traffic.takes.filter("is_ordinary")
    known = known.join(theirs.select("day_on", "agent", seen=True).unique(), on=["day_on", "agent"], how="left")
    new = known.group_by(ADDRESS).agg(
        new_agents_share=(pl.col("homes") == 1).mean().round(3),
        strange_agents_share=pl.col("seen").is_null().mean().round(3),
    )
    ordinary = theirs.join(homes, on=["day_on", "agent"])
    usual = ordinary.group_by("day_on").agg(usual_new_agents_share=(pl.col("homes") == 1).mean().round(3))
    return even.join(pace, on=ADDRESS).join(new, on=ADDRESS).join(usual, on="day_on", how="left")


def _rotation(takes: pl.DataFrame, cells: pl.DataFrame, found: pl.DataFrame) -> Finding:
    numbered = found.sort(ADDRESS).with_row_index("subject")
    aimed = cells.join(numbered.select("subject", *ADDRESS), on=ADDRESS).select("subject", *ADDRESS, "episode")
    measured = [name for name in numbered.columns if name not in {*ADDRESS, "subject", "is_paced"}]
    return Finding(
        takes.join(aimed, on=[*ADDRESS, "episode"]).select("take", "subject"),
        numbered.select("subject", "day_on", "who", agent=pl.lit(None, pl.UInt32), measured=pl.struct(measured)),
    )


def _usual_episodes(traffic: Traffic) -> pl.DataFrame:
    """Per day and episode its share of households' takes."""
    ordinary = traffic.takes.filter("is_ordinary").group_by("day_on", "episode").len()
    return ordinary.select("day_on", "episode", usual=pl.col("len") / pl.col("len").sum().over("day_on"))


def _usual_days(traffic: Traffic) -> pl.DataFrame:
    return traffic.takes.filter("is_ordinary").group_by("day_on").agg(usual_takes=pl.len())
