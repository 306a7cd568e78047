"""Counting a file of requests drops what behaves as no people do, unless it is told not to."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from make_attacks import World, add_people, add_sweep
from run_castline import Castline


@pytest.fixture
def world() -> World:
    made = World("contract", days=1)
    add_people(made, 200)
    add_sweep(made)
    return made


def _verdicts(ended: str, world: World) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {"people": Counter(), "sweep": Counter()}
    for line in ended.splitlines():
        told: dict[str, Any] = json.loads(line)
        found[world.requests[told["id"]]["truth"]][told["reason"]] += 1
    return found


def test_a_sweep_goes_and_people_stay(world: World, tmp_path: Path) -> None:
    source = tmp_path / "requests.ndjson"
    source.write_text("".join(json.dumps(request) + "\n" for request in world.requests))
    castline = Castline(tmp_path / "data", {})
    with_rules = _verdicts(castline("measure", "count", "--input", str(source), "--json").out, world)
    without = _verdicts(castline("measure", "count", "--input", str(source), "--no-behaviour", "--json").out, world)
    assert set(with_rules["sweep"]) == {"sweep"}
    assert set(without["sweep"]) == {"one_minute"}
    assert with_rules["people"] == without["people"]
