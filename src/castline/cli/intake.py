"""castline intake: the redirect prefix and what players tell, answered from a log."""

import sys
import threading
import time
from contextlib import ExitStack
from typing import Final

import click

from castline.base.config import load_settings
from castline.cli.output import json_option, say, show_json, show_table

PORT: Final = 8322
DURABILITY: Final = click.Choice(["strict", "relaxed"])
_CONNECTIONS: Final = 2
_DRAIN_SECONDS: Final = 30.0  # how long a drain that somebody asked for waits for one at work
_AGAIN_SECONDS: Final = 0.2


@click.group(invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option(
    "--durability",
    type=DURABILITY,
    default="relaxed",
    show_default=True,
    help="strict: on the disk before the answer. relaxed: in the file before the answer, on the disk within 10 ms.",
)
@click.option("--drain/--no-drain", default=True, help="Land what came in; without, a `castline serve` here does it.")
@click.pass_context
def intake(ctx: click.Context, host: str, port: int, durability: str, drain: bool) -> None:
    """Answer the redirect prefix and players' events until it is stopped; no database is needed for an answer."""
    if ctx.invoked_subcommand is not None:
        return
    from castline.intake.run import drain_beside, run_intake
    from castline.intake.server import IntakeOptions
    from castline.store.pool import open_store
    from castline.web.listen import bind, page_address

    settings = load_settings()
    options = IntakeOptions("strict" if durability == "strict" else "relaxed", settings.trusted_proxies)
    with ExitStack() as stack:
        if drain:
            stack.enter_context(drain_beside(lambda: open_store(settings, connection_count=_CONNECTIONS)))
        with bind(host, port) as sock:
            say(f"castline takes in at {page_address(sock)} ({durability}; Ctrl+C stops it)")
            run_intake(settings.data_dir, sock, threading.Event(), options)


@intake.command()
@json_option
def drain(as_json: bool) -> None:
    """Land what the intake has taken so far, with all that could not be landed before; exit code 1 where some waits."""
    from castline.base.errors import EXIT_FAILURE
    from castline.intake.drain import drain_intake
    from castline.store.pool import open_store

    with open_store(load_settings()) as store:
        until = time.monotonic() + _DRAIN_SECONDS
        drained = drain_intake(store, is_asked=True)
        while drained.is_elsewhere and time.monotonic() < until:
            time.sleep(_AGAIN_SECONDS)
            drained = drain_intake(store, is_asked=True)
    if as_json:
        show_json(drained)
    elif drained.is_elsewhere:
        say("Another process lands what came in, and has not come to its end; try again.")
    else:
        say(
            f"{drained.segment_count} segments: {drained.request_count} requests, {drained.event_count} player events"
            f" and {drained.hit_count} pixel hits landed, {drained.unclaimed_count} belong to no account or were too"
            f" many, {drained.failed_count} files wait (`castline intake waiting`)."
        )
    if drained.failed_count or drained.is_elsewhere:
        sys.exit(EXIT_FAILURE)


@intake.command()
@json_option
def waiting(as_json: bool) -> None:
    """List what could not be landed: since when, how often it was tried, why, and what helps."""
    from castline.intake.trouble import load_waiting

    rows = load_waiting(load_settings().data_dir)
    if as_json:
        show_json(rows)
        return
    told = [
        {"file": row.path, "bytes": row.bytes, "since": row.trouble.since, "tries": row.trouble.try_count,
         "why": row.trouble.detail, "fix": row.trouble.fix}
        for row in rows
    ]  # fmt: skip
    show_table(told, ["file", "bytes", "since", "tries", "why", "fix"])


@intake.command()
@json_option
def unclaimed(as_json: bool) -> None:
    """List what came in the last 90 days that no account has an episode or campaign for, or that was too much."""
    from castline.intake.drain import load_unclaimed

    rows = load_unclaimed(load_settings().data_dir)
    if as_json:
        show_json(rows)
        return
    told = [{"kind": row.kind, "address": row.name, "times": row.count, "last_on": row.last_on} for row in rows]
    show_table(told, ["kind", "address", "times", "last_on"])
