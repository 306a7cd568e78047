"""castline intake: the redirect prefix and what players tell, answered from a log."""

import threading
from contextlib import ExitStack
from typing import Final

import click

from castline.base.config import load_settings
from castline.cli.output import json_option, say, show_json, show_table

PORT: Final = 8322
DURABILITY: Final = click.Choice(["strict", "relaxed"])
_CONNECTIONS: Final = 2


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
    """Land what the intake has taken so far, once."""
    from castline.intake.drain import drain_intake
    from castline.store.pool import open_store

    with open_store(load_settings()) as store:
        drained = drain_intake(store)
    if as_json:
        show_json(drained)
        return
    say(
        f"{drained.segment_count} segments: {drained.request_count} requests, {drained.event_count} player events and"
        f" {drained.hit_count} pixel hits landed, {drained.unclaimed_count} belong to no account or were too many,"
        f" {drained.failed_count} files failed."
    )


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
