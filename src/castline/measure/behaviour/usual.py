"""What the day's other traffic does, beside which one address is told: its clock, its habits, its news."""

from typing import Final

import polars as pl

from castline.measure.behaviour.traffic import ADDRESS, Traffic

_SECOND: Final = 1_000_000
# The steps in which a log may tell time, the coarsest first.
_TICKS: Final = (3_600, 60, 1)
# One line of another log must not make a rounded clock exact.
_SHARE_ON_TICK: Final = 0.9
# A share is compared with the same share among the day's other takes, if there are that many.
USUAL_TAKES: Final = 100
# People take much that others do not; that part of a taste's weight is the list's.
_TASTE: Final = 0.7


def compute_clock(traffic: Traffic) -> pl.DataFrame:
    """Per day `tick_seconds`, the step to which nearly all of its times are rounded; 0 for finer than a second."""
    at = pl.col("time").dt.epoch("us")
    shares = traffic.ends.group_by(day_on=pl.col("time").dt.epoch("d")).agg(
        **{str(tick): (at % (tick * _SECOND) == 0).mean() for tick in _TICKS}
    )
    told = pl.coalesce(pl.when(pl.col(str(tick)) >= _SHARE_ON_TICK).then(tick) for tick in _TICKS)
    return shares.select("day_on", tick_seconds=told.fill_null(0).cast(pl.Int64))


def compute_typical(traffic: Traffic) -> pl.DataFrame:
    """Per day what an address takes: the lower median of the others for who takes more than it, 0 without others."""
    each = traffic.takes.group_by(ADDRESS).agg(count=pl.len())
    lower = pl.col("count").sort().head(pl.len() // 2)
    return each.group_by("day_on").agg(typical_takes=lower.last().fill_null(0))


def compute_tastes(traffic: Traffic, visits: pl.DataFrame, keys: tuple[str, ...] = ADDRESS) -> pl.DataFrame:
    """Per subject of these visits its `taste` beside `usual_taste`, and how many `taste_deviations` lie between.

    A taste is how much likelier the day's households make each visit than a list of all episodes does, in doublings:
    above 0 for people of any crowd, below for who works off a list. Households are told each by the others. No row for
    days on which these are too few.
    """
    habits = _habits(traffic)
    alone = _likelier(pl.col("count") - 1, pl.col("all") - 1)
    weight = pl.col("count") / pl.col("all")
    usual = (
        habits.with_columns(alone=alone)
        .group_by("day_on")
        .agg(
            pl.col("all", "catalogue").first(),
            usual_taste=(pl.col("alone") * weight).sum(),
            square=(pl.col("alone").pow(2) * weight).sum(),
        )
    )
    told = visits.join(usual, on="day_on").join(
        habits.select("day_on", "episode", "count"), on=["day_on", "episode"], how="left"
    )
    told = told.with_columns(taste=_likelier(pl.col("count").fill_null(0), pl.col("all")))
    spread = (pl.col("square").first() - pl.col("usual_taste").first().pow(2)).clip(0).sqrt()
    return told.group_by(keys).agg(
        pl.col("taste").mean().round(3),
        pl.col("usual_taste").first().round(3),
        taste_deviations=((pl.col("usual_taste").first() - pl.col("taste").mean()) * pl.len().sqrt() / spread).round(2),
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
    """Per subject of these visits `news_share`, that of the visits which ask for what nobody had before the last one.

    Only where so many `homes`, under more than one agent, took it on the day: who fetches each new episode keeps time.
    """
    mine = visits.sort(*keys, "at", "row").with_columns(last=pl.col("at").shift().over(keys)).drop_nulls("last")
    asked = mine.select("day_on", "episode").unique()
    first = traffic.takes.join(asked, on=["day_on", "episode"], how="semi")
    at = traffic.ends["time"].dt.epoch("us").gather(first["place"])
    news = (
        first.with_columns(at=at)
        .group_by("day_on", "episode")
        .agg(first_at=pl.col("at").min(), homes=pl.col("who").n_unique(), agents=pl.col("agent").n_unique())
    )
    told = mine.join(news, on=["day_on", "episode"], how="left").join(compute_clock(traffic), on="day_on")
    # What is told to the hour may have come at any time of it.
    before = pl.col("last") - pl.col("tick_seconds") * _SECOND
    is_news = (pl.col("first_at") > before) & (pl.col("homes") >= homes) & (pl.col("agents") > 1)
    return told.group_by(keys).agg(news_share=is_news.fill_null(value=False).mean().round(3))
