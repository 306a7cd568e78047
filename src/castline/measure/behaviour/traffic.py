"""The traffic of whole UTC days as behaviour is told by it: takes, what is usual, and the addresses that do much.

A take is what one consumer has of one episode on one UTC day, whatever the window of counting: so a day's verdict
depends on that day's requests alone, however many days or batches are judged together.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from castline.measure.behaviour.counts import Counts
from castline.measure.rules.table import IS_HLS, IS_PROBE, OK, Rulebook

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int32]
# An address with fewer requests on a day fits no rule of a single address.
BUSY_REQUESTS: Final = 20
# An address with fewer takes on a day is a household, by which the usual is told.
ORDINARY_TAKES: Final = 20
# An address with fewer takes on a day has no set of episodes.
SEVERAL_TAKES: Final = 3
ADDRESS: Final = ("day_on", "who")
CONSUMER: Final = ("day_on", "who", "agent")
_V4: Final = r"^((?:::ffff:)?[0-9]+\.[0-9]+\."
_V6: Final = r"^([0-9A-Fa-f]+:[0-9A-Fa-f]+:"
# Addresses near one another are of one network: a /24 (of IPv6 a /48), or more widely a /16 (a /32).
NEAR: Final = pl.coalesce(
    pl.col("ip").str.extract(_V4 + r"[0-9]+\.)"), pl.col("ip").str.extract(_V6 + "(?:[0-9A-Fa-f]+:)?)")
)
WIDE: Final = pl.coalesce(pl.col("ip").str.extract(_V4 + ")"), pl.col("ip").str.extract(_V6 + ")"))
_BUCKET_BITS: Final = 21
_COARSE_BITS: Final = 18
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE_OF: Final = np.uint64(63)
_DAY: Final = 86_400_000_000  # microseconds
_TOLD: Final = ("status", "range", "bytes_sent", "delivery", "needed_bytes", "needs_whole")
# What traffic is read from, where takes are not the windows of days.
TRAFFIC_COLUMNS: Final = ("row", "time", "listener_key", "agent", "episode", "asn", "ip", *_TOLD)
_FROM_START: Final = r"^\s*(?i:bytes)?\s*[= ]?\s*0+\s*-"


@dataclass(frozen=True, slots=True)
class Traffic:
    """`days`: the UTC day of each request, or the first of several that are judged as one.

    `takes`: one row per take with `take`, `place`, `day_on`, `who` (the address), `agent`, `episode`, `show`,
    `is_ordinary` and `is_several`, true at least where the address has SEVERAL_TAKES on the day. `visits`: of busy
    addresses the requests that begin anew, by address and time, with `take` and `at` (microseconds) and `requests`,
    those of the take. `take_of`: the take of each row of what was judged.
    """

    takes: pl.DataFrame
    visits: pl.DataFrame
    take_of: Ints
    ends: pl.DataFrame
    days: Days
    counts: Counts
    networks: "Networks"
    shows: npt.NDArray[np.uint32]

    def add_shows(self, episodes: pl.DataFrame) -> pl.DataFrame:
        """The episodes, however often each, with the number of their `show`."""
        return episodes.with_columns(show=pl.Series(self.shows[episodes["episode"].to_numpy()]))

    def find_times(self, takes: pl.DataFrame) -> pl.Series:
        """When each take began, in microseconds."""
        return self.ends["time"].to_physical().gather(takes["place"])

    def add_origins(self, takes: pl.DataFrame) -> pl.DataFrame:
        """The takes with the `ip` and `asn` that they came from."""
        return takes.hstack(self.ends.select("ip", "asn")[takes["place"]])

    def span_days(self) -> pl.DataFrame:
        """Per day the minutes from its first request to its last."""
        times = self.ends.select("time", day_on=pl.Series(self.days))
        spans = times.group_by("day_on").agg(pl.col("time").max() - pl.col("time").min())
        return spans.select("day_on", day_minutes=pl.col("time").dt.total_seconds() / 60)

    def usual_ranges(self, days: pl.DataFrame) -> pl.DataFrame:
        """Per day of `days` and text of a Range the share of households' takes that begin with it."""
        ordinary = self.takes.filter("is_ordinary").join(days.select("day_on").unique(), on="day_on", how="semi")
        shares = ordinary.hstack(self.ends.select("range")[ordinary["place"]]).group_by("day_on", "range").len()
        return shares.select("day_on", "range", usual_share=pl.col("len") / pl.col("len").sum().over("day_on"))


class Networks:
    """The networks of takes as numbers, told once for all who ask."""

    def __init__(self, ends: pl.DataFrame, takes: pl.DataFrame) -> None:
        self._ends, self._takes = ends, takes

    @cached_property
    def keys(self) -> npt.NDArray[np.uint64]:
        """A number for the network of each take, the same on the same day."""
        keys: npt.NDArray[np.uint64] = _hash_networks(self._ends).gather(self._takes["place"]).to_numpy()
        return keys ^ (self._takes["day_on"].to_numpy().astype(np.uint64) * _ODD)

    def find_large(self, least: float) -> Ints:
        """The places of the takes of all networks with so many, and of some others."""
        return np.flatnonzero(self._neighbours >= least)

    @cached_property
    def _neighbours(self) -> npt.NDArray[np.uint32]:
        # Most are of networks with few takes, which coarse buckets, quick to fill, tell as well as finer ones.
        network = (self.keys >> np.uint64(64 - _COARSE_BITS)).astype(np.int64)
        return np.bincount(network, minlength=1 << _COARSE_BITS).astype(np.uint32)[network]


def _hash_networks(ends: pl.DataFrame) -> pl.Series:
    """A number for the network of each row."""
    hashes = ends["ip"].hash()
    # What privacy has cut is a network already: to cut it out of each address costs thirty times as much.
    some = ends["ip"].gather(np.flatnonzero(hashes.to_numpy() & _ONE_OF == 0))
    if len(some) and some.str.contains("/", literal=True).all():
        return hashes
    return ends.select(NEAR).to_series().hash()


def read_traffic(ends: pl.DataFrame, shows: pl.DataFrame, book: Rulebook, *, is_one_day: bool = False) -> Traffic:
    """The traffic of requests as `judge_passed` gives them, without the networks that are vouched for.

    `shows`: (episode, show); episodes that are not there are all of one show. With `is_one_day` all days are one.
    """
    days = _find_days(ends["time"], is_one_day=is_one_day)
    take_of = ends["window"].to_numpy() if book.settings.is_utc_day and not is_one_day else _number_takes(ends, days)
    heads = np.zeros(ends.height, np.bool_)
    heads[_first_places(take_of) if _ascends(take_of) else np.unique(take_of, return_index=True)[1]] = True
    kept = ~ends.select(book.networks.exempt.holds()).to_series().to_numpy()
    columns = {
        "agent": ends["agent"],
        "episode": ends["episode"],
        "day_on": days,
        "who": ends["listener_key"].hash(),
        "take": take_of,
        "place": np.arange(ends.height, dtype=np.uint32),
    }
    told = pl.DataFrame(columns)
    chosen = heads & kept
    address = _mix(told["who"].to_numpy(), told["day_on"].to_numpy())
    counts = np.bincount(address if kept.all() else address[kept], minlength=1 << _BUCKET_BITS)
    busy = _much(told, kept, counts, address, BUSY_REQUESTS)
    # Without the requests that are no new take, they count takes.
    np.subtract.at(counts, address[kept & ~heads], 1)
    ordinary = ~_much(told, chosen, counts, address, ORDINARY_TAKES)
    several = (counts >= SEVERAL_TAKES)[address]
    takes = told.with_columns(is_ordinary=pl.Series(ordinary), is_several=pl.Series(several))
    takes = takes.filter(pl.Series(chosen))
    numbers = _number_shows(takes["episode"].to_numpy(), shows)
    takes = takes.with_columns(show=pl.Series(numbers[takes["episode"].to_numpy()]))
    return Traffic(
        takes, _visits(ends, told, busy, heads), take_of, ends, days, Counts(takes), Networks(ends, takes), numbers
    )


def _find_days(times: pl.Series, *, is_one_day: bool) -> Days:
    """The UTC day of each, or the first for all."""
    days: Days = (times.to_physical().to_numpy() // _DAY).astype(np.int32)
    return np.full_like(days, days.min()) if is_one_day and len(days) else days


def _number_takes(ends: pl.DataFrame, days: Days) -> Ints:
    """The take of each row."""
    keys = ends.select("listener_key", "agent", "episode", day_on=pl.Series(days))
    # Ranking numbers is many times quicker than ranking rows.
    return keys.select(pl.struct(pl.all()).hash().rank("dense")).to_series().cast(pl.Int64).to_numpy() - 1


def _number_shows(episode: npt.NDArray[np.int32], shows: pl.DataFrame) -> npt.NDArray[np.uint32]:
    """The show of each episode, by its number; 0 where none is known."""
    known = shows["episode"].to_numpy()
    numbers = np.zeros(int(max(episode.max(initial=0), known.max(initial=0))) + 1, np.uint32)
    numbers[known] = shows["show"].to_numpy()
    return numbers


def _ascends(take_of: Ints) -> bool:
    return bool((take_of[1:] >= take_of[:-1]).all())


def _first_places(take_of: Ints) -> Ints:
    return np.flatnonzero(np.concatenate(([True], take_of[1:] != take_of[:-1])))


def _mix(who: npt.NDArray[np.uint64], day: Days) -> Ints:
    """A bucket for each row, the same for the same address on the same day."""
    mixed = who ^ (day.astype(np.uint64) * _ODD)
    return (mixed >> np.uint64(64 - _BUCKET_BITS)).astype(np.int64)


def _much(told: pl.DataFrame, among: Flags, counts: Ints, address: Ints, least: int) -> Flags:
    """True for the rows `among` all of addresses that have so many of them on the day; `counts` by bucket tell most."""
    often = counts >= least
    if not often.any():
        return np.zeros(len(among), np.bool_)
    # Flags are gathered instead of counts: they are an eighth of the memory.
    places = np.flatnonzero(often[address] & among)
    exact = told.select(ADDRESS)[places].select(pl.len().over(ADDRESS) >= least).to_series()
    much = np.zeros(len(among), np.bool_)
    much[places[exact.to_numpy()]] = True
    return much


def _visits(ends: pl.DataFrame, told: pl.DataFrame, busy: Flags, heads: Flags) -> pl.DataFrame:
    """The requests that begin anew: whole answers and ranges from the start, and the first of each take."""
    take_of, places = told["take"].to_numpy(), np.flatnonzero(busy)
    requests = np.bincount(take_of, minlength=1)[take_of[places]] if len(places) else np.zeros(0, np.int64)
    # Few are busy: gathered by their places, the rest costs nothing.
    doing = told[places].with_columns(is_head=pl.Series(heads[places]), requests=pl.Series(requests))
    doing = doing.hstack(ends.select("row", "time", *_TOLD)[places]).with_columns(at=pl.col("time").dt.epoch("us"))
    doing = doing.drop("time")
    whole = (pl.col("status") == OK).fill_null(value=False) & ~IS_HLS
    anew = pl.col("range").str.contains(_FROM_START).fill_null(value=False) & ~IS_PROBE & ~IS_HLS
    return doing.filter(pl.col("is_head") | whole | anew).sort("day_on", "who", "at", "row")
