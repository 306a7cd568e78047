"""Uniqueness: the requests of one consumer for one episode fall into windows, and a window is a download at most.

PTM v2.3, step 3: a calendar day of a time zone, 24 hours from the first request, or until 24 hours pass without one.
A request exactly 24 hours later begins a new window.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.model.measurement import MeasureSettings

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_DAY: Final = 86_400_000_000  # microseconds: 24 hours, whatever clocks did


def order_by_window(passed: pl.DataFrame, settings: MeasureSettings) -> pl.DataFrame:
    """The rows by window and, in a window, as they came; `window` numbers the windows from 0 without a gap.

    Rows come in order of time; needs time, listener_key, agent, episode.
    """
    # Two halves as numbers group faster than sixteen bytes.
    key = pl.col("listener_key").bin
    halves = (key.head(8).bin.reinterpret(dtype=pl.UInt64), key.tail(8).bin.reinterpret(dtype=pl.UInt64))
    names = ["high", "low", "agent", "episode"]
    keyed = passed.select("agent", "episode", high=halves[0], low=halves[1])
    if settings.window == "calendar":
        keyed = keyed.with_columns(window_on=passed.select(local_day(settings)).to_series())
        names = ["window_on", *names]
    groups = _group(keyed, names)
    ordered = passed[groups["place"]]
    window = groups["window"].cast(pl.Int64).to_numpy()
    if settings.window != "calendar" and len(window):
        window = _split(window, ordered["time"].dt.epoch("us").to_numpy(), settings)
    return ordered.with_columns(window=pl.Series(window, dtype=pl.Int64))


def _group(keyed: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """`place`s by key and `window`, the number of the key.

    Most consumers ask once: what no other row may share a key with needs no grouping, and stands behind the rest.
    """
    places = keyed.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("place"), twin=_mixed(names)).with_columns(
        pl.col("twin").is_duplicated()
    )
    twins = keyed.filter(places["twin"]).hstack(places.filter("twin").select("place"))
    groups = twins.group_by(names, maintain_order=True).agg("place").select("place").with_row_index("window")
    single = places.filter(~pl.col("twin")).select("place").with_row_index("window", groups.height)
    # In one piece, as all that is ordered by it will be: else each later step would join the pieces again.
    return pl.concat([groups.explode("place").select("window", "place"), single], rechunk=True)


def _mixed(names: list[str]) -> pl.Expr:
    """A hash of the key; two keys may share one, which only makes them be looked at."""
    return pl.struct(names).hash()


def local_day(settings: MeasureSettings) -> pl.Expr:
    """The day of `time` in the settings' zone."""
    return pl.col("time").dt.convert_time_zone(settings.tz).dt.date()


def _split(key: Ints, time: Ints, settings: MeasureSettings) -> Ints:
    begins = np.concatenate(([True], key[1:] != key[:-1]))
    if settings.window == "last_touch":
        begins[1:] |= time[1:] - time[:-1] >= _DAY
    else:
        begins |= _first_touches(key, time, np.flatnonzero(begins))
    return np.cumsum(begins, dtype=np.int64) - 1


def _first_touches(key: Ints, time: Ints, heads: Ints) -> Flags:
    """True where a window begins 24 hours or more after the one before it did, for keys that last so long."""
    found = np.zeros(len(key), np.bool_)
    lengths = np.diff(np.append(heads, len(key)))
    lasts = heads + lengths - 1
    long = time[lasts] - time[heads] >= _DAY
    heads, lengths = heads[long], lengths[long]
    if not len(heads):
        return found
    rows = np.repeat(heads, lengths) + np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    following = _next_windows(key[rows], time[rows])
    # Every key advances by one window a round, until no key has another.
    current = np.cumsum(lengths) - lengths
    while len(current):
        following_now = following[current]
        current = following_now[following_now >= 0]
        found[rows[current]] = True
    return found


def _next_windows(key: Ints, time: Ints) -> Ints:
    """For each row the first row of its key that is 24 hours or more later, -1 where there is none."""
    distinct = np.unique(time)
    # Key and rank of the time in one ascending number: times as they are would not fit beside the key.
    width = len(distinct) + 1
    joined = key * width + np.searchsorted(distinct, time)
    wanted = key * width + np.searchsorted(distinct, time + _DAY)
    found = np.searchsorted(joined, wanted)
    inside = np.append(key, -1)[found] == key
    return np.where(inside, found, -1).astype(np.int64)
