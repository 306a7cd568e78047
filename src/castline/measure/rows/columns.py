"""Judged downloads by column: what crosses dimensions reads two or three of a day's columns instead of its rows.

Method: docs/design/cross-filters.md
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.judge import Judged
from castline.measure.rows.consumer_sets import hash_consumers
from castline.measure.rows.events import FILE, number_values
from castline.measure.rows.rollup import MEMBER_LENGTH, UNKNOWN
from castline.store.listening.columns import DayColumn

Numbers = npt.NDArray[np.integer]
# Since 1990 (castline.model.query.EARLIEST) every zone's offset is a multiple of a quarter of an hour, so that its days
# and hours begin with one; tests/unit/test_query.py holds it against the zones of this machine.
QUARTER_SECONDS: Final = 900
QUARTERS: Final = 96
_WIDTHS: Final = ((1, np.uint8), (2, np.uint16), (4, np.uint32))


@dataclass(frozen=True, slots=True)
class Column:
    """The distinct values of a column, and the place of each download's among them."""

    members: list[str]
    codes: Numbers


def make_columns(judged: Judged, carried: pl.DataFrame, owner_id: UUID) -> list[DayColumn]:
    """The columns of each day of the downloads, the same each time; `carried` is what `find_carried` gave."""
    downloads = judged.downloads
    if downloads.is_empty():
        return []
    columns = _number_columns(judged, carried)
    consumers = hash_consumers(judged, owner_id)
    days = downloads["time"].dt.date()
    quarters = ((downloads["time"].dt.epoch("s") % 86_400) // QUARTER_SECONDS).to_numpy()
    rows = []
    for day, places in _iter_days(days):
        rows += [_pack(day, name, column, places) for name, column in columns.items()]
        rows.append(DayColumn(day, "quarter", len(places), [], quarters[places].astype(np.uint8).tobytes()))
        rows.append(DayColumn(day, "consumer", len(places), [], consumers[places].astype("<u8").tobytes()))
    return rows


def read_codes(column: DayColumn) -> Numbers:
    """The place of each download's value among the members; all nought where there is one."""
    if not column.codes:
        return np.zeros(column.download_count, np.uint8)
    return np.frombuffer(column.codes, f"<u{len(column.codes) // column.download_count}")


def _number_columns(judged: Judged, carried: pl.DataFrame) -> dict[str, Column]:
    downloads, agents, episodes = judged.downloads, judged.agents, judged.episodes
    agent, episode = downloads["agent"].to_numpy(), downloads["episode"].to_numpy()
    app = agents.select(pl.coalesce("app", "platform", pl.lit(UNKNOWN)).str.head(MEMBER_LENGTH)).to_series()
    return {
        "show": _number_by(episodes["podcast_id"], episode),
        "episode": _number_by(episodes["episode_id"], episode),
        "app": _number_by(app, agent),
        "device": _number_by(agents["device_type"].fill_null(UNKNOWN), agent),
        "country": _number(downloads["country"].fill_null(UNKNOWN)),
        "source": _number(downloads["delivery"].fill_null(FILE)),
        "ads": _number("{" + carried["ads"].str.strip_prefix(",") + "}"),
    }


def _number(values: pl.Series) -> Column:
    members, codes = number_values(values)
    return Column(members.to_list(), codes)


def _number_by(values: pl.Series, numbers: Numbers) -> Column:
    """Of values that belong to something with a number of its own, such as agents."""
    column = _number(values)
    return Column(column.members, column.codes[numbers])


def _iter_days(days: pl.Series) -> Iterator[tuple[date, Numbers]]:
    """Each day in order, and the places of its downloads."""
    found, of_day = number_values(days)
    order = np.argsort(of_day, kind="stable")
    ends = np.cumsum(np.bincount(of_day, minlength=len(found)))
    yield from zip(found, np.split(order, ends[:-1]), strict=True)


def _pack(day: date, name: str, column: Column, places: Numbers) -> DayColumn:
    """The column of one day, with the members that the day has."""
    codes = column.codes[places]
    is_used = np.zeros(len(column.members), np.bool_)
    is_used[codes] = True
    used = np.flatnonzero(is_used)
    members = [column.members[place] for place in used]
    if len(members) == 1:
        return DayColumn(day, name, len(places), members, b"")
    kind = next(kind for width, kind in _WIDTHS if len(members) <= 1 << (8 * width))
    renumbered = (np.cumsum(is_used) - 1).astype(kind)[codes]
    return DayColumn(day, name, len(places), members, renumbered.astype(renumbered.dtype.newbyteorder("<")).tobytes())
