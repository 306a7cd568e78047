"""How fast user agents are told: distinct ones beside the same patterns tried one by one, and traffic with a memory.

Limits: 18,000 distinct a second, 5 times the rate of one by one, 666,000 requests a second with the memory.
"""

import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import re2  # type: ignore[import-untyped]  # it ships no types

from castline.measure.agents.classifier import AgentClassifier
from castline.measure.agents.lists import load_crawler_patterns
from castline.measure.agents.rules import load_agent_rules

_DISTINCT = 20_000
_SAMPLE = 400  # one by one takes milliseconds each
_REQUESTS = 1_000_000
_ROUNDS = 3
_LIMITS = {"distinct_per_second": 18_000, "times_one_by_one": 5.0, "requests_per_second": 666_000}
_BROWSERS = (
    (
        "Mozilla/5.0 (Linux; Android {v}; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}{v}.0.{w}.{v}"
        " Mobile Safari/537.36"
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS {v}_{v} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        " Version/{v}.{w} Mobile/15E148 Safari/604.1"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{w}.0) Gecko/20100101 Firefox/{w}.{v}",
    (
        "Mozilla/5.0 (Linux; Android {v}; SM-S911B Build/UP1A.{w}.{v}; wv) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Version/4.0 Chrome/{w}.0.{w}.{v} Mobile Safari/537.36 Instagram {w}.0.0.{v}"
    ),
)
_PHONES = ("SM-S911B", "Pixel 8", "CPH2557", "M2102J20SG", "V2130", "moto g84 5G", "CUBOT X30", "SM-A515F", "XQ-DQ54")


class OneByOne:
    """The peer: each pattern compiled by itself and tried in turn."""

    def __init__(self, patterns: Sequence[str]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._searches: list[Callable[[bytes], object]] = []
        for pattern in patterns:
            try:
                self._searches.append(re2.compile(pattern, options).search)
            except re2.error:
                self._searches.append(lambda _: None)

    def find_first(self, text: str) -> int | None:
        """The number of the first pattern that is found."""
        encoded = text.encode()
        return next((number for number, search in enumerate(self._searches) if search(encoded)), None)

    def find_all(self, text: str) -> list[int]:
        """The numbers of all patterns that are found."""
        encoded = text.encode()
        return [number for number, search in enumerate(self._searches) if search(encoded)]


def main() -> int:
    """Prints the rates as JSON; 1 when one is below its limit."""
    texts = _make_agents()
    together, apart = AgentClassifier(), AgentClassifier(compile_all=OneByOne)
    sample = texts[:_SAMPLE]
    distinct: list[float] = []
    single: list[float] = []
    for _ in range(_ROUNDS):
        # In turns, so that both meet the same load.
        distinct.append(_measure(partial(_tell, together.classify_cold, texts), len(texts)))
        single.append(_measure(partial(_tell, apart.classify_cold, sample), len(sample)))
    if [apart.classify_cold(text) for text in sample] != [together.classify_cold(text) for text in sample]:
        print("one by one and all at once do not agree", file=sys.stderr)
        return 1
    rates = {
        "distinct_per_second": round(distinct[0]),  # the first pass: nothing is warm
        "times_one_by_one": round(distinct[0] / max(single), 1),
        "requests_per_second": round(_measure_memory(texts)),
    }
    is_within = all(rates[name] >= limit for name, limit in _LIMITS.items())
    print(
        json.dumps(
            {
                "workload": "agents",
                **rates,
                "one_by_one_per_second": round(max(single)),
                "warm_distinct_per_second": round(max(distinct)),
                "pattern_count": len(load_agent_rules().entries) + len(load_crawler_patterns()),
                "distinct_count": len(texts),
                "limits": _LIMITS,
                "load": os.getloadavg()[0],
                "within_limit": is_within,
            }
        )
    )
    return 0 if is_within else 1


def _make_agents() -> list[str]:
    """Distinct agents: half the examples of the table with other versions and telephones, half browsers."""
    rng = random.Random(20261123)  # noqa: S311  # the same agents in every run
    examples = [example for rule in load_agent_rules().entries for example in rule.examples]
    made: dict[str, None] = {}
    while len(made) < _DISTINCT:
        example = rng.choice(examples if len(made) % 2 else _BROWSERS)
        example = example.replace("{v}", str(rng.randrange(9, 20))).replace("{w}", str(rng.randrange(90, 7000)))
        text = re.sub(r"\d+(?=\.\d)", lambda found: str(rng.randrange(1, 10 ** len(found[0]))), example)
        made[re.sub(r"SM-\w+", rng.choice(_PHONES), text)] = None
    return list(made)


def _tell(classify: Callable[[str], object], texts: Sequence[str]) -> None:
    for text in texts:
        classify(text)


def _measure_memory(texts: Sequence[str]) -> float:
    """Requests a second where, as in real traffic, the commonest 100 agents are 72 % and 1,000 are 90 % of requests."""
    rng = random.Random(1)  # noqa: S311  # the same traffic in every run
    weights = [0.72 / 100] * 100 + [0.18 / 900] * 900 + [0.10 / (len(texts) - 1000)] * (len(texts) - 1000)
    requests = rng.choices(texts, weights, k=_REQUESTS)
    return _measure(partial(_tell, AgentClassifier().classify, requests), len(requests))


def _measure(work: Callable[[], None], count: int) -> float:
    begin = time.process_time()
    work()
    return count / (time.process_time() - begin)


if __name__ == "__main__":
    sys.exit(main())
