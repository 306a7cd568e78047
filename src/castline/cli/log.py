"""`castline log`: access logs into the landing zone."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from castline.base.errors import CastlineError
from castline.base.text import printable
from castline.cli.output import json_option, say, show_json, show_progress, show_table

if TYPE_CHECKING:
    from castline.ingest.logs.landing import LogImport
    from castline.ingest.logs.locator import Delivery
    from castline.ingest.logs.origins import LogTask

_COLUMNS = ["file", "format", "received", "landed", "refused", "from", "to", "is"]


@click.group()
def log() -> None:
    """Access logs into the landing zone."""


@log.command("import")
@click.argument("places", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "log_format", help="The logs' format: a name of `log formats`, or 'apache:...', 'nginx:...'.")
@click.option("--host", help="The host that the logs' requests went to, where their lines name none.")
@click.option("--trust-forwarded", is_flag=True, help="Take the listener's address from X-Forwarded-For.")
@click.option(
    "--delivery",
    type=click.Choice(["file", "hls", "prefix"]),
    default="file",
    show_default=True,
    help="What the server that wrote the logs gives: files, HLS segments, or redirects to files.",
)
@click.option(
    "--tz",
    "zone_name",
    default="UTC",
    show_default=True,
    help="The zone of times without one; of w3c, only with --format.",
)
@click.option("--again", is_flag=True, help="Try refused lines of logs that were imported before once more.")
@click.option("--watch", is_flag=True, help="Go on importing what comes, until interrupted.")
@click.option("--every", type=click.FloatRange(min=0.1), default=10.0, help="Seconds between two looks of --watch.")
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    places: tuple[str, ...],
    log_format: str | None,
    host: str | None,
    trust_forwarded: bool,
    delivery: "Delivery",
    zone_name: str,
    again: bool,
    watch: bool,
    every: float,
    as_json: bool,
) -> None:
    """Land the requests of access logs: files, pipes, patterns, folders, s3://BUCKET/PREFIX, or - for stdin.

    Plain, gzip, zstd or Parquet. The format is found out. The same content is taken once. A file that is no access log
    does not stop the others; the exit code tells.
    """
    from castline.cli.session import open_account
    from castline.ingest.logs.landing import ImportOptions
    from castline.ingest.logs.origins import LogTask
    from castline.model.query import parse_zone
    from castline.sources.logs.table import find_format

    if log_format is not None:
        find_format(log_format)
    zone = parse_zone(zone_name).key
    options = ImportOptions(log_format, trust_forwarded, delivery, _reporter(), again=again, tz=zone)
    with open_account() as acting:
        task = LogTask(acting.store, acting.owner_id, host, options)
        if watch:
            _watch(task, places, every, as_json=as_json)
        else:
            ctx.exit(_import_all(task, places, as_json=as_json))


@log.command("formats")
@json_option
def formats(as_json: bool) -> None:
    """List the formats that logs may have, and what each tells."""
    from castline.sources.logs.table import WRITTEN_FORMATS, describe_formats

    rows = describe_formats()
    if as_json:
        show_json(rows)
        return
    show_table(rows, ["name", "title", "range", "bytes", "request_id", "arrives"])
    for kind, what in WRITTEN_FORMATS.items():
        say(f"--format '{kind}:...' takes {what}")


def _import_all(task: "LogTask", places: tuple[str, ...], *, as_json: bool) -> int:
    from castline.cli.main import show_error
    from castline.ingest.logs.origins import iter_logs

    found: list[LogImport] = []
    code = 0
    for one in iter_logs(task, places):
        try:
            found.append(task.import_one(one))
        except CastlineError as error:
            code = code or error.exit_code
            show_error(error)
        except KeyboardInterrupt:
            _show(found, as_json=as_json)
            say(f"stopped at {printable(str(one))}: nothing of it has landed unless `castline batch list` shows it")
            raise
    _show(found, as_json=as_json)
    if not found and not code:
        say(f"no log that is new lies in {', '.join(map(printable, places))}")
    return code


def _watch(task: "LogTask", places: tuple[str, ...], every: float, *, as_json: bool) -> None:
    """One line of JSON, or one message, per log, until the process is interrupted; the log under way is finished."""
    from threading import Event

    from castline.cli.main import show_error
    from castline.cli.signals import set_on_signal
    from castline.ingest.logs.origins import watch_logs

    stop = Event()
    set_on_signal(stop)
    say(f"watching {', '.join(places)}; interrupt to stop")
    for done in watch_logs(task, places, stop=stop, every_seconds=every):
        if isinstance(done, CastlineError):
            show_error(done)
        elif as_json:
            show_json(done)
        else:
            state = "new" if done.is_new else "already imported"
            say(f"{done.source}: {done.landed_count:,} landed, {done.refused_count:,} refused, {state}")
    say("stopped")


def _reporter() -> "Callable[[int], None] | None":
    """Tells a terminal how many lines of the file are read."""
    if not sys.stderr.isatty():
        return None
    return lambda count: show_progress(f"{count:,} lines")


def _show(found: "list[LogImport]", *, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    rows = [
        {
            "file": item.source,
            "format": (item.log_format or "")[:40],
            "received": item.received_count,
            "landed": item.landed_count,
            "refused": item.refused_count,
            "from": item.first_at and f"{item.first_at:%Y-%m-%d %H:%M}",
            "to": item.last_at and f"{item.last_at:%Y-%m-%d %H:%M}",
            "is": "new" if item.is_new else "already imported",
        }
        for item in found
    ]
    if rows:
        show_table(rows, _COLUMNS)
    for item in found:
        if item.problem:
            say(f"{item.source}: {item.problem}")
        for reason, count in item.refused_by_reason.items():
            say(f"{item.source}: {count:,} refused as {reason}; `castline quarantine list` shows them")
