"""The conformance vectors that castline ships: requests whose end follows from a rule, and how they end here.

A vector names its rule and gives requests by what distinguishes them from BASE: half an hour at 1,000 bytes a second,
so that a minute is 60,000 bytes. Ids are the places from 1 unless they are given.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from castline.base.config import Settings
from castline.measure.count import count_requests
from castline.measure.rules.table import own_rulebook
from castline.model.measurement import MeasureSettings

BASE: Final = {
    "time": "2026-09-07T12:00:00Z",
    "ip": "203.0.113.5",
    "user_agent": "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
    "method": "GET",
    "status": 200,
    "range": None,
    "bytes_sent": 1_800_000,
    "url": "https://cdn.example.org/e1.mp3",
    "referer": None,
    "episode": "e1",
    "file_bytes": 1_800_000,
    "duration_seconds": 1_800,
    "header_bytes": None,
}


@dataclass(frozen=True, slots=True)
class VectorResult:
    """One vector: how its requests must end, and how they do, as `verdict reason` each."""

    rule: str
    about: str
    expected: tuple[str, ...]
    found: tuple[str, ...]

    @property
    def passes(self) -> bool:
        """True if every request ends as its rule says."""
        return self.expected == self.found


@cache
def load_vectors() -> tuple[dict[str, Any], ...]:
    """Every vector, in the order of the rules."""
    text = files("castline.measure").joinpath("vectors.ndjson").read_text("utf-8")
    return tuple(json.loads(line) for line in text.splitlines())


def iter_lines(vector: dict[str, Any]) -> list[bytes]:
    """The vector's requests, as lines of a file of requests."""
    asked = enumerate(vector["requests"], start=1)
    return [json.dumps({"id": place} | BASE | changed).encode() for place, changed in asked]


def check_vector(vector: dict[str, Any], installation: Settings) -> VectorResult:
    """How the vector's requests end, by the product's own tables."""
    book = own_rulebook(MeasureSettings(window=vector.get("window", "calendar"), tz=vector.get("tz", "UTC")))
    found = count_requests(iter_lines(vector), book, installation, vector.get("mode", "file"))
    ends = tuple(f"{item.verdict} {item.reason}" for item in found.verdicts)
    return VectorResult(vector["rule"], vector["about"], tuple(vector["expected"]), ends)


@cache
def check_vectors(installation: Settings) -> tuple[VectorResult, ...]:
    """How every vector's requests end: a function of the code alone."""
    return tuple(check_vector(vector, installation) for vector in load_vectors())
