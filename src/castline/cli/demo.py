"""`castline demo`: a whole world, or the reader's own feed and log, from input to report."""

import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from castline.base.errors import EXIT_FAILURE
from castline.base.text import count_noun
from castline.cli.output import json_option, say, show_json, show_table

if TYPE_CHECKING:
    from castline.demo.own import OwnResult
    from castline.demo.requests_seen import RequestCounts
    from castline.demo.run import DemoResult

_LINES: Final = 60_000
_SHOWN_DIFFERENCES: Final = 20
_UNMATCHED_SHARE: Final = 0.5  # of the requests without an episode, from which on the hint is worth its lines


@click.command()
@click.option("--seed", default=1, show_default=True, help="Another seed makes another world.")
@click.option(
    "--lines", default=_LINES, show_default=True, type=click.IntRange(1_000, 20_000_000), help="Log lines, about."
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Where the reports go.")
@click.option("--feed", metavar="URL|FILE", help="Your own feed instead of the made world; needs --log.")
@click.option("--log", "logs", multiple=True, metavar="FILE", help="Your own access logs; may be given many times.")
@click.option("--keep", is_flag=True, help="Take the world of the last demo as it is; with --serve, open it again.")
@click.option("--serve", is_flag=True, help="Open the dashboard on the world at once.")
@json_option
@click.pass_context
def demo(
    ctx: click.Context,
    *,
    seed: int,
    lines: int,
    output: Path | None,
    feed: str | None,
    logs: tuple[str, ...],
    keep: bool,
    serve: bool,
    as_json: bool,
) -> None:
    """Make a seeded world, run the whole flow on it, and compare every figure with the truth.

    The world lies in a data folder of its own, which each demo makes anew. With --feed and --log it is your show.
    """
    from castline.demo.stage import demo_folder

    if bool(feed) != bool(logs):
        raise click.UsageError("--feed and --log belong together.")
    folder = demo_folder()
    code = 0
    if keep:
        _check_world(folder)
    elif feed:
        _show_own(_run_own(folder, feed, logs), as_json=as_json)
    else:
        code = _show_world(_run_world(folder, output, (seed, lines)), as_json=as_json)
    if serve:
        _serve(folder)
    ctx.exit(code)


def run_command(words: Sequence[str]) -> Any:
    """What the command prints with --json, decoded; CastlineError as it raises it, CommandFailed for an exit code."""
    from castline.cli.main import castline
    from castline.demo.stage import CommandFailed
    from castline.store.payload import decode_json

    said, told = io.BytesIO(), io.BytesIO()
    with redirect_stdout(_as_terminal(said)), redirect_stderr(_as_terminal(told)):
        try:
            code = castline.main(args=[*words, "--json"], prog_name="castline", standalone_mode=False)
        except SystemExit as ended:
            code = ended.code
    if code:
        detail, _, advice = told.getvalue().decode().strip().removeprefix("error: ").partition("\n  fix: ")
        raise CommandFailed(command=f"castline {words[0]} {words[1]}", code=code, detail=detail, advice=advice)
    return decode_json(said.getvalue())


def _as_terminal(buffer: io.BytesIO) -> io.TextIOWrapper:
    """Text over bytes, as a terminal is: commands write either."""
    return io.TextIOWrapper(buffer, "utf-8", write_through=True)


def _run_world(folder: Path, output: Path | None, size: tuple[int, int]) -> "DemoResult":
    from castline.base.clock import now
    from castline.demo.run import DemoOrder, run_demo

    reports = (output or folder / "reports").absolute()
    yesterday = now().date() - timedelta(days=1)
    return run_demo(DemoOrder(folder, reports, size[0], size[1], yesterday), run_command)


def _run_own(folder: Path, feed: str, logs: tuple[str, ...]) -> "OwnResult":
    from castline.demo.own import run_own

    return run_own(folder, feed, logs, run_command)


def _check_world(folder: Path) -> None:
    from castline.demo.stage import MARK, NoDemoYet

    if not (folder / MARK).exists():
        raise NoDemoYet(folder=folder)


def _show_world(result: "DemoResult", *, as_json: bool) -> int:
    """The exit code: a figure that is not the truth is a failure."""
    if as_json:
        show_json(result)
        return EXIT_FAILURE if result.differences else 0
    _show_requests(result.requests)
    click.echo()
    rows = [
        {
            "campaign": row.name,
            "sponsor": row.sponsor,
            "fee": f"{row.figures.cost:,} {row.figures.currency}",
            "downloads": row.figures.impressions,
            "orders": f"{row.figures.credited_orders.normalize():f}",
            "revenue": f"{row.figures.gross_revenue:,}",
            "refunds": f"{row.figures.refunds:,}",
            "ROI": "-" if row.figures.roi_rate is None else f"{row.figures.roi_rate:+.1%}",
        }
        for row in result.campaigns
    ]
    show_table(rows, ["campaign", "sponsor", "fee", "downloads", "orders", "revenue", "refunds", "ROI"])
    click.echo(
        f"\norders and refunds by file: {count_noun(result.orders.received, 'row')}, {result.orders.taken:,} taken,"
        f" {result.orders.refused:,} refused (a shop's slips, made on purpose); the dashboard's quarantine names each"
    )
    click.echo(f"\nreports ({count_noun(len(result.reports), 'file')})")
    for line in _shorten_paths(result.reports):
        click.echo(f"  {line}")
    _show_agreement(result)
    _show_dashboard(result.data_dir, result.email, result.password)
    return EXIT_FAILURE if result.differences else 0


def _shorten_paths(paths: Sequence[str]) -> list[str]:
    """One line for the formats of each report, as a shell would spell them out."""
    kinds: dict[str, list[str]] = {}
    for path in paths:
        stem, _, kind = path.rpartition(".")
        kinds.setdefault(stem, []).append(kind)
    return [f"{stem}.{{{','.join(found)}}}" for stem, found in kinds.items()]


def _show_requests(counts: "RequestCounts") -> None:
    rows = [{"requests": name, "reason": reason, "lines": count} for name, reason, count in counts.iter_steps()]
    show_table(rows, ["requests", "reason", "lines"])


def _show_agreement(result: "DemoResult") -> None:
    click.echo(f"\nfigures that are exact agree with the seeded truth: {'NO' if result.differences else 'yes'}")
    for item in result.differences[:_SHOWN_DIFFERENCES]:
        click.echo(f"  {item.figure}: truly {item.truth}, found {item.found}")
    if len(result.differences) > _SHOWN_DIFFERENCES:
        click.echo(f"  and {len(result.differences) - _SHOWN_DIFFERENCES} more")


def _show_own(result: "OwnResult", *, as_json: bool) -> None:
    if as_json:
        show_json(result)
        return
    click.echo(f"{result.show}: {count_noun(result.episode_count, 'episode')}\n")
    _show_requests(result.requests)
    click.echo()
    show_table(
        [{"episode": row.title, "downloads": row.downloads} for row in result.top_episodes], ["episode", "downloads"]
    )
    unmatched = sum(row.request_count for row in result.requests.waterfall if row.reason == "no_episode")
    if unmatched > result.requests.received_count * _UNMATCHED_SHARE:
        say(f"\n{unmatched:,} requests are for no episode of this feed. A request counts if its path ends as one of")
        for key in result.audio_keys:
            say(f"  {key}")
        say("does. Is it the log of the server that the audio lies on? `castline log import --help` has more.")
    _show_dashboard(result.data_dir, result.email, result.password)


def _show_dashboard(folder: str, email: str, password: str) -> None:
    from castline.demo.stage import dashboard_command

    click.echo(f"\ndashboard\n  {dashboard_command(Path(folder))}\n  sign in as {email} with the password {password}")


def _serve(folder: Path) -> None:
    """The dashboard runs until it is stopped; this process becomes it."""
    sys.stdout.flush()
    os.environ |= {"CASTLINE_DATA_DIR": str(folder)}
    os.environ.pop("DATABASE_URL", None)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "castline", "serve"])  # noqa: S606  # signals reach it
