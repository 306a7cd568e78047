"""Takes are counted the same by number and, where most numbers are missing, by group."""

import numpy as np
import polars as pl
import pytest

from castline.measure.behaviour.counts import Counts, count_by
from castline.measure.behaviour.sets import group_addresses

_APART = 1_000_000
_KINDS = {"day_on": pl.Int32(), "agent": pl.UInt32(), "episode": pl.Int32()}


@pytest.mark.parametrize("apart", [1, _APART], ids=["near", "far apart"])
def test_takes_are_counted_by_day_and_numbers_wherever_the_numbers_lie(apart: int) -> None:
    takes = [(20_001, 2, 5)] * 3 + [(20_000, 2, 5)] * 2 + [(20_001, 1, 5)] + [(20_001, 2, 4)]
    told = pl.DataFrame([(day, agent * apart, episode) for day, agent, episode in takes], schema=_KINDS, orient="row")
    both = count_by(told, "agent", "episode", count="pair", least=2).sort("day_on")
    assert both.rows() == [(20_000, 2 * apart, 5, 2), (20_001, 2 * apart, 5, 3)]
    assert both.schema == _KINDS | {"pair": pl.UInt32()}
    agents = count_by(told, "agent", count="of_agent").sort("day_on", "agent")
    assert agents.rows() == [(20_000, 2 * apart, 2), (20_001, apart, 1), (20_001, 2 * apart, 4)]


@pytest.mark.parametrize("apart", [1, _APART], ids=["near", "far apart"])
def test_what_is_gone_through_once_for_all_says_what_each_count_does(apart: int) -> None:
    chance = np.random.default_rng(4)
    takes = pl.DataFrame(
        {
            "day_on": 20_000 + chance.integers(0, 3, 600),
            "agent": apart * chance.integers(7, 16, 600),
            "episode": chance.integers(40, 51, 600),
            "agent_again": chance.integers(7, 16, 600),
        }
    )
    counts = Counts(takes)
    for names in (["agent"], ["episode"], ["agent", "episode"], ["agent_again"]):
        for least in (1, 3):
            once = counts.by(*names, count="n", least=least).sort("day_on", *names)
            each = takes.group_by("day_on", *names).agg(n=pl.len()).filter(pl.col("n") >= least)
            assert once.rows() == each.sort("day_on", *names).rows()


def test_addresses_that_differ_in_their_last_bits_alone_are_told_apart() -> None:
    near = 0xABCDEF0123456700
    address = np.array([near + 1, near, near + 1, 5, near, near + 2, near + 1], np.uint64)
    order, heads = group_addresses(address)
    groups = [sorted(part.tolist()) for part in np.split(order, heads[1:])]
    assert sorted(groups) == [[0, 2, 6], [1, 4], [3], [5]]
    apart = address * np.uint64(0x9E3779B97F4A7C15)
    order, heads = group_addresses(apart)
    assert sorted(sorted(part.tolist()) for part in np.split(order, heads[1:])) == sorted(groups)
