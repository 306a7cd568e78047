"""The share of made attacks that counting removes, and of real downloads that it loses, by kind.

Worlds of people and attacks with known truth (tests/make_attacks.py) are counted with and without the rules of
behaviour. A download is an attack's when its counted request is. Limits: of the downloads of every kind of attack
at least 95 % are gone, of the downloads of every kind of people at most 0.5 %.
"""

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.config import load_settings
from castline.measure.count import count_requests
from castline.measure.rules import own_rulebook
from castline.model.measurement import MeasureSettings
from make_attacks import ATTACKS, World, make_world

_REMOVED = 0.95
_LOST = 0.005


def main() -> int:
    """Prints shares by kind as JSON; 1 when one is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1_000, help="The first world.")
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--attacks", type=int, default=2, help="Attacks of each kind in a world.")
    chosen = parser.parse_args()
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for seed in range(chosen.seed, chosen.seed + chosen.worlds):
        for kind, counts in score(make_world(seed, attacks=chosen.attacks)).items():
            tally[kind].update(counts)
    kinds = {kind: _shares(kind, counts) for kind, counts in sorted(tally.items())}
    people = [counts for kind, counts in tally.items() if kind not in ATTACKS]
    attackers = [counts for kind, counts in tally.items() if kind in ATTACKS]
    found = {
        "workload": "attacks",
        "first_seed": chosen.seed,
        "worlds": chosen.worlds,
        "kinds": kinds,
        "removed_rate": _removed(sum(attackers, Counter())),
        "lost_rate": _removed(sum(people, Counter())),
        "limits": {"removed_rate": _REMOVED, "lost_rate": _LOST},
        "load": os.getloadavg()[0],
    }
    found["within_limit"] = (
        found["removed_rate"] >= _REMOVED
        and found["lost_rate"] <= _LOST
        and all(
            shares["removed_rate"] >= _REMOVED if kind in ATTACKS else shares["lost_rate"] <= _LOST
            for kind, shares in kinds.items()
        )
    )
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def score(world: World) -> dict[str, Counter[str]]:
    """Per kind its requests and the downloads without and with the rules of behaviour."""
    lines = [json.dumps(request).encode() for request in world.requests]
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for name, is_on in (("before", False), ("after", True)):
        book = own_rulebook(MeasureSettings(drop_behaviour=is_on))
        for verdict in count_requests(lines, book, load_settings(), "file").verdicts:
            kind = world.requests[int(str(verdict.id))]["truth"]
            tally[kind][name] += verdict.verdict == "counted"
            tally[kind]["requests"] += is_on
    return tally


def _removed(counts: Counter[str]) -> float:
    return round(1 - counts["after"] / counts["before"], 5) if counts["before"] else 0.0


def _shares(kind: str, counts: Counter[str]) -> dict[str, float]:
    name = "removed_rate" if kind in ATTACKS else "lost_rate"
    return dict(counts) | {name: _removed(counts)}


if __name__ == "__main__":
    sys.exit(main())
