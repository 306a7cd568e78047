"""Takes are counted the same by number and, where most numbers are missing, by group."""

import polars as pl
import pytest

from castline.measure.behaviour.farms import count_by

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
