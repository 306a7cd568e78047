"""`castline agents`: what user agents say they are, and the lists that tell it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from castline.cli.output import json_option, say, show_json, show_lines, show_table


@click.group()
def agents() -> None:
    """User agents: classify, and the lists that tell."""


@agents.command("classify")
@click.argument("path", default="-", metavar="[FILE|-]", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def classify(path: Path, as_json: bool) -> None:  # noqa: ARG001  # its answer is JSON with the option or without
    """Read one user agent per line and print one line of JSON for each, in order; needs no database."""
    from castline.base.config import load_settings
    from castline.measure.agents.classifier import open_classifier
    from castline.measure.agents.stream import classify_lines

    classifier = open_classifier(load_settings())
    with _open_input(path) as stream:
        show_lines(classify_lines(classifier, stream))


@agents.command("update")
@click.argument("source", required=False, metavar="[URL|FOLDER|ZIP]")
@json_option
def update(source: str | None, as_json: bool) -> None:
    """Load the published list of podcast user agents; it then stands before castline's own rules.

    By default from its public repository; else from another web address, or offline from a folder or a zip file with
    bots.json, apps.json, libraries.json, browsers.json and devices.json. Every entry is checked first.
    """
    from castline.base.config import load_settings
    from castline.measure.agents.upstream import PUBLISHED_URL, update_published_list

    facts = update_published_list(load_settings(), source or PUBLISHED_URL)
    if as_json:
        show_json({"version": facts.version, "origin": facts.origin, "entry_counts": facts.entry_counts})
        return
    counts = ", ".join(f"{count} {name}" for name, count in facts.entry_counts.items())
    say(f"in use from now on: {counts}; version {facts.version}")
    say("`castline measure run --from DAY` measures days again that were measured by the earlier list")


@agents.command("show")
@json_option
def show(as_json: bool) -> None:
    """Which lists are in use, of what date, and how many entries each has."""
    from castline.base.config import load_settings
    from castline.measure.agents.classifier import load_agent_sources

    rows = [
        {
            "list": source.name,
            "version": source.version,
            "origin": source.origin,
            "loaded_at": source.loaded_at,
            "entries": source.entry_count,
        }
        for source in load_agent_sources(load_settings())
    ]
    if as_json:
        show_json(rows)
        return
    show_table(rows, ["list", "version", "entries", "origin", "loaded_at"])


@agents.command("unknown")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="The first UTC day; default: 30 days ago.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="The last UTC day, included.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many to show.")
@json_option
def unknown(first: datetime | None, last: datetime | None, limit: int, as_json: bool) -> None:
    """The user agents that no rule names, by the requests they made: first those without a type."""
    from castline.base.clock import now
    from castline.base.period import Period
    from castline.cli.session import open_account
    from castline.measure.agents.review import load_unknown_agents

    period = None
    if first or last:
        end = (last or now()).date()
        period = Period.of_days(first.date() if first else end, end)
    with open_account() as acting:
        review = load_unknown_agents(acting.store, acting.owner_id, period, limit=limit)
    if as_json:
        show_json(review)
        return
    rows = [
        {"requests": agent.request_count, "type": agent.type, "name": agent.name, "user_agent": agent.user_agent[:500]}
        for agent in review.agents
    ]
    show_table(rows, ["requests", "type", "name", "user_agent"])
    say(f"of {review.request_count:,} requests {review.typed_count:,} have a type, {review.named_count:,} a rule")


@contextmanager
def _open_input(path: Path) -> Iterator[BinaryIO]:
    from castline.base.errors import SourceUnreadable

    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise SourceUnreadable(source=path, detail=error.strerror or str(error)) from error
    with stream:
        yield stream
