"""What days must be judged with: windows do not end where UTC days do, so neighbouring days' requests belong to them.

Requests of one consumer for one episode hang together while fewer than 24 hours pass between them, or while they lie on
one day of the settings' zone. Every window is a part of such a chain, so days are judged exactly together with the
chains that touch them, and what lies on other days changes only within those chains. Of neighbouring days only the
listeners with such a chain are loaded, day by day, until no chain is open.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

import polars as pl

from castline.base.period import start_of_day
from castline.measure.agents.table import describe_agents
from castline.measure.judge import OUTCOMES, Judged
from castline.measure.rules.matching import EpisodeIndex
from castline.measure.rules.table import RULES, Rulebook, add_drop_reason
from castline.measure.rules.windows import local_day, order_by_window
from castline.model.measurement import MeasureSettings

_ONE: Final = timedelta(days=1)
_WINDOW: Final = timedelta(hours=24)
# A ceiling holds for a day of the zone, and the longest such day has 25 hours.
_CEILING_REACH: Final = timedelta(hours=25)
_CEILING_DAYS: Final = 2
_COUNTS: Final = [number for number, (verdict, _) in enumerate(OUTCOMES) if verdict == "counted"]
# (day, listeners) -> their landed requests of the day; none where the day's are not all there any more.
LoadDay = Callable[[date, pl.Series], pl.DataFrame]


def load_context(
    own: pl.DataFrame, days: Sequence[date], load: LoadDay, index: EpisodeIndex, books: Sequence[Rulebook]
) -> pl.DataFrame:
    """The requests of other days that hang together with `own`, the requests of `days`, under any of the books."""
    books = [book for book in books if not book.settings.is_utc_day]
    if not books or own.is_empty():
        return own.clear()
    found = _Context(set(days), load, index)
    for book in books:
        found.extend(own, book)
    return pl.concat([own.clear(), *found.rows.values()])


def keep_days(judged: Judged, days: Iterable[date]) -> Judged:
    """What became of the days' own requests, and the downloads that bear a time of these days."""
    is_own = pl.col("day_on").is_in(list(days))
    if judged.requests.select(is_own.all()).item():
        return judged
    downloads = judged.downloads.with_row_index("download").filter(is_own)
    places = downloads.select("download").with_row_index("place")
    deliveries = judged.deliveries
    if not deliveries.is_empty():
        of_kept = deliveries.join(places, on="download", how="inner", maintain_order="left")
        deliveries = of_kept.with_columns(download="place").select(deliveries.columns)
    return replace(
        judged, requests=judged.requests.filter(is_own), downloads=downloads.drop("download"), deliveries=deliveries
    )


def find_affected_days(judged: Judged, days: Iterable[date], settings: MeasureSettings) -> set[date]:
    """Other days whose verdicts or downloads may be others than before, now that the requests of `days` are.

    Whatever comes later in a chain may fall into another window, and a window that is completed only now bears the time
    of its first request. What is dropped for its behaviour may have been in a window before.
    """
    if settings.is_utc_day:
        return set()
    is_own = pl.col("day_on").is_in(list(days))
    requests = judged.requests.sort("time", maintain_order=True).select(
        "time", "listener_key", "agent", "episode", "day_on", "outcome", "drop", is_own=is_own
    )
    passed = requests.filter(pl.col("drop").is_null())
    # The filter's numbers come first; what follows is behaviour.
    told = requests.filter(pl.col("drop").is_null() | (pl.col("drop") >= len(RULES)))
    found = _find_affected(judged, passed, settings)
    return found if told.height == passed.height else found | _find_affected(judged, told, settings)


def _find_affected(judged: Judged, known: pl.DataFrame, settings: MeasureSettings) -> set[date]:
    group = ["listener_key"] if settings.max_downloads_per_ip_window else ["listener_key", "agent", "episode"]
    other = known.filter(~pl.col("is_own")).select(group).unique()
    known = known.join(other, on=group, how="semi", maintain_order="left")
    if known.is_empty():
        return set()
    chained = order_by_window(known, settings).sort([*group, "time"], maintain_order=True)
    chained = chained.with_columns(chain=_chains(group, settings), zone_day=local_day(settings))
    chained = chained.with_columns(
        first_own=pl.col("time").filter("is_own").min().over("chain"),
        first_own_day=pl.col("zone_day").filter("is_own").min().over("chain"),
    )
    changed = _under_ceiling() if settings.max_downloads_per_ip_window else _from_first_own(judged)
    return set(chained.filter(~pl.col("is_own") & changed)["day_on"].unique())


def _chains(group: Sequence[str], settings: MeasureSettings) -> pl.Expr:
    """A number for each chain; the rows are in order of the group and of time."""
    begins = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in group)
    if settings.window == "calendar":
        day = local_day(settings)
        apart = day.ne_missing(day.shift(1))
    else:
        apart = pl.col("time").diff() >= (_CEILING_REACH if settings.max_downloads_per_ip_window else _WINDOW)
    return (begins | apart.fill_null(value=True)).cum_sum()


def _from_first_own(judged: Judged) -> pl.Expr:
    """True for what follows the first own row of its chain, and for windows that are completed there or later.

    Which ads a download brought is told by its whole window.
    """
    first = pl.col("time").filter("is_own").min().over("window")
    completed = pl.col("time").filter(pl.col("outcome").is_in(_COUNTS)).min().over("window")
    is_open = pl.lit(value=True) if judged.deliveries.height else completed >= first
    return (pl.col("time") > pl.col("first_own")) | (first.is_not_null() & is_open)


def _under_ceiling() -> pl.Expr:
    """True for the windows of a listener that reach the zone's day of the first own row of their chain, or beyond."""
    return (pl.col("zone_day") >= pl.col("first_own_day")).any().over("window")


class _Context:
    """Rows of neighbouring days, each at most once, found by going from day to day."""

    def __init__(self, own_days: set[date], load: LoadDay, index: EpisodeIndex) -> None:
        self._own_days, self._load, self._index = own_days, load, index
        self._listeners: dict[date, pl.Series] = {}
        self.rows: dict[date, pl.DataFrame] = {}

    def extend(self, own: pl.DataFrame, book: Rulebook) -> None:
        """The rows that hang together with `own` under the book are among `rows`."""
        touches = _touch(own, self._index, book)
        # Forward first: under a ceiling the days that follow bring listeners' other chains, which begin before.
        seeds = {day: touches.filter(pl.col("day_on") == day) for day in self._own_days}
        self._sweep(seeds, _ONE, book)
        self._sweep(seeds, -_ONE, book)

    def _sweep(self, seeds: dict[date, pl.DataFrame], step: timedelta, book: Rulebook) -> None:
        """Each day beside one with open chains has what continues them; `seeds` holds the open chains of each day."""
        waiting = dict(seeds)
        whole = dict.fromkeys(seeds, _CEILING_DAYS) if book.settings.max_downloads_per_ip_window else {}
        while waiting:
            day = (min if step > timedelta(0) else max)(waiting)
            near, beside = waiting.pop(day), day + step
            if beside in self._own_days or near.is_empty():
                continue
            by_listener = bool(whole) and (step > timedelta(0) or whole.get(day, 0) > 0)
            found = self._continue(near, beside, book, by_listener=by_listener)
            if by_listener and step < timedelta(0):
                whole[beside] = max(whole.get(day, 0) - 1, whole.get(beside, 0))
            if not found.is_empty():
                both = [found, *(seeds[beside] for _ in (0,) if beside in seeds)]
                waiting[beside] = seeds[beside] = pl.concat(both).unique(["day_on", "key"])

    def _continue(self, near: pl.DataFrame, day: date, book: Rulebook, *, by_listener: bool) -> pl.DataFrame:
        """The chains of `near` that have requests on the day beside; chains of listeners where a ceiling joins them."""
        near = near.filter(_is_open(book.settings, day))
        touches = _touch(self._rows_of(day, near["listener_key"]), self._index, book)
        key = "listener_key" if by_listener else "key"
        spans = [pl.col("first").min(), pl.col("last").max()]
        joined = touches.group_by(key).agg(spans).join(near.group_by(key).agg(spans), on=key, suffix="_near")
        return touches.join(joined.filter(_hangs_together(book.settings)), on=key, how="semi")

    def _rows_of(self, day: date, listeners: pl.Series) -> pl.DataFrame:
        """What is loaded of the day, with all rows of the listeners."""
        known = self._listeners.get(day, listeners.clear())
        asked = listeners.unique()
        missing = asked.filter(~asked.is_in(known.implode()))
        if day not in self.rows or len(missing):
            loaded = self._load(day, missing)
            self.rows[day] = pl.concat([self.rows[day], loaded]) if day in self.rows else loaded
            self._listeners[day] = pl.concat([known, missing])
        return self.rows[day]


def _touch(requests: pl.DataFrame, index: EpisodeIndex, book: Rulebook) -> pl.DataFrame:
    """One row per UTC day and key (listener, user agent, episode) that passed the filter: its first and last time."""
    agents, flags = describe_agents(requests["user_agent"], book.classifier)
    flags = flags.join(agents.select("agent", agent_hash=pl.col("user_agent").hash()), on="agent")
    known = requests.join(flags, on="user_agent", how="left", nulls_equal=True)
    known = index.match(known.with_columns(day_on=pl.col("time").dt.date()))
    passed = add_drop_reason(known, book).filter(pl.col("drop").is_null())
    # Two keys of one hash would only make a chain longer than it need be.
    key = pl.struct("listener_key", "agent_hash", "episode").hash()
    return passed.group_by("day_on", "listener_key", key.alias("key")).agg(
        first=pl.col("time").min(), last=pl.col("time").max()
    )


def _is_open(settings: MeasureSettings, beside: date) -> pl.Expr:
    """False for what cannot hang together with any request of the day beside."""
    if settings.window != "calendar":
        return pl.lit(value=True)
    is_before = pl.col("day_on") < beside
    begins, ends = start_of_day(beside), start_of_day(beside + _ONE) - timedelta(microseconds=1)
    near = pl.when(is_before).then("last").otherwise("first")
    far = pl.when(is_before).then(pl.lit(begins)).otherwise(pl.lit(ends))
    return _zone_day(near, settings) == _zone_day(far, settings)


def _hangs_together(settings: MeasureSettings) -> pl.Expr:
    """True where nothing parts the rows from those near them, which lie on another UTC day."""
    is_after = pl.col("first") > pl.col("last_near")
    early = pl.when(is_after).then("last_near").otherwise("last")
    late = pl.when(is_after).then("first").otherwise("first_near")
    if settings.window == "calendar":
        return _zone_day(early, settings) == _zone_day(late, settings)
    return late - early < (_CEILING_REACH if settings.max_downloads_per_ip_window else _WINDOW)


def _zone_day(time: pl.Expr, settings: MeasureSettings) -> pl.Expr:
    return time.dt.convert_time_zone(settings.tz).dt.date()
