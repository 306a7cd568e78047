"""Farms told by what each of their addresses takes on a day: the same few episodes, all of them and nothing else.

People who take the same few episodes are many more who take some of them, or others too; so nothing is concluded from
episodes that others take, nor where most who took some of them did not take just these.
"""

from math import exp, lgamma, log
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.behaviour.counts import count_by
from castline.measure.behaviour.habits import Finding
from castline.measure.behaviour.traffic import ADDRESS, NEAR, Flags, Ints, Traffic

SAME_SET: Final = {
    "set_episodes": 4,
    "set_addresses": 20,
    "set_episodes_of_many": 3,
    "set_many_addresses": 40,
    "set_episodes_one_agent": 3,
    "set_addresses_one_network": 8,
    "set_agent_share": 0.9,
    "set_network_share": 0.8,
    "set_share_of_takers": 0.6,
    "set_usual_share": 0.2,
    "set_episodes_beside": 5,
    "set_usual_share_beside": 0.1,
    "set_usual_share_per_episode": 0.01,
    "set_popular_share": 0.1,
    "set_episodes_near": 6,
    "set_times_expected": 10,
    "set_share_of_day": 0.8,
}
_FEWEST: Final = 2
_MOST_EPISODES: Final = 1_000
_BUCKET_BITS: Final = 18
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
# A share of few takes is known only so far: as if three more had been taken.
_UNSEEN: Final = 3
_LEAST_SHARE: Final = 0.0005
_SET: Final = ("day_on", "set")


def find_same_sets(traffic: Traffic) -> list[Finding]:
    """Addresses, wherever they are, that take the same unusual episodes and nothing else."""
    sets, members = _common_sets(traffic.takes)
    if sets.is_empty():
        return []
    episodes = _unusual(sets, members, traffic)
    if episodes.is_empty():
        return []
    takers = _takers(episodes, traffic.takes)
    told = _are_farms(episodes.unique(_SET).drop("episode").rename({"members": "episodes"}), takers, traffic)
    return [_finding(told, takers, traffic.takes)]


def _common_sets(takes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sets (day_on, set, members, addresses) of at least the least addresses; and who took each."""
    several = np.flatnonzero(takes["is_several"].to_numpy())
    day = takes["day_on"].to_numpy()[several].astype(np.uint64) * _ODD
    address = takes["who"].to_numpy()[several] ^ day
    order, heads = group_addresses(address)
    # A set is known by the sum of what its episodes are mixed to: the order tells nothing.
    mixed = (takes["episode"].to_numpy()[several].astype(np.uint64) + np.uint64(1)) * _ODD
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _ODD
    sums = np.add.reduceat((mixed ^ (mixed >> np.uint64(32)))[order], heads) if len(heads) else mixed
    members = np.diff(heads, append=len(order))
    fits = np.flatnonzero((members >= SAME_SET["set_episodes_one_agent"]) & (members <= _MOST_EPISODES))
    places = order[heads[fits]]
    fits = fits[_often(sums[fits] ^ day[places], int(SAME_SET["set_addresses_one_network"]))]
    places = order[heads[fits]]
    found = pl.DataFrame({"place": several[places], "set": sums[fits], "members": members[fits], "day": day[places]})
    found = found.filter(pl.len().over("set", "day") >= SAME_SET["set_addresses_one_network"])
    of_each = takes.select(ADDRESS)[found["place"]].hstack(found.select("set", "members"))
    return of_each.group_by(_SET).agg(pl.col("members").first(), addresses=pl.len()), of_each


def group_addresses(address: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """The places by address, and where in that order each address begins."""
    # Numbers sort several times quicker than places by their numbers: so a place takes the last bits of its address.
    last = np.uint64((1 << max(len(address) - 1, 1).bit_length()) - 1)
    joined = np.sort((address & ~last) | np.arange(len(address), dtype=np.uint64))
    order = (joined & last).astype(np.int64)
    heads = _heads(address[order])
    if len(heads) > len(_heads(joined & ~last)):  # two addresses differ in their last bits alone
        order = np.argsort(address)
        heads = _heads(address[order])
    return order, heads


def _heads(ordered: npt.NDArray[np.uint64]) -> Ints:
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else np.zeros(0, int)


def _often(numbers: npt.NDArray[np.uint64], least: int) -> Flags:
    """True for the numbers that come so often, and for a few others."""
    bucket = ((numbers * _ODD) >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)
    often: Flags = (np.bincount(bucket, minlength=1 << _BUCKET_BITS) >= least)[bucket]
    return often


def _unusual(sets: pl.DataFrame, members: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The episodes of the sets that few others take, one row each, with `usual_share` of the whole set."""
    takes = traffic.takes
    # Few of them: told by the address alone before by the day, too.
    theirs = takes.filter(pl.col("is_several") & pl.col("who").is_in(members["who"].unique().implode()))
    theirs = theirs.join(members, on=ADDRESS)
    one = members.unique(_SET, keep="any").select(*ADDRESS)
    episodes = theirs.join(one, on=ADDRESS, how="semi").select(*_SET, "episode", "show").unique()
    # Several farms on one day must not excuse one another.
    counted = traffic.counts.by("episode", count="all_takes")
    days = counted.group_by("day_on").agg(of_day=pl.col("all_takes").sum())
    days = days.join(theirs.group_by("day_on").agg(mine=pl.len()), on="day_on")
    counted = counted.join(theirs.group_by("day_on", "episode").agg(of_sets=pl.len()), on=["day_on", "episode"])
    told = episodes.join(counted, on=["day_on", "episode"]).join(days, on="day_on")
    told = _weigh_members(told.join(sets, on=_SET))
    told = told.with_columns(expected_addresses=(pl.col("of_day") * _chance(told)).round(3))
    least = pl.when("is_beside").then(SAME_SET["set_episodes_beside"]).otherwise(0)
    # A long list holds more of what others like, too.
    longer = SAME_SET["set_usual_share_per_episode"] * pl.col("unusual_members")
    most = longer.clip(SAME_SET["set_usual_share_beside"], SAME_SET["set_usual_share"])
    most = pl.when("is_beside").then(most).otherwise(SAME_SET["set_usual_share"])
    told = told.filter(
        (pl.col("unusual_members") >= least)
        & (pl.col("usual_share") <= most)
        & (pl.col("addresses") >= SAME_SET["set_times_expected"] * pl.col("expected_addresses"))
    )
    if told.is_empty():
        return told
    share_of_show = (pl.col("others") + _UNSEEN) / (pl.col("of_shows") + _UNSEEN)
    told = told.join(_of_shows(takes, theirs, episodes), on=_SET).with_columns(
        usual_share_of_show=share_of_show.round(3)
    )
    return told.select(
        *_SET, "episode", "members", "addresses", "usual_share", "usual_share_of_show", "expected_addresses"
    )


def _weigh_members(told: pl.DataFrame) -> pl.DataFrame:
    """The episodes with what others take of their sets, `others` and `usual_share`.

    A list of old episodes with what everybody takes among them is a list no less: one in ten is left out, where others
    take too much of the whole (`is_beside`).
    """
    each = pl.col("all_takes").cast(pl.Int64) - pl.col("of_sets")
    day = pl.col("of_day").cast(pl.Int64) - pl.col("mine") + _UNSEEN
    rank = each.rank("ordinal", descending=True).over(_SET)
    left_out = (pl.col("members") * SAME_SET["set_popular_share"]).ceil().cast(pl.Int64)
    popular = pl.when(rank <= left_out).then(each).otherwise(0).sum().over(_SET)
    told = told.with_columns(others=each.sum().over(_SET), popular=popular, left_out=left_out)
    is_beside = (pl.col("others") + _UNSEEN) / day > SAME_SET["set_usual_share"]
    told = told.with_columns(
        is_beside=is_beside,
        unusual_members=pl.col("members") - is_beside.cast(pl.Int64) * pl.col("left_out"),
        others=pl.when(is_beside).then(pl.col("others") - pl.col("popular")).otherwise(pl.col("others")),
    )
    return told.with_columns(usual_share=((pl.col("others") + _UNSEEN) / day).round(3))


def _of_shows(takes: pl.DataFrame, theirs: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
    """Per set `of_shows`, what others take of the shows that it is of."""
    counted = count_by(takes, "show", count="all_takes")
    counted = counted.join(theirs.group_by("day_on", "show").agg(mine=pl.len()), on=["day_on", "show"])
    told = episodes.select(*_SET, "show").unique().join(counted, on=["day_on", "show"])
    return told.group_by(_SET).agg(of_shows=(pl.col("all_takes") - pl.col("mine")).sum())


def _takers(episodes: pl.DataFrame, takes: pl.DataFrame) -> pl.DataFrame:
    """Per set and address that took at least half of it: `is_pure` where it took nothing else."""
    mine = takes.join(episodes.select(*_SET, "episode", "members"), on=["day_on", "episode"])
    mine = mine.unique([*_SET, "who", "episode"]).group_by(*_SET, "who").agg(pl.col("members").first(), taken=pl.len())
    mine = mine.filter((pl.col("taken") >= _FEWEST) & (2 * pl.col("taken") >= pl.col("members")))
    all_of = takes.join(mine.select(ADDRESS).unique(), on=ADDRESS, how="semi")
    mine = mine.join(all_of.group_by(ADDRESS).agg(pl.col("episode").n_unique()), on=ADDRESS)
    return mine.select(*_SET, "who", is_pure=pl.col("episode") == pl.col("taken"))


def _are_farms(sets: pl.DataFrame, takers: pl.DataFrame, traffic: Traffic) -> pl.DataFrame:
    """The sets that people do not take, with what was measured."""
    shares = takers.group_by(_SET).agg(of_takers=pl.len())
    told = sets.join(shares, on=_SET).with_columns(share_of_takers=(pl.col("addresses") / pl.col("of_takers")).round(3))
    told = told.filter(pl.col("share_of_takers") >= SAME_SET["set_share_of_takers"]).drop("of_takers")
    mine = traffic.takes.join(takers.filter("is_pure").join(told, on=_SET, how="semi"), on=ADDRESS)
    told = told.join(_agents(mine, traffic.takes), on=_SET).join(_networks(traffic.add_origins(mine)), on=_SET)
    margin = 1 - SAME_SET["set_agent_share"]
    one_agent = (pl.col("agent_share") >= SAME_SET["set_agent_share"]) & (
        pl.col("agent_share") >= pl.col("usual_agent_share") + margin
    )
    many = pl.col("addresses") >= SAME_SET["set_addresses"]
    near = pl.col("network_share") >= SAME_SET["set_network_share"]
    # A new season that its subscribers' apps fetch whole is little beside other shows, and much of its own.
    enough = (many & (pl.col("episodes") >= SAME_SET["set_episodes"])) | (
        (pl.col("addresses") >= SAME_SET["set_many_addresses"])
        & (pl.col("episodes") >= SAME_SET["set_episodes_of_many"])
    )
    enough |= near & (pl.col("episodes") >= SAME_SET["set_episodes_near"])
    any_agent = enough & (pl.col("usual_share_of_show") <= SAME_SET["set_usual_share"])
    told = told.filter(any_agent | (one_agent & (many | near)))
    # Where nearly all take one of several such sets, the log was made by a rule, and people are among them.
    of_sets = traffic.takes.join(mine.join(told, on=_SET, how="semi").select(ADDRESS).unique(), on=ADDRESS, how="semi")
    shares = traffic.takes.group_by("day_on").agg(
        share_of_day=pl.col("take").is_in(of_sets["take"].unique().implode()).mean()
    )
    told = told.join(shares, on="day_on").filter(
        (pl.col("share_of_day") <= SAME_SET["set_share_of_day"]) | (pl.len().over("day_on") == 1)
    )
    return told.drop("share_of_day")


def _agents(mine: pl.DataFrame, takes: pl.DataFrame) -> pl.DataFrame:
    """Per set the share of its most frequent agent, in it and among all of the day."""
    counts = mine.group_by(*_SET, "agent").agg(count=pl.len()).sort(*_SET, "count", "agent")
    top = counts.group_by(_SET, maintain_order=True).agg(
        pl.col("agent").last(), agent_share=(pl.col("count").last() / pl.col("count").sum()).round(3)
    )
    days = takes.group_by("day_on").agg(of_day=pl.len())
    same = takes.join(top, on=["day_on", "agent"], how="semi").group_by("day_on", "agent").agg(same=pl.len())
    top = top.join(same, on=["day_on", "agent"]).join(days, on="day_on")
    return top.select(*_SET, "agent_share", usual_agent_share=(pl.col("same") / pl.col("of_day")).round(3))


def _networks(mine: pl.DataFrame) -> pl.DataFrame:
    """Per set the share of its addresses that are of its fullest network."""
    homes = mine.with_columns(network=NEAR).unique([*_SET, "who"])
    fullest = homes.group_by(*_SET, "network").agg(count=pl.len(), is_told=pl.col("network").is_not_null().first())
    share = pl.col("count").filter("is_told").max().fill_null(0) / pl.col("count").sum()
    return fullest.group_by(_SET).agg(network_share=share.round(3))


def _chance(sets: pl.DataFrame) -> pl.Series:
    """Per set at most how likely just it is for who takes so many episodes by chance: each could come first."""
    # A share that is rounded to nothing is not nothing.
    pairs = sets.select("unusual_members", pl.col("usual_share").clip(_LEAST_SHARE)).iter_rows()
    return pl.Series([exp(lgamma(count + 1) + count * log(share / count)) for count, share in pairs], dtype=pl.Float64)


def _finding(told: pl.DataFrame, takers: pl.DataFrame, takes: pl.DataFrame) -> Finding:
    """All takes of the addresses that took nothing besides."""
    measured = [name for name in told.columns if name not in _SET]
    numbered = told.sort("day_on", *measured, "set").with_row_index("subject")
    mine = takers.filter("is_pure").join(numbered.select(*_SET, "subject"), on=_SET)
    none = {name: pl.lit(None, pl.UInt64) for name in ("who", "agent")}
    return Finding(
        takes.join(mine.select(*ADDRESS, "subject"), on=ADDRESS).select("take", "subject"),
        numbered.select("subject", "day_on", measured=pl.struct(measured), **none),
    )
