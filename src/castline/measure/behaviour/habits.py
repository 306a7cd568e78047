"""What one address or one consumer does on a day that people do not: sweeps, bursts, clockwork, scripted ranges."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from castline.measure.behaviour.traffic import ADDRESS, CONSUMER, Traffic
from castline.measure.behaviour.usual import (
    EVEN,
    beside_uneven,
    compute_clock,
    compute_news,
    compute_tastes,
    compute_typical,
)
from castline.measure.rules.table import PARTS

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR_SECONDS: Final = 3_600
_DAY_MINUTES: Final = 1_440
_NIGHT_HOURS: Final = 6
_BOUNDED: Final = r"^\s*(?i:bytes)?\s*[= ]?\s*[0-9]+\s*-\s*[0-9]+\s*(?:/|$)"
JUST_OVER: Final = 1.25
Keys = tuple[str, ...]
_HOUR: Final = pl.col("at") // (60 * _MINUTE) % 24
# How many hours of the clock, over however many days.
_HOURS: Final = _HOUR.n_unique()

# Whose taste is a list's: not above it, and far from the households' own, which must be one.
TASTELESS: Final = {"taste": -0.3, "usual_taste": 1, "taste_deviations": 4}
# A new subscriber's app may fetch 60 episodes in one go; people come back to an episode, a list is worked off once.
# Nobody's line brings a queue of 30 files a second each, or of 40 within 100 seconds.
SWEEP: Final = {
    "episodes_in_an_hour": 61,
    "visits_per_episode": 1.25,
    "lone_episodes": 90,
    "lone_agents_at_address": 5,
    "catalogue_episodes": 75,
    "catalogue_share": 0.6,
    "catalogue_visits_per_episode": 1.15,
    "quick_episodes": 40,
    "quick_seconds_per_episode": 2.5,
    "rapid_episodes": 30,
    "rapid_seconds_per_episode": 1,
    "paced_episodes": 40,
    "paced_gap_seconds": 6,
    "paced_gap_variation": 0.2,
    "paced_ticks_per_gap": 2,
    "moves_before_return": 12,
    "returns_per_episode": 0.1,
    "times_typical": 5,
    "tasteless_takes": 50,
    "tasteless_hours": 20,
    "tasteless_quietest_share": 0.1,
    **TASTELESS,
}
# Classes that press play at nine are none.
BURST: Final = {
    "requests": 120,
    "quick_requests": 40,
    "quick_seconds_per_request": 0.5,
    "paced_requests": 20,
    "paced_gap_variation": 0.25,
    "paced_ticks_per_gap": 2,
    "minutes": 10,
    "share_of_day": 0.9,
    "mixed_requests": 200,
    "agents_at_address": 3,
    "quiet_times": 8,
}
METRONOME: Final = {
    "visits": 36,
    "hours": 20,
    "gap_variation": 0.35,
    "slow_visits": 20,
    "slow_gap_variation": 0.12,
    "slow_visits_per_episode": 1.25,
    "quick_visits": 100,
    "quick_gap_variation": 0.2,
    "quick_minutes": 60,
    "news_share": 0.5,
    "news_homes": 4,
    **EVEN,
}
SCRIPTED_RANGE: Final = {
    "episodes": 20,
    "share_of_takes": 0.95,
    "same_range_median_of_needed": 15.0,
    "usual_share": 0.2,
    "just_over_of_needed": JUST_OVER,
    "visits_per_episode": 3,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`takes`: (take, subject); `subjects`: one row each with `day_on`, `agent`, `who`, where one is meant, and
    `measured`, a struct of what was found.
    """

    takes: pl.DataFrame
    subjects: pl.DataFrame


def find_sweeps(traffic: Traffic) -> list[Finding]:
    """Consumers, and addresses that change their agent, that work off a catalogue."""
    moves = {keys: _sweeps(traffic.visits, keys) for keys in (CONSUMER, ADDRESS)}
    if all(told.is_empty() for told in moves.values()):
        return []
    episodes = traffic.counts.by("episode", count="takes")
    day = episodes.group_by("day_on").agg(catalogue=pl.len()).join(compute_clock(traffic), on="day_on")
    agents = _agents_at(traffic)
    found = []
    for keys, moved in moves.items():
        told = moved.join(day, on="day_on").join(agents, on=ADDRESS)
        whole = (
            (pl.col("episodes") >= SWEEP["catalogue_episodes"])
            & (pl.col("episodes") >= SWEEP["catalogue_share"] * pl.col("catalogue"))
            & (pl.col("lasting_minutes") <= _DAY_MINUTES)
        )
        lone = (pl.col("fullest_day_seconds") <= 60 * _DAY_MINUTES) & (
            pl.col("agents_at_address") <= SWEEP["lone_agents_at_address"]
        )
        once = pl.col("visits") <= SWEEP["catalogue_visits_per_episode"] * pl.col("episodes")
        listed = (whole | lone) & once
        # A crowd behind one address asks for much in an hour; only a list is worked off without coming back.
        chosen = told.filter(listed if keys == ADDRESS else listed | _is_hasty())
        chosen = _beyond_typical(traffic, chosen).drop("tick_seconds", "fullest_day_seconds")
        if chosen.is_empty():
            continue
        found.append(_finding(traffic, _worked_off(traffic, chosen, keys), keys))
    return found


def _beyond_typical(traffic: Traffic, chosen: pl.DataFrame) -> pl.DataFrame:
    """Where everybody asks for much, nobody works off a list."""
    typical = compute_typical(traffic, chosen["day_on"].unique())
    told = chosen.join(typical, on="day_on")
    return told.filter(pl.col("episodes") >= SWEEP["times_typical"] * pl.col("typical_takes")).drop("typical_takes")


def _worked_off(traffic: Traffic, chosen: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """The subjects that, until they had all their episodes, went on with few that they had left.

    Several downloads at a time take turns; so only who moved often in between has left an episode.
    """
    mine = traffic.takes.join(chosen.select(keys), on=keys, how="semi").select("take", "episode", *keys)
    asked = traffic.ends.select("row", at=pl.col("time").dt.epoch("us"), take=pl.Series(traffic.take_of))
    ordered = asked.join(mine, on="take").sort(*keys, "at", "row")
    firsts = ordered.group_by(*keys, "episode").agg(pl.col("at").min()).group_by(keys).agg(until=pl.col("at").max())
    moved = pl.col("episode").ne_missing(pl.col("episode").shift().over(keys))
    moves = ordered.with_columns(moves=moved.cast(pl.Int64).cum_sum().over(keys)).join(
        firsts, on=keys, maintain_order="left"
    )
    since = (pl.col("moves") - pl.col("moves").shift().over(*keys, "episode")).fill_null(0)
    left = (since >= SWEEP["moves_before_return"]) & (pl.col("at") <= pl.col("until"))
    told = chosen.join(moves.with_columns(left=left).group_by(keys).agg(returns=pl.col("left").sum()), on=keys)
    return told.filter(pl.col("returns") <= SWEEP["returns_per_episode"] * pl.col("episodes"))


def _agents_at(traffic: Traffic) -> pl.DataFrame:
    """Per busy address the number of its agents."""
    return traffic.visits.group_by(ADDRESS).agg(agents_at_address=pl.col("agent").n_unique())


def _is_hasty() -> pl.Expr:
    once = pl.col("visits") <= SWEEP["visits_per_episode"] * pl.col("episodes")
    # What is rounded to the same time may lie a whole step of the clock apart.
    tick = pl.col("tick_seconds")
    hourly = pl.col("fullest_hour_seconds") + tick <= _HOUR_SECONDS
    pace = (pl.col("lasting_minutes") * 60 + tick) / pl.col("episodes")
    quick = (pl.col("episodes") >= SWEEP["quick_episodes"]) & (pace <= SWEEP["quick_seconds_per_episode"])
    rapid = (pl.col("episodes") >= SWEEP["rapid_episodes"]) & (pace <= SWEEP["rapid_seconds_per_episode"])
    paced = (
        (pl.col("episodes") >= SWEEP["paced_episodes"])
        & (pl.col("gap_seconds") <= SWEEP["paced_gap_seconds"])
        & (pl.col("gap_seconds") >= SWEEP["paced_ticks_per_gap"] * tick)
        & (pl.col("gap_variation") <= SWEEP["paced_gap_variation"])
    )
    lone = pl.col("agents_at_address") <= SWEEP["lone_agents_at_address"]
    return once & (hourly | (lone & (quick | rapid | paced))).fill_null(value=False)


def find_tasteless(traffic: Traffic) -> list[Finding]:
    """Addresses of few agents that ask around the clock for what a list holds and not for what people like."""
    keys = ADDRESS
    busy = traffic.visits.group_by(keys).agg(
        takes=pl.col("take").n_unique(),
        hours=_HOURS,
        agents_at_address=pl.col("agent").n_unique(),
        quietest_share=_quietest_share(),
    )
    busy = busy.filter(
        (pl.col("takes") >= SWEEP["tasteless_takes"])
        & (pl.col("hours") >= SWEEP["tasteless_hours"])
        & (pl.col("quietest_share") >= SWEEP["tasteless_quietest_share"])
        & (pl.col("agents_at_address") <= SWEEP["lone_agents_at_address"])
    )
    if busy.is_empty():
        return []
    told = busy.join(compute_tastes(traffic, traffic.visits.join(busy, on=keys, how="semi")), on=keys)
    return [_finding(traffic, told.filter(is_tasteless()), keys)]


def _quietest_share() -> pl.Expr:
    """The share of the visits in the six hours of the clock, one after the other, that have the fewest."""
    shares = [((_HOUR - first) % 24 < _NIGHT_HOURS).mean() for first in range(24)]
    return pl.min_horizontal(shares).round(3)


def is_tasteless() -> pl.Expr:
    """True for what takes as a list does, where the households of the day do not."""
    return (
        (pl.col("taste") <= TASTELESS["taste"])
        & (pl.col("usual_taste") >= TASTELESS["usual_taste"])
        & (pl.col("taste_deviations") >= TASTELESS["taste_deviations"])
    )


def _sweeps(visits: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """Per subject with enough episodes how it went from one to the next."""
    many = pl.col("episode").n_unique().over(keys) >= SWEEP["rapid_episodes"]
    ordered = visits.filter(many).sort(*keys, "at", "row")
    moved = ordered.filter(pl.col("episode").ne_missing(pl.col("episode").shift().over(keys)))
    # From the first visit of an episode to that of the 60th after it: an hour holds 61 if that is below an hour.
    firsts = moved.unique([*keys, "episode"], keep="first", maintain_order=True)
    hours = firsts.group_by(keys).agg(
        fullest_hour_seconds=_shortest(SWEEP["episodes_in_an_hour"]),
        fullest_day_seconds=_shortest(SWEEP["lone_episodes"]),
        episodes=pl.len(),
    )
    # Who begins again with a list has worked it off before: what comes after its last episode tells nothing more.
    until = firsts.group_by(keys).agg(until=pl.col("at").max())
    once = moved.join(until, on=keys, maintain_order="left").filter(pl.col("at") <= pl.col("until"))
    return _paces(once, keys).join(hours, on=keys)


def _shortest(count: float) -> pl.Expr:
    """The shortest time that holds so many of the visits."""
    return (pl.col("at").shift(1 - int(count)) - pl.col("at")).min() / _SECOND


def _paces(visits: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """Per subject the number of visits and what lies between them; the visits come in order of keys and time."""
    # Told of all rows at once, which is many times quicker than subject by subject.
    same = pl.all_horizontal(pl.col(key) == pl.col(key).shift() for key in keys)
    gaps = visits.select(*keys, "at", hour=_HOUR, gap=pl.when(same).then(pl.col("at").diff() / _SECOND))
    gap = pl.col("gap")
    return gaps.group_by(keys, maintain_order=True).agg(
        visits=pl.len(),
        gap_seconds=gap.median().round(3),
        gap_variation=(gap.std() / gap.mean()).fill_nan(None).round(3),
        hours=pl.col("hour").n_unique(),
        lasting_minutes=((pl.col("at").max() - pl.col("at").min()) / _MINUTE).round(2),
    )


def _finding(traffic: Traffic, subjects: pl.DataFrame, keys: Keys) -> Finding:
    """The subjects and all their takes of the day."""
    numbered = subjects.sort(keys).with_row_index("subject")
    takes = traffic.takes.join(numbered.select("subject", *keys), on=keys).select("take", "subject")
    measured = [name for name in numbered.columns if name not in {*CONSUMER, "episode", "subject"}]
    given = [pl.col(name) if name in keys else pl.lit(None).alias(name) for name in ("who", "agent", "episode")]
    return Finding(takes, numbered.select("subject", "day_on", *given, measured=pl.struct(measured)))


def find_bursts(traffic: Traffic) -> list[Finding]:
    """Consumers that ask for the same again and again within minutes, and for nothing at other times."""
    of_one, mixed = (_densest(traffic.visits, keys) for keys in ((*CONSUMER, "episode"), CONSUMER))
    if of_one.is_empty() and mixed.is_empty():
        return []
    agents = _agents_at(traffic)
    day = traffic.span_days().join(compute_clock(traffic), on="day_on")
    found = []
    # What is rounded to the same time may lie a whole step of the clock apart.
    at_most = pl.col("lasting_minutes") + pl.col("tick_seconds") / 60
    pace = at_most * 60 / pl.col("visits")
    quick = (pl.col("visits") >= BURST["quick_requests"]) & (pace <= BURST["quick_seconds_per_request"])
    paced = (
        (pl.col("visits") >= BURST["paced_requests"])
        & (pl.col("gap_variation") <= BURST["paced_gap_variation"])
        & (pl.col("gap_seconds") >= BURST["paced_ticks_per_gap"] * pl.col("tick_seconds"))
    )
    for dense, keys, is_dense in (
        (of_one, (*CONSUMER, "episode"), (pl.col("visits") >= BURST["requests"]) | quick | paced),
        (mixed, CONSUMER, pl.col("visits") >= BURST["mixed_requests"]),
    ):
        told = dense.join(agents, on=ADDRESS).join(day, on="day_on")
        chosen = told.filter(
            is_dense
            & (pl.col("visits") >= 2 * pl.col("episodes"))
            & (pl.col("agents_at_address") <= BURST["agents_at_address"])
            & (at_most <= BURST["minutes"])
            & (pl.col("day_minutes") >= BURST["quiet_times"] * at_most)
        )
        found.append(_finding(traffic, chosen.drop("day_minutes", "tick_seconds"), keys))
    return found


def _densest(visits: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """Per subject its visits but for the first and last twentieth, if these fit into the minutes of a burst."""
    enough = visits.filter(pl.len().over(keys) >= BURST["paced_requests"]).sort(*keys, "at", "row")
    place, count = pl.int_range(pl.len()).over(keys), pl.len().over(keys)
    edge = ((1 - BURST["share_of_day"]) / 2 * count).floor()
    core = enough.filter((place >= edge) & (place < count - edge))
    counted = enough.group_by(keys).agg(episodes=pl.col("episode").n_unique())
    told = _paces(core, keys).join(counted, on=keys)
    return told.filter(pl.col("lasting_minutes") <= BURST["minutes"]).drop("hours")


def find_metronomes(traffic: Traffic) -> list[Finding]:
    """Addresses, consumers, or a consumer's requests for one episode that keep time around the clock."""
    found = []
    for keys in ((*CONSUMER, "episode"), CONSUMER, ADDRESS):
        enough = traffic.visits.filter(pl.len().over(keys) >= METRONOME["slow_visits"]).sort(*keys, "at", "row")
        counted = enough.group_by(keys).agg(episodes=pl.col("episode").n_unique())
        told = _paces(enough, keys).join(counted, on=keys)
        around = (
            (pl.col("visits") >= METRONOME["visits"])
            & (pl.col("hours") >= METRONOME["hours"])
            & (pl.col("gap_variation") <= METRONOME["gap_variation"])
        )
        quick = (
            (pl.col("visits") >= METRONOME["quick_visits"])
            & (pl.col("gap_variation") <= METRONOME["quick_gap_variation"])
            & (pl.col("lasting_minutes") >= METRONOME["quick_minutes"])
        )
        # An app that looks every hour fetches what is new and nothing again.
        again = pl.col("visits") >= METRONOME["slow_visits_per_episode"] * pl.col("episodes")
        slow = (pl.col("hours") >= METRONOME["hours"]) & (pl.col("gap_variation") <= METRONOME["slow_gap_variation"])
        slow &= again
        chosen = beside_uneven(traffic, told.filter(around | slow | quick))
        if chosen.is_empty():
            continue
        theirs = enough.join(chosen.select(keys), on=keys, how="semi")
        chosen = chosen.join(compute_news(traffic, theirs, keys, METRONOME["news_homes"]), on=keys)
        chosen = chosen.filter(pl.col("news_share") < METRONOME["news_share"])
        # Who asks for one episode by the clock does so for others too.
        if keys[-1] == "episode":
            chosen = chosen.sort(*keys).unique(CONSUMER, keep="first", maintain_order=True).drop("episode")
        found.append(_finding(traffic, chosen, CONSUMER if keys[-1] == "episode" else keys))
    return found


def find_scripted_ranges(traffic: Traffic) -> list[Finding]:
    """Consumers that take the same stretch of every episode, a little over what counts, and go on with none."""
    many = pl.col("take").n_unique().over(CONSUMER) >= SCRIPTED_RANGE["episodes"]
    visits = traffic.visits.filter(many).with_columns(pl.col("range").fill_null(""))
    if visits.is_empty():
        return []
    most = pl.col("range").mode(maintain_order=True).first()
    # Asked again on the same day it may be, but for the same stretch.
    alone = pl.col("requests") == pl.len().over("take", "range")
    of_needed = (pl.col("bytes_sent") / pl.col("needed_bytes")).fill_null(1)
    bounded = pl.col("range").str.contains(_BOUNDED) & pl.col("status").is_in(PARTS).fill_null(value=False)
    same = alone & bounded & (pl.col("range") == most)
    # Where nothing less than the whole file counts, whoever takes the file takes just what counts.
    is_part = pl.col("needed_bytes").is_not_null() & ~pl.col("needs_whole").fill_null(value=True)
    just = alone & is_part & of_needed.is_between(1, JUST_OVER)
    told = visits.group_by(CONSUMER, maintain_order=True).agg(
        visits=pl.len(),
        episodes=pl.col("episode").n_unique(),
        same_range_share=same.mean().round(3),
        just_over_share=just.mean().round(3),
        median_of_needed=of_needed.median().round(2),
        stretch=most,
    )
    just = pl.col("just_over_share") >= SCRIPTED_RANGE["share_of_takes"]
    is_same = (pl.col("same_range_share") >= SCRIPTED_RANGE["share_of_takes"]) & (
        pl.col("median_of_needed") <= SCRIPTED_RANGE["same_range_median_of_needed"]
    )
    told = told.filter(
        (is_same | just) & (pl.col("visits") <= SCRIPTED_RANGE["visits_per_episode"] * pl.col("episodes"))
    )
    if told.is_empty():
        return []
    usual = traffic.usual_ranges(told).rename({"range": "stretch"})
    told = told.join(usual, on=["day_on", "stretch"], how="left").with_columns(
        pl.col("usual_share").fill_null(0).round(3)
    )
    is_unusual = pl.col("usual_share") <= SCRIPTED_RANGE["usual_share"]
    return [_finding(traffic, told.filter((is_same & is_unusual) | just), CONSUMER)]
