"""Days judged together with what shares their windows on other days, exactly as if everything were judged at once.

What behaves as no people do is told of each UTC day from the whole of its requests. So where windows reach over days,
every day that takes part is first looked at whole, and then windows are judged of what stays.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final
from uuid import UUID

import polars as pl

from castline.measure.behaviour.suspects import BEHAVIOURS
from castline.measure.judge import OUTCOMES, Judged, judge
from castline.measure.landed_days import LandedDays
from castline.measure.neighbours import load_context
from castline.measure.rules.matching import EpisodeIndex
from castline.measure.rules.table import Rulebook
from castline.model.lineage import Batch
from castline.store.listening.downloads import load_dirty_days
from castline.store.pool import Connection
from castline.store.provenance.measure_settings import load_day_versions

_BEHAVIOURAL: Final = [
    number for number, outcome in enumerate(OUTCOMES) if outcome[1] in {rule.reason for rule in BEHAVIOURS}
]
_PLACE: Final = ("batch", "line_number")
_DAYS_KEPT: Final = 400
# Who was suspect on a day as a run measured it stays so: the worker measures today again and again.
_known_suspects: OrderedDict[tuple[UUID, date], dict[UUID, list[int]]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Sources:
    """Where requests come from, and what they are matched with."""

    connection: Connection
    owner_id: UUID
    landed: LandedDays
    index: EpisodeIndex


def judge_days(
    sources: Sources, days: Sequence[date], book: Rulebook, ads: pl.DataFrame | None = None
) -> tuple[Judged, list[Batch]]:
    """What became of the days' requests, and of those of other days that share a window with them; and the batches.

    Of the other days it tells what their windows with these days need, and no more.
    """
    own = sources.landed.load(days)
    if book.settings.is_utc_day:
        requests, batches = sources.landed.in_order(own)
        return judge(requests, sources.index, book, ads), batches
    beside = load_context(own, days, sources.landed.load_listeners, sources.index, [book])
    if not book.settings.drop_behaviour:
        requests, batches = sources.landed.in_order(pl.concat([own, beside]))
        return judge(requests, sources.index, book, ads), batches
    return _judge_people(sources, (own, beside), book, ads)


def is_behavioural() -> pl.Expr:
    """True for requests that were dropped for their behaviour."""
    return pl.col("outcome").is_in(_BEHAVIOURAL)


def _judge_people(
    sources: Sources, parts: tuple[pl.DataFrame, pl.DataFrame], book: Rulebook, ads: pl.DataFrame | None
) -> tuple[Judged, list[Batch]]:
    own, beside = parts
    requests, batches = sources.landed.in_order(pl.concat([own, without_suspects(sources, beside, book)]))
    mine, _ = sources.landed.in_order(own)
    by_day = judge(mine, sources.index, by_whole_days(book))
    taken = by_day.requests.filter(is_behavioural())
    stay = requests.join(taken.select(_PLACE), on=_PLACE, how="anti", maintain_order="left")
    judged = judge(stay, sources.index, without_behaviour(book), ads)
    dropped = _renumbered(taken, by_day.agents, judged.agents).with_columns(drop="outcome")
    both = pl.concat([judged.requests, dropped.select(judged.requests.columns)])
    return replace(judged, requests=both, evidence=by_day.evidence), batches


def _renumbered(rows: pl.DataFrame, agents: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The rows with the numbers that `others` gives their agents, and numbers beyond where it knows them not."""
    known = agents.select("agent", "user_agent").join(
        others.select("user_agent", other="agent"), on="user_agent", how="left"
    )
    numbers = known.select("agent", other=pl.coalesce("other", pl.col("agent") + others.height).cast(pl.UInt32))
    return rows.join(numbers, on="agent", how="left", maintain_order="left").with_columns(agent="other").drop("other")


def without_behaviour(book: Rulebook) -> Rulebook:
    """The book for requests of which those that behave as no people do are gone already."""
    return replace(book, settings=replace(book.settings, drop_behaviour=False))


def by_whole_days(book: Rulebook) -> Rulebook:
    """The book with windows of UTC days: behaviour is the same under any window."""
    plain = replace(book.settings, window="calendar", tz="UTC", max_downloads_per_ip_window=None)
    return replace(book, settings=plain)


def find_suspects(requests: pl.DataFrame, index: EpisodeIndex, book: Rulebook) -> pl.DataFrame:
    """The place (batch, line_number) and the outcome of what behaves as no people do, of whole UTC days."""
    if not book.settings.drop_behaviour:
        return requests.select(*_PLACE, outcome=pl.lit(0, pl.UInt8)).clear()
    judged = judge(requests, index, by_whole_days(book)).requests
    return judged.filter(is_behavioural()).select(*_PLACE, "outcome")


def without_suspects(sources: Sources, beside: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """The requests of other days without those that their whole days show to be suspect."""
    if beside.is_empty() or not book.settings.drop_behaviour:
        return beside
    suspects = _find_suspects(sources, beside["time"].dt.date().unique().sort().to_list(), book)
    return beside.join(suspects, on=_PLACE, how="anti", maintain_order="left")


def _find_suspects(sources: Sources, days: Sequence[date], book: Rulebook) -> pl.DataFrame:
    """The places of the days' suspect requests; what a run found of a day that stands as it was is not sought again."""
    waiting = {item.day_on for item in load_dirty_days(sources.connection, sources.owner_id)}
    stands = {
        item.day_on: item.run_id
        for item in load_day_versions(sources.connection, sources.owner_id, days=days)
        if item.day_on not in waiting and book.versions.items() <= item.rule_versions.items()
    }
    found = [pl.DataFrame(schema={"batch": pl.UInt32, "line_number": pl.UInt32})]
    for day in days:
        run_id = stands.get(day)
        lines = None if run_id is None else _known_suspects.get((run_id, day))
        if lines is None:
            lines = _suspects_of(sources, day, book)
        if run_id is not None:
            _remember((run_id, day), lines)
        found += [sources.landed.places(batch_id, numbers) for batch_id, numbers in lines.items()]
    return pl.concat(found)


def _suspects_of(sources: Sources, day: date, book: Rulebook) -> dict[UUID, list[int]]:
    requests, batches = sources.landed.in_order(sources.landed.load([day]))
    found = find_suspects(requests, sources.index, book)
    lines = found.group_by("batch").agg("line_number")
    return {batches[batch].batch_id: numbers for batch, numbers in lines.iter_rows()}


def _remember(key: tuple[UUID, date], lines: dict[UUID, list[int]]) -> None:
    _known_suspects[key] = lines
    _known_suspects.move_to_end(key)
    while len(_known_suspects) > _DAYS_KEPT:
        _known_suspects.popitem(last=False)
