"""The share of made attacks that counting removes, and of real downloads that it loses, by kind.

Worlds of people and attacks with known truth (tests/make_attacks.py; with `--made audiences` those of
tests/make_audiences.py, with `--made spans` those of tests/make_span_attacks.py) are counted with and without the rules
of behaviour. A download is an attack's when its counted request is. Limits: of the downloads of every kind of attack at
least 95 % are gone, of the downloads of every kind of people, and of all people in every world, at most 0.5 %.
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
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings
from make_attacks import ATTACKS, Request, make_world
from make_audiences import MACHINES, make_audience
from make_span_attacks import CAMPAIGNS, make_span

_ATTACKS = {"attacks": frozenset(ATTACKS), "audiences": frozenset(MACHINES), "spans": CAMPAIGNS}
_REMOVED = 0.95
_LOST = 0.005


def main() -> int:
    """Prints shares by kind as JSON; 1 when one is beyond its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1_000, help="The first world.")
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--attacks", type=int, default=2, help="Attacks of each kind in a world of the first kind.")
    parser.add_argument("--made", choices=tuple(_ATTACKS), default="attacks", help="The kind of worlds.")
    chosen = parser.parse_args()
    attacks = _ATTACKS[chosen.made]
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    worst = 0.0
    for seed in range(chosen.seed, chosen.seed + chosen.worlds):
        scored = score(_make(chosen.made, seed, chosen.attacks))
        worst = max(worst, _removed(sum((counts for kind, counts in scored.items() if kind not in attacks), Counter())))
        for kind, counts in scored.items():
            tally[kind].update(counts)
    kinds = {kind: _shares(counts, is_attack=kind in attacks) for kind, counts in sorted(tally.items())}
    people = [counts for kind, counts in tally.items() if kind not in attacks]
    attackers = [counts for kind, counts in tally.items() if kind in attacks]
    found = {
        "workload": "attacks",
        "made": chosen.made,
        "first_seed": chosen.seed,
        "worlds": chosen.worlds,
        "kinds": kinds,
        "removed_rate": _removed(sum(attackers, Counter())),
        "lost_rate": _removed(sum(people, Counter())),
        "worst_lost_rate": worst,
        "limits": {"removed_rate": _REMOVED, "lost_rate": _LOST},
        "load": os.getloadavg()[0],
    }
    found["within_limit"] = (
        found["removed_rate"] >= _REMOVED
        and worst <= _LOST
        and all(
            shares["removed_rate"] >= _REMOVED if kind in attacks else shares["lost_rate"] <= _LOST
            for kind, shares in kinds.items()
        )
    )
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _make(made: str, seed: int, attacks: int) -> list[Request]:
    if made == "audiences":
        return make_audience(seed).told()
    return make_span(seed).requests if made == "spans" else make_world(seed, attacks=attacks).requests


def score(requests: list[Request]) -> dict[str, Counter[str]]:
    """Per kind its requests and the downloads without and with the rules of behaviour."""
    lines = [json.dumps(request).encode() for request in requests]
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for name, is_on in (("before", False), ("after", True)):
        book = own_rulebook(MeasureSettings(drop_behaviour=is_on))
        for verdict in count_requests(lines, book, load_settings(), "file").verdicts:
            kind = requests[int(str(verdict.id))]["truth"]
            tally[kind][name] += verdict.verdict == "counted"
            tally[kind]["requests"] += is_on
    return tally


def _removed(counts: Counter[str]) -> float:
    return round(1 - counts["after"] / counts["before"], 5) if counts["before"] else 0.0


def _shares(counts: Counter[str], *, is_attack: bool) -> dict[str, float]:
    name = "removed_rate" if is_attack else "lost_rate"
    return dict(counts) | {name: _removed(counts)}


if __name__ == "__main__":
    sys.exit(main())
