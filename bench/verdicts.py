"""How many verdicts of counting differ from the plain counter's on generated requests: none may.

The requests are those of tests/make_requests.py, the plain counter is tests/oracle.py. Every window and both modes have
their share, in worlds of at most 70,000 lines, more than are decoded at once. In each, some requests for a range come
as two for its halves, some lines come twice, and all stand in any order. `--requests` is the number of lines in all.
"""

import argparse
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from castline.base.config import load_settings
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import WINDOWS, Delivery, MeasureSettings, Window
from make_requests import BOT, MACHINE, make_request, write_lines
from oracle import Rules, count

_WORLD = 70_000
_MODES: tuple[tuple[Delivery, str], ...] = (("file", "Europe/Oslo"), ("prefix", "UTC"))
_SPLIT_RATE = 0.05
_REPEAT_RATE = 0.02
_PART = re.compile(r"bytes=(\d+)-(\d+)")


def main() -> int:
    """Prints lines, differences and seconds as JSON; 1 when a verdict differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="Lines in all, over every window and mode.")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    shares = [(window, mode, tz) for window in WINDOWS for mode, tz in _MODES]
    tally: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    for place, (window, mode, tz) in enumerate(shares):
        # What does not divide evenly goes to the first.
        left = chosen.requests // len(shares) + (place < chosen.requests % len(shares))
        world = 0
        while left > 0:
            chance = random.Random(f"{chosen.seed} {window} {mode} {world}")  # noqa: S311  # the same for a seed
            asked = _make_world(chance, min(left, _WORLD))
            tally += _compare(asked, chance, Rules(window, tz, mode, BOT.__eq__, MACHINE.__eq__), verdicts)
            left -= len(asked)
            world += 1
    found = {
        "workload": "verdicts",
        "seed": chosen.seed,
        "requests": tally["requests"],
        "differences": tally["differences"],
        "verdicts": dict(sorted(verdicts.items())),
        "seconds": round(tally["own_ms"] / 1000, 1),
        "plain_seconds": round(tally["plain_ms"] / 1000, 1),
        "limits": {"differences": 0},
        "load": os.getloadavg()[0],
        "within_limit": not tally["differences"],
    }
    print(json.dumps(found))
    return 0 if found["within_limit"] else 1


def _make_world(chance: random.Random, number: int) -> list[dict[str, Any]]:
    """So many requests, with halves and repetitions, in any order."""
    repeated = int(number * _REPEAT_RATE)
    made = _iter_requests(chance)
    requests = [next(made) for _ in range(number - repeated)]
    requests += chance.sample(requests, repeated)
    chance.shuffle(requests)
    return requests


def _iter_requests(chance: random.Random) -> Iterator[dict[str, Any]]:
    request_id = 0
    while True:
        request = make_request(chance, request_id)
        part = _PART.fullmatch(request["range"] or "")
        if part is not None and chance.random() < _SPLIT_RATE:
            first, last = int(part[1]), int(part[2])
            middle = (first + last) // 2
            request_id += 1
            yield request | {"id": request_id, "range": f"bytes={middle + 1}-{last}"}
            request |= {"range": f"bytes={first}-{middle}"}
        yield request
        request_id += 1


def _compare(asked: list[dict[str, Any]], chance: random.Random, rules: Rules, verdicts: Counter[str]) -> Counter[str]:
    """Lines, differences and milliseconds of CPU of both; the first difference of a world goes to standard error."""
    lines = write_lines(asked, chance)
    book = own_rulebook(MeasureSettings(window=_as_window(rules.window), tz=rules.tz))
    mode: Delivery = "prefix" if rules.mode == "prefix" else "file"
    began = time.process_time()
    ours = [(str(item.verdict), item.reason) for item in count_requests(lines, book, load_settings(), mode).verdicts]
    between = time.process_time()
    plain = count(asked, rules)
    ended = time.process_time()
    verdicts.update(verdict for verdict, _ in ours)
    differing = [place for place, ends in enumerate(zip(ours, plain, strict=True)) if ends[0] != ends[1]]
    if differing:
        place = differing[0]
        print(f"{rules.window} {rules.mode}: {lines[place]!r}: {ours[place]}, {plain[place]}", file=sys.stderr)
    return Counter(
        requests=len(asked),
        differences=len(differing),
        own_ms=round((between - began) * 1000),
        plain_ms=round((ended - between) * 1000),
    )


def _as_window(name: str) -> Window:
    return next(window for window in WINDOWS if window == name)


if __name__ == "__main__":
    sys.exit(main())
