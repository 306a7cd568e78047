"""What the day's other traffic does, beside which one address is told: its clock, its habits, its news."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.traffic import ADDRESS, Traffic

_SECOND: Final = 1_000_000
# The steps in which a log may tell time, the coarsest first.
_TICKS: Final = (3_600, 60, 1)
# One line of another log must not make a rounded clock exact.
_SHARE_ON_TICK: Final = 0.9
# A share is compared with the same share among the day's other takes, if there are that many.
USUAL_TAKES: Final = 100
# A machine may ask for an episode before it is out.
_EARLY: Final = 0.1
# People take much that others do not; that part of a taste's weight is the list's.
_TASTE: Final = 0.7
# Gaps that differ by less are the same.
_SAME_GAP: Final = 1.1
_TICKS_OF_GAP: Final = 10
EVEN: Final = {"usual_even_share": 0.25}
_TYPICAL: Final = {"day_on": pl.Int32(), "typical_takes": pl.Int64()}


def compute_clock(traffic: Traffic) -> pl.DataFrame:
    """Per day `tick_seconds`, the step to which nearly all of its times are rounded; 0 for finer than a second."""
    at = traffic.ends["time"].to_physical().to_numpy()
    first = int(traffic.days.min(initial=0))
    days = traffic.days - first
    all_of = np.bincount(days)
    found = np.flatnonzero(all_of)
    ticks = np.zeros(len(found), np.int64)
    for tick in reversed(_TICKS):
        on_tick = np.bincount(days[at % (tick * _SECOND) == 0], minlength=len(all_of))[found]
        ticks[on_tick / all_of[found] >= _SHARE_ON_TICK] = tick
    return pl.DataFrame({"day_on": (found + first).astype(np.int32), "tick_seconds": ticks})


def beside_uneven(traffic: Traffic, chosen: pl.DataFrame) -> pl.DataFrame:
    """Those of days on which households keep no time: where they do, the log was made by the clock.

    The most of the gaps between one take of households and the next that are as good as the same are next to none of
    people's.
    """
    ticks = compute_clock(traffic)
    uneven = [
        day for day in chosen["day_on"].unique() if _find_evenness(traffic, day, ticks) <= EVEN["usual_even_share"]
    ]
    return chosen.filter(pl.col("day_on").is_in(uneven))


def _find_evenness(traffic: Traffic, day: int, ticks: pl.DataFrame) -> float:
    theirs = traffic.takes.filter(pl.col("is_ordinary") & (pl.col("day_on") == day))
    gaps = np.sort(np.diff(np.sort(traffic.find_times(theirs).to_numpy())))
    tick = int(ticks.filter(pl.col("day_on") == day)["tick_seconds"].item())
    # What is told in a few steps of the clock is the same by rounding.
    told = gaps[gaps >= _TICKS_OF_GAP * max(tick * _SECOND, 1)]
    alike = np.searchsorted(told, told * _SAME_GAP, side="right") - np.arange(len(told))
    return float(alike.max() / len(gaps)) if len(told) else 0.0


def compute_typical(traffic: Traffic, days: Iterable[int]) -> pl.DataFrame:
    """Per day what an address takes: the lower median of the others for who takes more than it, 0 without others."""
    told = {day: _find_typical(traffic, day) for day in days}
    return pl.DataFrame({"day_on": told.keys(), "typical_takes": told.values()}, _TYPICAL)


def _find_typical(traffic: Traffic, day: int) -> int:
    taken = traffic.takes["day_on"].to_numpy() == day
    # Numbers are sorted many times quicker than rows are grouped.
    ordered = np.sort(traffic.takes["who"].to_numpy()[taken])
    heads = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.sort(np.diff(heads, append=len(ordered)))
    return int(counts[len(counts) // 2 - 1]) if len(counts) > 1 else 0


def compute_tastes(traffic: Traffic, visits: pl.DataFrame) -> pl.DataFrame:
    """Per address of these visits its `taste` beside `usual_taste`, and how many `taste_deviations` lie between.

    A taste is how much likelier the day's households make each visit than a list of all episodes does, in doublings:
    above 0 for people of any crowd, below for who works off a list. Households are told each by the others. No row for
    days on which these are too few.
    """
    habits = _habits(traffic)
    told = visits.join(_usual_tastes(habits), on="day_on").join(
        habits.select("day_on", "episode", "count"), on=["day_on", "episode"], how="left"
    )
    told = told.with_columns(taste=_likelier(pl.col("count").fill_null(0), pl.col("all")), weight=1.0)
    return _weigh_tastes(told, ADDRESS)


def compute_own_tastes(traffic: Traffic, takes: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """As compute_tastes, for groups of addresses whose takes have a `weight` each: told by the habits of the others.

    `tasteless_hosts_share` is that of the addresses whose own taste is a list's.
    """
    habits = _habits(traffic)
    mine = takes.filter("is_ordinary").group_by(*keys, "episode").agg(mine=pl.len())
    mine = mine.with_columns(all_mine=pl.col("mine").sum().over(keys))
    told = takes.join(_usual_tastes(habits), on="day_on")
    told = told.join(habits.select("day_on", "episode", "count"), on=["day_on", "episode"], how="left")
    told = told.join(mine.select(*keys, "episode", "mine"), on=[*keys, "episode"], how="left")
    told = told.join(mine.select(*keys, "all_mine").unique(), on=keys, how="left")
    told = told.with_columns(pl.col("count", "mine", "all_mine").fill_null(0).cast(pl.Int64))
    others = pl.col("all").cast(pl.Int64) - pl.col("all_mine")
    told = told.filter(others >= USUAL_TAKES)
    told = told.with_columns(taste=_likelier(pl.col("count") - pl.col("mine"), others))
    hosts = told.group_by(*keys, "who").agg(pl.col("taste").mean())
    shares = hosts.group_by(keys).agg(tasteless_hosts_share=(pl.col("taste") < 0).mean().round(3))
    return _weigh_tastes(told, keys).join(shares, on=keys)


def compute_common_tastes(takes: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Per subject of these takes its `common_taste`: its taste by the habits of the others that are subjects too.

    Null where the others take too little.
    """
    mine = takes.group_by(*keys, "episode").agg(mine=pl.len())
    others = pl.col("mine").sum().over("day_on") - pl.col("mine").sum().over(keys)
    told = mine.with_columns(
        others=others,
        count=pl.col("mine").sum().over("day_on", "episode") - pl.col("mine"),
        catalogue=pl.col("episode").n_unique().over("day_on"),
    )
    taste = (_likelier(pl.col("count"), pl.col("others")) * pl.col("mine")).sum() / pl.col("mine").sum()
    is_told = pl.col("others").first() >= USUAL_TAKES
    return told.group_by(keys).agg(common_taste=pl.when(is_told).then(taste.round(3)))


def _usual_tastes(habits: pl.DataFrame) -> pl.DataFrame:
    """Per day the mean of the households' tastes, each told by the others, and that of their squares."""
    alone = _likelier(pl.col("count") - 1, pl.col("all") - 1)
    weight = pl.col("count") / pl.col("all")
    return (
        habits.with_columns(alone=alone)
        .group_by("day_on")
        .agg(
            pl.col("all", "catalogue").first(),
            usual_taste=(pl.col("alone") * weight).sum(),
            square=(pl.col("alone").pow(2) * weight).sum(),
        )
    )


def _weigh_tastes(told: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """The weighted mean of the `taste` of each row, by these keys."""
    taste = (pl.col("taste") * pl.col("weight")).sum() / pl.col("weight").sum()
    usual = pl.col("usual_taste").first()
    spread = (pl.col("square").first() - usual.pow(2)).clip(0).sqrt()
    return told.group_by(keys).agg(
        taste=taste.round(3),
        usual_taste=usual.round(3),
        taste_deviations=((usual - taste) * pl.col("weight").sum().sqrt() / spread).round(2),
    )


def _habits(traffic: Traffic) -> pl.DataFrame:
    """Per day and episode the households' takes, beside `all` of the day and the episodes of its `catalogue`."""
    counts = traffic.takes.filter("is_ordinary").group_by("day_on", "episode").agg(count=pl.len())
    days = traffic.takes.group_by("day_on").agg(catalogue=pl.col("episode").n_unique())
    told = counts.with_columns(all=pl.col("count").sum().over("day_on")).join(days, on="day_on")
    return told.filter(pl.col("all") >= USUAL_TAKES)


def _likelier(count: pl.Expr, all_takes: pl.Expr) -> pl.Expr:
    """In doublings, how much likelier an episode so often taken is by habit than off a list."""
    return (_TASTE * pl.col("catalogue") * count / all_takes + (1 - _TASTE)).log(2)


def compute_news(traffic: Traffic, visits: pl.DataFrame, keys: tuple[str, ...], homes: float) -> pl.DataFrame:
    """Per subject of these visits `news_share`, that of the visits which ask for what few had before the last one.

    Only where so many `homes`, under more than one agent, took it on the day: who fetches each new episode keeps time.
    """
    mine = visits.sort(*keys, "at", "row").with_columns(last=pl.col("at").shift().over(keys)).drop_nulls("last")
    asked = mine.select("day_on", "episode").unique()
    first = traffic.takes.join(asked, on=["day_on", "episode"], how="semi")
    at = traffic.ends["time"].dt.epoch("us").gather(first["place"])
    news = (
        first.with_columns(at=at)
        .group_by("day_on", "episode")
        .agg(
            first_at=pl.col("at").quantile(_EARLY, "lower"),
            homes=pl.col("who").n_unique(),
            agents=pl.col("agent").n_unique(),
        )
    )
    told = mine.join(news, on=["day_on", "episode"], how="left").join(compute_clock(traffic), on="day_on")
    # What is told to the hour may have come at any time of it.
    before = pl.col("last") - pl.col("tick_seconds") * _SECOND
    is_news = (pl.col("first_at") > before) & (pl.col("homes") >= homes) & (pl.col("agents") > 1)
    return told.group_by(keys).agg(news_share=is_news.fill_null(value=False).mean().round(3))
