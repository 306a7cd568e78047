"""Every figure that the product shows: its formula, unit, version, and the page that explains it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. `stored` are the tables that hold it, empty where it is computed when asked for.

    `method` is the page below docs/method/ that explains it; `version` rises when the formula changes.
    """

    name: str
    title: str
    unit: str
    formula: str
    version: int
    method: str
    stored: tuple[str, ...] = ()


@cache
def load_metrics() -> Mapping[str, Metric]:
    """Every metric by its name."""
    declared = tomllib.loads(files("castline.catalogue").joinpath("metrics.toml").read_text("utf-8"))
    return {name: msgspec.convert({"name": name} | facts, Metric) for name, facts in declared.items()}
