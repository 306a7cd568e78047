"""How many takes have a day and numbers in common: told by place where numbers lie close together, else by group."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
_DAY: Final = "day_on"
_CUBE: Final = (_DAY, "agent", "episode")
# Counting by number pays where not most of the numbers are missing.
_DENSE: Final = 4
BUCKET_BITS: Final = 22
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class _Grid:
    """A cell for each of the numbers from the first on that these columns could have in common."""

    firsts: dict[str, int]
    widths: dict[str, int]
    kinds: dict[str, pl.DataType]

    def hold(self, names: Sequence[str]) -> "_Grid":
        """The grid of these columns alone."""
        return _Grid(
            {name: self.firsts[name] for name in names},
            {name: self.widths[name] for name in names},
            {name: self.kinds[name] for name in names},
        )

    def compute_cells(self, takes: pl.DataFrame) -> Ints:
        """The cell of each take."""
        cells = np.zeros(takes.height, np.int64)
        for name, width in self.widths.items():
            if width > 1:
                cells *= width
                cells += takes[name].to_numpy()
                cells -= self.firsts[name]
        return cells

    def tell(self, counts: Ints, count: str, least: int) -> pl.DataFrame:
        """The cells with at least so many, by their numbers."""
        found = np.flatnonzero(counts >= least)
        parts = np.unravel_index(found, tuple(self.widths.values()))
        told = {name: part + self.firsts[name] for name, part in zip(self.widths, parts, strict=True)}
        kinds = self.kinds | {count: pl.UInt32()}
        return pl.DataFrame(told | {count: counts[found]}).select(
            pl.col(name).cast(kind) for name, kind in kinds.items()
        )


def _find_grid(takes: pl.DataFrame, names: Sequence[str]) -> _Grid | None:
    """The grid of the takes' numbers; none where most cells would be empty."""
    columns = {name: takes[name].to_numpy() for name in names}
    firsts = {name: int(column.min()) for name, column in columns.items()}
    widths = {name: int(column.max()) + 1 - firsts[name] for name, column in columns.items()}
    if prod(widths.values()) > _DENSE * takes.height:
        return None
    return _Grid(firsts, widths, {name: takes.schema[name] for name in names})


class Counts:
    """The takes of days by agent and by episode, gone through once for all who ask."""

    def __init__(self, takes: pl.DataFrame) -> None:
        self._takes = takes

    def by(self, *names: str, count: str, least: int = 1) -> pl.DataFrame:
        """As `count_by`."""
        if self._cube is None or not set(names) <= set(_CUBE):
            return count_by(self._takes, *names, count=count, least=least)
        grid, counts = self._cube
        others = tuple(axis for axis, name in enumerate(_CUBE) if name not in {_DAY, *names})
        return grid.hold([_DAY, *names]).tell(counts.sum(axis=others).ravel(), count, least)

    @cached_property
    def _cube(self) -> tuple[_Grid, Ints] | None:
        grid = _find_grid(self._takes, _CUBE)
        if grid is None:
            return None
        widths = tuple(grid.widths.values())
        counts = np.bincount(grid.compute_cells(self._takes), minlength=prod(widths))
        return grid, counts.reshape(widths)


def count_by(takes: pl.DataFrame, *names: str, count: str, least: int = 1) -> pl.DataFrame:
    """Per day and numbers the takes, where these are at least so many."""
    keys = (_DAY, *names)
    grid = _find_grid(takes, keys)
    if grid is not None:
        return grid.tell(np.bincount(grid.compute_cells(takes)), count, least)
    return _often(takes, keys, least).group_by(keys).agg(pl.len().alias(count)).filter(pl.col(count) >= least)


def mix(takes: pl.DataFrame, *names: str) -> Ints:
    """A bucket for each take, the same for the same numbers."""
    mixed = np.zeros(takes.height, np.uint64)
    for name in names:
        mixed = (mixed ^ takes[name].cast(pl.Int64).to_numpy().view(np.uint64)) * _ODD
    return (mixed >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def _often(takes: pl.DataFrame, keys: Sequence[str], least: int) -> pl.DataFrame:
    """The keys of all takes that have so many alike, and of few others."""
    if least == 1:
        return takes.select(keys)
    bucket = mix(takes, *keys)
    return takes.select(keys)[np.flatnonzero(np.bincount(bucket)[bucket] >= least)]
