"""Behaviour that no people show, by the UTC day: each rule says what it found, against which limits, and what it took.

A day is judged from its own requests alone, so neither batches nor portions nor the order of rows change a verdict.
Method: docs/method/behaviour.md
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from castline.measure.behaviour.aims import AIM, find_aimed_addresses, find_aimed_networks
from castline.measure.behaviour.alike import ALIKE, find_alike
from castline.measure.behaviour.crowded import find_crowded
from castline.measure.behaviour.crowds import (
    AGENT_ROTATION,
    CROWD_BURST,
    find_crowd_bursts,
    find_rotations,
    find_tasteless_crowds,
)
from castline.measure.behaviour.farms import FARM, find_farms
from castline.measure.behaviour.habits import (
    BURST,
    METRONOME,
    SCRIPTED_RANGE,
    SWEEP,
    Finding,
    find_bursts,
    find_metronomes,
    find_scripted_ranges,
    find_sweeps,
    find_tasteless,
)
from castline.measure.behaviour.networks import NETWORK, find_networks
from castline.measure.behaviour.sets import SAME_SET, find_same_sets
from castline.measure.behaviour.stretches import STRETCH, find_same_stretches
from castline.measure.behaviour.traffic import TRAFFIC_COLUMNS, Ints, Traffic, read_traffic
from castline.measure.rules.table import Rulebook
from castline.model.evidence import Evidence

BEHAVIOUR_VERSION: Final = "behaviour/6"
# Where most addresses of a day do what a rule looks for, it tells nothing about any: the log is a replay or a test.
_MOST_ADDRESSES: Final = 0.5


def _find_none(_: Traffic, __: pl.DataFrame) -> list[Finding]:
    return []


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A rule: the reason that its requests are dropped for, its limits, and what it finds.

    `find` is of those who do much each: beyond `few_addresses` it is not believed where it would take most addresses of
    a day. `find_crowds` is of many who do little each, and always beside the day's other traffic.
    """

    reason: str
    limits: Mapping[str, float]
    find: Callable[[Traffic, pl.DataFrame], list[Finding]] = _find_none
    find_crowds: Callable[[Traffic, pl.DataFrame], list[Finding]] | None = None
    few_addresses: int = 10


def _all_sweeps(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_sweeps(traffic) + find_tasteless(traffic)


def _all_rotations(traffic: Traffic, agents: pl.DataFrame) -> list[Finding]:
    return find_rotations(traffic) + find_tasteless_crowds(traffic) + find_aimed_addresses(traffic, agents)


def _all_farms(traffic: Traffic, agents: pl.DataFrame) -> list[Finding]:
    found = find_farms(traffic, agents) + find_same_sets(traffic)
    crowded = find_crowded(traffic)
    found += find_networks(traffic, crowded) + find_alike(traffic, crowded)
    return found + find_aimed_networks(traffic) + find_same_stretches(traffic, agents)


def _metronomes(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_metronomes(traffic)


def _scripted_ranges(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_scripted_ranges(traffic)


def _bursts(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_bursts(traffic)


def _crowd_bursts(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_crowd_bursts(traffic)


# In this order; a request keeps the reason of the first rule that takes it.
BEHAVIOURS: Final = (
    Behaviour("sweep", SWEEP, _all_sweeps),
    Behaviour("metronome", METRONOME, _metronomes, few_addresses=0),
    Behaviour("scripted_range", SCRIPTED_RANGE, _scripted_ranges),
    Behaviour("agent_rotation", AGENT_ROTATION | AIM, _all_rotations),
    Behaviour("farm", FARM | SAME_SET | NETWORK | ALIKE | AIM | STRETCH, find_crowds=_all_farms),
    Behaviour("burst", BURST | CROWD_BURST, _bursts, _crowd_bursts),
)
_OF_ADDRESSES: Final = [number for number, behaviour in enumerate(BEHAVIOURS) if behaviour.find_crowds is None]
_TAKEN: Final = {"take": pl.Int64(), "suspect": pl.UInt32(), "rule": pl.UInt8()}
_SUSPECTS: Final = {
    "suspect": pl.UInt32(),
    "rule": pl.UInt8(),
    "day_on": pl.Int32(),
    "agent": pl.UInt32(),
    "who": pl.UInt64(),
    "measured": pl.String(),
}
EVIDENCE_SCHEMA: Final = pl.Schema(
    {
        "ip": pl.String(),
        "asn": pl.UInt32(),
        "addresses": pl.UInt32(),
        "requests": pl.UInt32(),
        "downloads": pl.UInt32(),
        "rule": pl.UInt8(),
        "day_on": pl.Date(),
        "user_agent": pl.String(),
        "measured": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """The `agents` of the requests, one row each, and the `episodes` with their `podcast_id`, where shows are known.

    `is_whole` where there are no requests but these: then what shows only over several days counts too.
    """

    agents: pl.DataFrame
    episodes: pl.DataFrame | None = None
    is_whole: bool = False

    @property
    def shows(self) -> pl.DataFrame:
        """The number of each episode's show."""
        if self.episodes is None:
            return pl.DataFrame(schema={"episode": pl.Int32(), "show": pl.UInt32()})
        return self.episodes.select("episode", show=pl.col("podcast_id").rank("dense").cast(pl.UInt32))


@dataclass(frozen=True, slots=True)
class Suspects:
    """`rules`: per row of what was judged the number of the rule that takes it, -1 for none.

    `evidence`: one row of EVIDENCE_SCHEMA per subject: `measured` is JSON, `downloads` are those that its requests
    would have counted; every dropped request is in one of them.
    """

    rules: Ints
    evidence: pl.DataFrame


def find_suspects(ends: pl.DataFrame, known: Known, book: Rulebook) -> Suspects:
    """What behaves as no people do among requests that `judge_passed` has judged."""
    traffic = read_traffic(ends, known.shows, book)
    found = _find_rows(traffic, known.agents)
    if known.is_whole and traffic.takes["day_on"].n_unique() > 1:
        found = _add_over_days(found, ends, known, book)
    if found.subjects.is_empty():
        return Suspects(found.rules, pl.DataFrame(schema=EVIDENCE_SCHEMA))
    evidence = _weigh(ends, found.owners).join(found.subjects, on="suspect").sort("day_on", "rule", "measured")
    evidence = evidence.join(known.agents.select("agent", "user_agent"), on="agent", how="left", maintain_order="left")
    return Suspects(found.rules, evidence.select(pl.col(name).cast(kind) for name, kind in EVIDENCE_SCHEMA.items()))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Per row of what was judged the rule that takes it and its subject, -1 for none; and the subjects."""

    rules: Ints
    owners: Ints
    subjects: pl.DataFrame


def _find_rows(traffic: Traffic, agents: pl.DataFrame) -> _Rows:
    nothing = pl.DataFrame(schema=_TAKEN), pl.DataFrame(schema=_SUSPECTS)
    taken, subjects = nothing if traffic.takes.is_empty() else _find_all(traffic, agents)
    if taken.is_empty():
        none = np.full(len(traffic.take_of), -1, np.int64)
        return _Rows(none, none, subjects)
    rules = np.full(int(traffic.take_of.max(initial=-1)) + 1, -1, np.int64)
    owners = rules.copy()
    rules[taken["take"].to_numpy()] = taken["rule"].to_numpy()
    owners[taken["take"].to_numpy()] = taken["suspect"].to_numpy()
    return _Rows(rules[traffic.take_of], owners[traffic.take_of], subjects)


def _add_over_days(found: _Rows, ends: pl.DataFrame, known: Known, book: Rulebook) -> _Rows:
    """What was found by the day, and among the rest what all days together show."""
    # Who was found by what it did itself may have done it on other days too; a day's farms must not hide others.
    stay = np.flatnonzero((found.rules < 0) | np.isin(found.rules, _OF_ADDRESSES))
    # Copies are large, and commonly all stay.
    rest = ends if len(stay) == ends.height else ends.select(TRAFFIC_COLUMNS)[stay]
    rules, owners = found.rules.copy(), found.owners.copy()
    traffic = read_traffic(rest, known.shows, book, is_one_day=True)
    traffic = _without(traffic, pl.Series(traffic.take_of[rules[stay] >= 0]))
    added = _find_rows(traffic, known.agents)
    is_new = (added.rules >= 0) & (rules[stay] < 0)
    number = int(found.owners.max(initial=-1)) + 1
    rules[stay[is_new]], owners[stay[is_new]] = added.rules[is_new], added.owners[is_new] + number
    subjects = added.subjects.with_columns(pl.col("suspect") + number)
    return _Rows(rules, owners, pl.concat([found.subjects, subjects]))


def list_evidence(evidence: pl.DataFrame, days: Collection[date]) -> list[Evidence]:
    """The evidence of these UTC days."""
    of_days = evidence.filter(pl.col("day_on").is_in(list(days)))
    return [
        Evidence(
            row["day_on"],
            BEHAVIOURS[row["rule"]].reason,
            row["ip"],
            row["asn"],
            row["user_agent"],
            row["addresses"],
            row["requests"],
            row["downloads"],
            json.loads(row["measured"]),
            BEHAVIOURS[row["rule"]].limits,
        )
        for row in of_days.iter_rows(named=True)
    ]


def _find_all(traffic: Traffic, agents: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each suspicious take once, with the first rule and subject that it falls to; and the subjects."""
    taken, suspects = [pl.DataFrame(schema=_TAKEN)], [pl.DataFrame(schema=_SUSPECTS)]
    number = 0
    crowds = {rule.reason: rule.find_crowds(traffic, agents) for rule in BEHAVIOURS if rule.find_crowds}
    # What these take must not pass for the households' habits.
    theirs = [finding.takes["take"] for found in crowds.values() for finding in found]
    beside = _without(traffic, pl.concat(theirs)) if theirs else traffic
    for rule, behaviour in enumerate(BEHAVIOURS):
        found = [] if beside.visits.is_empty() else behaviour.find(beside, agents)
        found = [finding for finding in found if not finding.takes.is_empty()]
        doubtful = _doubtful_days(traffic, found, behaviour.few_addresses)
        for finding in found + crowds.get(behaviour.reason, []):
            told = finding.subjects.filter(~pl.col("day_on").is_in(doubtful))
            suspect = (pl.col("subject") + number).cast(pl.UInt32).alias("suspect")
            takes = finding.takes.join(told.select("subject"), on="subject", how="semi")
            rules = pl.lit(rule, pl.UInt8).alias("rule")
            taken.append(takes.select("take", suspect, rules))
            measured = pl.Series([json.dumps(row) for row in told["measured"]], dtype=pl.String)
            suspects.append(
                told.with_columns(suspect, rules, measured=measured).select(
                    pl.col(name).cast(kind) for name, kind in _SUSPECTS.items()
                )
            )
            number += finding.subjects.height
    once = pl.concat(taken).sort("rule", "suspect").unique("take", keep="first", maintain_order=True)
    return once, pl.concat(suspects)


def _without(traffic: Traffic, takes: pl.Series) -> Traffic:
    """The traffic in which none of these takes is a household's."""
    if takes.is_empty():
        return traffic
    told = pl.col("is_ordinary") & ~pl.col("take").is_in(takes.unique().implode())
    return replace(traffic, takes=traffic.takes.with_columns(is_ordinary=told))


def _doubtful_days(traffic: Traffic, found: list[Finding], few: int) -> list[int]:
    """The days on which a rule would take most addresses, and more than a few."""
    if not found:
        return []
    suspicious = pl.concat([finding.takes.select("take") for finding in found]).unique()
    count = pl.col("who").n_unique()
    hit = traffic.takes.join(suspicious, on="take", how="semi").group_by("day_on").agg(hit=count)
    hit = hit.filter(pl.col("hit") > few)
    if hit.is_empty():
        return []
    everybody = traffic.takes.group_by("day_on").agg(everybody=count)
    return (
        hit.join(everybody, on="day_on")
        .filter(pl.col("hit") > _MOST_ADDRESSES * pl.col("everybody"))["day_on"]
        .to_list()
    )


def _weigh(ends: pl.DataFrame, suspect: Ints) -> pl.DataFrame:
    """Per suspect its requests, the downloads they made and where they came from."""
    mine = ends.select("row", "window", "completes", "listener_key", "ip", "asn", suspect=pl.Series(suspect))
    mine = mine.filter(pl.col("suspect") >= 0).with_columns(pl.col("suspect").cast(pl.UInt32))
    one = pl.col("ip").n_unique() == 1
    return mine.group_by("suspect").agg(
        ip=pl.when(one).then(pl.col("ip").first()),
        asn=pl.when(pl.col("asn").n_unique() == 1).then(pl.col("asn").first()),
        addresses=pl.col("listener_key").n_unique(),
        requests=pl.col("row").n_unique(),
        downloads=pl.col("window").filter("completes").n_unique(),
    )
