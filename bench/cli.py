"""How long `castline --help` takes, beside the interpreter's own start in the same run. Limit: 150 ms."""

import json
import os
import statistics
import subprocess
import sys
import time

_ROUNDS = 15
_LIMIT_MS = 150.0
_COMMANDS = {
    "help": [sys.executable, "-m", "castline", "--help"],
    "interpreter": [sys.executable, "-c", "pass"],
}


def main() -> int:
    """Prints the medians as JSON; 1 when the help is later than its limit."""
    taken: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    for _ in range(_ROUNDS):
        # In turns, so that both meet the same load.
        for name, words in _COMMANDS.items():
            taken[name].append(_measure(words))
    medians = {name: round(statistics.median(times), 1) for name, times in taken.items()}
    is_within = medians["help"] <= _LIMIT_MS
    print(
        json.dumps(
            {
                "workload": "cli",
                "help_ms": medians["help"],
                "interpreter_ms": medians["interpreter"],
                "own_ms": round(medians["help"] - medians["interpreter"], 1),
                "best_help_ms": round(min(taken["help"]), 1),
                "limit_ms": _LIMIT_MS,
                "rounds": _ROUNDS,
                "load": os.getloadavg()[0],
                "within_limit": is_within,
            }
        )
    )
    return 0 if is_within else 1


def _measure(words: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    sys.exit(main())
