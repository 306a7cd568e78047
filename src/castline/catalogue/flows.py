"""Every job: what it reads, what it writes, and when it runs."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec


@dataclass(frozen=True, slots=True)
class JobFlow:
    """One job of the ledger. Inputs and outputs are tables of the catalogue or named places of the outside world."""

    name: str
    purpose: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    schedule: str


@cache
def load_jobs() -> Mapping[str, JobFlow]:
    """Every job by its name, `noun.verb`."""
    nouns = tomllib.loads(files("castline.catalogue").joinpath("jobs.toml").read_text("utf-8"))
    return {
        f"{noun}.{verb}": msgspec.convert({"name": f"{noun}.{verb}"} | facts, JobFlow)
        for noun, verbs in nouns.items()
        for verb, facts in verbs.items()
    }
