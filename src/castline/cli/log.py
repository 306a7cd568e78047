"""`castline log`: access logs into the landing zone."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from castline.base.errors import CastlineError
from castline.cli.output import json_option, say, show_json, show_table

if TYPE_CHECKING:
    from castline.ingest.landing import LogImport


@click.group()
def log() -> None:
    """Access logs into the landing zone."""


@log.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--host", help="The host that the logs' requests went to, where their lines name none.")
@json_option
@click.pass_context
def import_(ctx: click.Context, paths: tuple[Path, ...], host: str | None, as_json: bool) -> None:
    """Land the requests of access logs: nginx or Apache, common or combined, plain or gzipped.

    The same content is taken once. A file that is no access log does not stop the others; the exit code tells.
    """
    from castline.cli.main import show_error
    from castline.cli.session import open_account
    from castline.ingest.landing import ImportOptions, import_log

    found: list[LogImport] = []
    code = 0
    with open_account() as acting:
        for path in paths:
            try:
                found.append(
                    import_log(
                        acting.store, acting.owner_id, path, host=host, options=ImportOptions(report=_reporter(path))
                    )
                )
            except CastlineError as error:
                code = code or error.exit_code
                show_error(error)
    if as_json:
        show_json(found)
    else:
        _show(found)
    ctx.exit(code)


def _reporter(path: Path) -> "Callable[[int], None] | None":
    """Tells a terminal how many lines of the file are read."""
    if not sys.stderr.isatty():
        return None
    return lambda count: click.echo(f"\r{path.name}: {count:,} lines", nl=False, err=True)


def _show(found: "list[LogImport]") -> None:
    rows = [
        {
            "file": item.source,
            "received": item.received_count,
            "landed": item.landed_count,
            "refused": item.refused_count,
            "from": item.first_at and f"{item.first_at:%Y-%m-%d %H:%M}",
            "to": item.last_at and f"{item.last_at:%Y-%m-%d %H:%M}",
            "is": "new" if item.is_new else "already imported",
        }
        for item in found
    ]
    show_table(rows, ["file", "received", "landed", "refused", "from", "to", "is"])
    for item in found:
        if item.problem:
            say(f"{item.source}: {item.problem}")
        for reason, count in item.refused_by_reason.items():
            say(f"{item.source}: {count:,} refused as {reason}; `castline quarantine list` shows them")
