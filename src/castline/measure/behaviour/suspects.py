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

from castline.measure.behaviour.crowds import AGENT_ROTATION, find_rotations, find_tasteless_crowds
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
    find_tasteless_networks,
)
from castline.measure.behaviour.sets import SAME_SET, find_same_sets
from castline.measure.behaviour.traffic import Traffic, read_traffic
from castline.measure.rules.table import Rulebook
from castline.model.evidence import Evidence

BEHAVIOUR_VERSION: Final = "behaviour/2"
# Where most addresses of a day do what a rule looks for, it tells nothing about any: the log is a replay or a test.
_MOST_ADDRESSES: Final = 0.5


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A rule: the reason that its requests are dropped for, its limits, and what it finds.

    Beyond `few_addresses` it is not believed where it would take most addresses of a day; None for a rule that compares
    with the day's other traffic anyway.
    """

    reason: str
    limits: Mapping[str, float]
    find: Callable[[Traffic, pl.DataFrame], list[Finding]]
    few_addresses: int | None = 10


def _alone(find: Callable[[Traffic], list[Finding]]) -> Callable[[Traffic, pl.DataFrame], list[Finding]]:
    return lambda traffic, _: find(traffic)


def _all_sweeps(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_sweeps(traffic) + find_tasteless(traffic) + find_tasteless_networks(traffic)


def _all_rotations(traffic: Traffic, _: pl.DataFrame) -> list[Finding]:
    return find_rotations(traffic) + find_tasteless_crowds(traffic)


def _all_farms(traffic: Traffic, agents: pl.DataFrame) -> list[Finding]:
    return find_farms(traffic, agents) + find_same_sets(traffic)


# In this order; a request keeps the reason of the first rule that takes it.
BEHAVIOURS: Final = (
    Behaviour("sweep", SWEEP, _all_sweeps),
    Behaviour("metronome", METRONOME, _alone(find_metronomes), few_addresses=0),
    Behaviour("scripted_range", SCRIPTED_RANGE, _alone(find_scripted_ranges)),
    Behaviour(
        "agent_rotation",
        AGENT_ROTATION,
        _all_rotations,
    ),
    Behaviour("farm", FARM | SAME_SET, _all_farms, few_addresses=None),
    Behaviour("burst", BURST, _alone(find_bursts)),
)
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
    """The `agents` of the requests, one row each, and the `episodes` with their `podcast_id`, where shows are known."""

    agents: pl.DataFrame
    episodes: pl.DataFrame | None = None

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

    rules: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    evidence: pl.DataFrame


def find_suspects(ends: pl.DataFrame, known: Known, book: Rulebook) -> Suspects:
    """What behaves as no people do among requests that `judge_passed` has judged."""
    traffic = read_traffic(ends, known.shows, book)
    taken, suspects = _find_all(traffic, known.agents)
    if taken.is_empty():
        return Suspects(np.full(ends.height, -1, np.int64), pl.DataFrame(schema=EVIDENCE_SCHEMA))
    rules = np.full(int(traffic.take_of.max(initial=-1)) + 1, -1, np.int64)
    owner = rules.copy()
    rules[taken["take"].to_numpy()] = taken["rule"].to_numpy()
    owner[taken["take"].to_numpy()] = taken["suspect"].to_numpy()
    evidence = _weigh(ends, owner[traffic.take_of]).join(suspects, on="suspect").sort("day_on", "rule", "measured")
    evidence = evidence.join(known.agents.select("agent", "user_agent"), on="agent", how="left", maintain_order="left")
    evidence = evidence.select(pl.col(name).cast(kind) for name, kind in EVIDENCE_SCHEMA.items())
    return Suspects(rules[traffic.take_of], evidence)


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
    farms = [finding for finding in _all_farms(traffic, agents) if not finding.takes.is_empty()]
    # What farms take must not pass for the households' habits.
    beside = _without(traffic, farms)
    for rule, behaviour in enumerate(BEHAVIOURS):
        if behaviour.find is _all_farms:
            found = farms
        else:
            # The other rules are of addresses that do much.
            found = [] if beside.visits.is_empty() else behaviour.find(beside, agents)
        found = [finding for finding in found if not finding.takes.is_empty()]
        doubtful = _doubtful_days(traffic, found, behaviour.few_addresses)
        for finding in found:
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


def _without(traffic: Traffic, farms: list[Finding]) -> Traffic:
    """The traffic in which no take of these farms is a household's."""
    if not farms:
        return traffic
    theirs = pl.concat([finding.takes.select("take") for finding in farms])["take"].unique()
    told = pl.col("is_ordinary") & ~pl.col("take").is_in(theirs.implode())
    return replace(traffic, takes=traffic.takes.with_columns(is_ordinary=told))


def _doubtful_days(traffic: Traffic, found: list[Finding], few: int | None) -> list[int]:
    """The days on which a rule would take most addresses, and more than a few."""
    if few is None or not found:
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


def _weigh(ends: pl.DataFrame, suspect: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pl.DataFrame:
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
