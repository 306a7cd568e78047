"""`castline measure`: requests to downloads, by the rules."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from castline.base.errors import EXIT_FAILURE
from castline.base.period import Period
from castline.base.text import count_noun
from castline.cli.days import first_day, last_day
from castline.cli.measure.audit import audit
from castline.cli.measure.figures import FIGURES
from castline.cli.measure.settings import COUNTING
from castline.cli.measure.suspects import suspects
from castline.cli.output import json_option, say, show_json, show_lines, show_progress, show_table
from castline.cli.signals import interruptible
from castline.model.listening import VerdictCount
from castline.model.measurement import WINDOWS, Delivery, Window

if TYPE_CHECKING:
    from castline.sources.logs.file import LogFile

_BROKEN_SHOWN: Final = 20
_BLOCK_BYTES: Final = 2 * 1024 * 1024  # larger blocks are no faster, and each stands in memory several times


@click.group()
def measure() -> None:
    """Requests to downloads, by the rules."""


for _command in (*FIGURES, *COUNTING, audit, suspects):
    measure.add_command(_command)


@measure.command("run")
@first_day
@last_day
@json_option
def run(first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """Measure the days whose requests changed; with --from or --to every day of that time that has requests."""
    from castline.cli.session import open_account
    from castline.measure.run import measure as measure_days
    from castline.store.listening.downloads import load_measured_batches, load_refused

    with open_account() as acting:
        result = measure_days(acting.store, acting.owner_id, period=_period(first, last), report=_reporter())
        with acting.store.account(acting.owner_id) as connection:
            batch_ids = load_measured_batches(connection, acting.owner_id, result.days)
            refused = load_refused(connection, acting.owner_id, batch_ids=batch_ids)
    if as_json:
        show_json(result)
        return
    if result.skipped_days:
        kept = count_noun(len(result.skipped_days), "day stays as it is", "days stay as they are")
        say(f"{kept}: part of the requests has passed its retention")
    if not result.days:
        say("nothing to measure: no day has requests that were not measured yet")
        return
    say(f"measured {count_noun(len(result.days), 'UTC day')}, {result.days[0]} to {result.days[-1]}")
    # A line that is no request has no time that could be trusted, so a period knows nothing of it.
    _show_steps(refused if first is last is None else [], result.waterfall)


@measure.command("waterfall")
@first_day
@last_day
@json_option
def waterfall(first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """Where every line went: received, refused, dropped by reason, counted."""
    from castline.cli.session import open_account
    from castline.store.listening.downloads import load_refused, load_waterfall

    period = _period(first, last)
    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        steps = in_filter_order(load_waterfall(connection, acting.owner_id, period))
        # A line that is no request has no time that could be trusted, so a period knows nothing of it.
        refused = load_refused(connection, acting.owner_id) if period is None else []
    if as_json:
        total = sum(row.request_count for row in (*refused, *steps))
        show_json({"received_count": total, "refused": refused, "judged": steps})
        return
    _show_steps(refused, steps)


@measure.command("unmatched")
@first_day
@last_day
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many addresses to show."
)
@json_option
def unmatched(first: datetime | None, last: datetime | None, limit: int, as_json: bool) -> None:
    """The addresses that were asked for and are no episode's, the most asked first."""
    from castline.cli.session import open_account
    from castline.measure.run import load_unmatched

    with open_account() as acting:
        found = load_unmatched(acting.store, acting.owner_id, _period(first, last), limit=limit)
    if as_json:
        show_json(found)
        return
    rows = [{"requests": item.request_count, "host": item.host, "path": item.path} for item in found]
    show_table(rows, ["requests", "host", "path"])


@measure.command("count")
@click.option("--input", "source", default="-", show_default=True, help="One JSON object a line, - for stdin.")
@click.option(
    "--window",
    type=click.Choice(WINDOWS),
    default="calendar",
    show_default=True,
    help="The time in which a listener counts once for an episode.",
)
@click.option("--tz", default="UTC", show_default=True, help="The time zone of calendar days.")
@click.option(
    "--mode",
    type=click.Choice(["file", "prefix"]),
    default="file",
    show_default=True,
    help="What answered: the file, or a prefix that redirects.",
)
@click.option("--behaviour/--no-behaviour", default=True, show_default=True, help="Drop what behaves as no people do.")
@json_option
def count(  # noqa: PLR0917  # one option each
    source: str, window: Window, tz: str, mode: Delivery, behaviour: bool, as_json: bool
) -> int:
    """Judge a file of requests, plain, gzip or zstd, without a store: a verdict for each, in the order of the lines.

    Lines that cannot be read are dropped and told on stderr; exit code 1 if the file breaks off.
    """
    from castline.base.config import load_settings
    from castline.measure.count import count_requests
    from castline.measure.rules.table import open_rulebook
    from castline.model.measurement import MeasureSettings
    from castline.sources.logs.file import BLOCK_BYTES, LogFile

    installation = load_settings()
    book = open_rulebook(installation, MeasureSettings(window=window, tz=tz, drop_behaviour=behaviour))
    path, stream = (Path("stdin"), sys.stdin.buffer) if source == "-" else (Path(source), None)
    file = LogFile(path, block_bytes=_BLOCK_BYTES, longest_line=BLOCK_BYTES, stream=stream, unwraps=False)
    with interruptible():
        found = count_requests(_iter_lines(file), book, installation, mode)
    if file.problem:
        say(f"{file.path}: {file.problem}")
    code = EXIT_FAILURE if file.problem else 0
    for line in found.broken[:_BROKEN_SHOWN]:
        say(f"line {line.line_number}: {line.reason}: {line.detail}")
    if found.broken:
        say(f"{count_noun(len(found.broken), 'line')} cannot be judged")
    if as_json:
        show_lines(found.iter_json())
        return code
    ends = Counter((item.verdict, item.reason) for item in found.iter_verdicts())
    _show_steps([], [VerdictCount(verdict, reason, number) for (verdict, reason), number in sorted(ends.items())])
    return code


def _iter_lines(file: "LogFile") -> Iterator[bytes]:
    """The lines of a file, plain, gzip or zstd."""
    for block in file.iter_lines():
        yield from block.text.removesuffix(b"\n").split(b"\n")


def _period(first: datetime | None, last: datetime | None) -> Period | None:
    from castline.base.clock import now

    if first is None and last is None:
        return None
    end = last.date() if last else now().date()
    return Period.of_days(first.date() if first else datetime(1970, 1, 1).date(), end)  # noqa: DTZ001  # a bare date


def in_filter_order(judged: Sequence[VerdictCount]) -> list[VerdictCount]:
    """The ends of requests in the order in which the filter asks, down to what is counted."""
    from castline.measure.judge import OUTCOMES

    verdicts = ("dropped", "partial", "duplicate", "counted")
    places: dict[tuple[str, str], int] = {outcome: place for place, outcome in enumerate(OUTCOMES)}

    def rank(row: VerdictCount) -> tuple[int, int, str]:
        # A reason that this castline no longer gives may be in the store: it comes behind the others of its verdict.
        return verdicts.index(row.verdict), places.get((row.verdict, row.reason), len(places)), row.reason

    return sorted(judged, key=rank)


def _show_steps(refused: Sequence[VerdictCount], judged: Sequence[VerdictCount]) -> None:
    steps = [("refused", row.reason, row.request_count) for row in refused]
    steps += [(str(row.verdict), row.reason, row.request_count) for row in in_filter_order(judged)]
    rows = [{"step": "received", "reason": "", "requests": sum(count for _, _, count in steps)}]
    rows += [{"step": step, "reason": reason, "requests": count} for step, reason, count in steps]
    show_table(rows, ["step", "reason", "requests"])


def _reporter() -> Callable[[int, int], None] | None:
    """Tells a terminal how many requests are judged."""
    if not sys.stderr.isatty():
        return None
    return lambda done, total: show_progress(f"{done:,} of {total:,} requests")
