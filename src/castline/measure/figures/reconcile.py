"""Two counts of the same traffic side by side: where they differ, by how much, and which rule explains it.

Pure: series in, differences out. Method: docs/method/reconciliation.md
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from typing import Final

# Two vendors on the same days and shows should agree within this (PTM v2.3, step 5).
FLAGGED_ABOVE_RATE: Final = 0.05
# An explanation may leave so much of their count over.
_RESIDUE_RATE: Final = 0.01
_MOST_RULES: Final = 3
# Their day may begin so many hours before or after ours: every time zone, and a label that is a day off.
_FARTHEST_HOURS: Final = 26
# A few downloads fit any explanation.
_FEWEST: Final = 100
# Rule -> the reasons of the waterfall whose requests a count without that rule would hold.
RULES: Final[dict[str, tuple[str, ...]]] = {
    "window": ("same_window", "same_request"),
    "threshold": ("under_one_minute", "under_whole_file", "size_unknown", "bytes_unknown"),
    "bots": ("bot", "empty_agent", "false_agent"),
    "data_centres": ("data_centre",),
    "watch_duplicates": ("watch_duplicate",),
    "probes": ("two_byte_probe",),
    "method_and_status": ("method", "status"),
    "preload_pages": ("preload_page",),
    "address_ceiling": ("address_ceiling",),
    "behaviour": ("sweep", "metronome", "scripted_range", "agent_rotation", "farm", "burst"),
}
Days = Mapping[date, int]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What both sides say of one show or episode.

    `ours` has every measured day. `hours` are our downloads by UTC hour, and `uncounted` requests by rule and day:
    both may be empty, then they explain nothing.
    """

    name: str
    theirs: Days
    ours: Days
    hours: Mapping[datetime, int] = field(default_factory=dict)
    uncounted: Mapping[str, Days] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What makes our count theirs: rules that they do not apply, or days that begin `shift_hours` before ours.

    `residue_rate` is what it leaves over, day by day, as a share of their count.
    """

    rules: tuple[str, ...]
    shift_hours: int
    residue_rate: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One comparison. `difference_rate` is (theirs - ours) / ours, None where ours is zero and theirs is not."""

    ours: int
    theirs: int
    difference_rate: float | None
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class DayDifference:
    """One day of a reconciliation; None where that day was not measured here."""

    day_on: date
    theirs: int
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Two counts of one show or episode, over the days that both have, and day by day."""

    name: str
    whole: Difference
    explanation: Explanation | None
    days: tuple[DayDifference, ...]

    @property
    def is_flagged(self) -> bool:
        return self.whole.is_flagged or any(day.difference.is_flagged for day in self.days if day.difference)


def reconcile(traffic: Traffic) -> Reconciliation:
    """The differences of every day that they tell of; explained where a rule or a shift of days makes them vanish."""
    days = tuple(
        DayDifference(day, count, _compare(traffic.ours[day], count) if day in traffic.ours else None)
        for day, count in sorted(traffic.theirs.items())
    )
    both = [day for day in traffic.theirs if day in traffic.ours]
    whole = _compare(sum(traffic.ours[day] for day in both), sum(traffic.theirs[day] for day in both))
    return Reconciliation(traffic.name, whole, _explain(traffic, sorted(both)), days)


def _compare(ours: int, theirs: int) -> Difference:
    rate = (theirs - ours) / ours if ours else (None if theirs else 0.0)
    return Difference(ours, theirs, rate, rate is None or abs(rate) > FLAGGED_ABOVE_RATE)


def _explain(traffic: Traffic, days: Sequence[date]) -> Explanation | None:
    """The simplest that leaves next to nothing over; None where nothing differs or nothing explains it."""
    theirs = sum(traffic.theirs[day] for day in days)
    found = sum(abs(traffic.theirs[day] - traffic.ours[day]) for day in days)
    if theirs < _FEWEST or found <= theirs * _RESIDUE_RATE:
        return None
    for candidates in (_iter_shifts(traffic, days), *(_iter_rules(traffic, days, size) for size in _sizes())):
        best = min(candidates, key=lambda item: (item.residue_rate, abs(item.shift_hours)), default=None)
        if best and best.residue_rate <= _RESIDUE_RATE:
            return best
    return None


def _sizes() -> range:
    return range(1, _MOST_RULES + 1)


def _iter_rules(traffic: Traffic, days: Sequence[date], size: int) -> Iterator[Explanation]:
    known = [rule for rule in RULES if any(traffic.uncounted.get(rule, {}).get(day) for day in days)]
    for rules in combinations(known, size):
        guess = {day: traffic.ours[day] + sum(traffic.uncounted[rule].get(day, 0) for rule in rules) for day in days}
        yield Explanation(rules, 0, _residue(traffic.theirs, guess))


def _iter_shifts(traffic: Traffic, days: Sequence[date]) -> Iterator[Explanation]:
    if not traffic.hours:
        return
    for shift in range(-_FARTHEST_HOURS, _FARTHEST_HOURS + 1):
        if shift:
            guess = {day: _count_day(traffic.hours, day, shift) for day in days}
            yield Explanation((), shift, _residue(traffic.theirs, guess))


def _count_day(hours: Mapping[datetime, int], day: date, shift: int) -> int:
    first = datetime.combine(day, time(), UTC) - timedelta(hours=shift)
    return sum(hours.get(first + timedelta(hours=number), 0) for number in range(24))


def _residue(theirs: Days, guess: Days) -> float:
    """Day by day, for what is too many on one day must not make up for what is too few on another."""
    return sum(abs(theirs[day] - count) for day, count in guess.items()) / sum(theirs[day] for day in guess)
