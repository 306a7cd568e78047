"""castline report: build, list, verify."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from castline.base.errors import EXIT_QUALITY
from castline.base.text import count_noun
from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account
from castline.model.report import Report


@click.group()
def report() -> None:
    """The sponsor's report in PDF, XLSX, CSV and JSON."""


@report.command()
@click.argument("campaign")
@click.option(
    "--format", "formats", default="pdf,xlsx,csv,json", show_default=True, help="Any of pdf, xlsx, csv, json."
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    metavar="DIR",
)
@click.option("--as-of", metavar="TIME", help="Tell it as of this moment instead of now, such as 2026-03-31.")
@json_option
def build(campaign: str, formats: str, output: Path, as_of: str | None, as_json: bool) -> None:
    """Build the report of CAMPAIGN (its name, its id or the start of it)."""
    from castline.base.period import parse_moment
    from castline.report.build import build_report
    from castline.report.formats.table import parse_formats
    from castline.store.entities.campaigns import find_campaign

    wanted = parse_formats(formats)
    moment = parse_moment(as_of, field="--as-of") if as_of else None
    with open_account() as acting:
        with acting.store.account(acting.owner_id) as connection:
            found = find_campaign(connection, acting.owner_id, campaign)
        built = build_report(acting.store, acting.owner_id, found, wanted, output, as_of=moment)
    if as_json:
        show_json([_facts(one) for one in built])
        return
    for one in built:
        click.echo(_path_of(one))
    say(f"report {built[0].metadata['report']}, content hash {built[0].content_hash.hex()}")


@report.command("list")
@click.option("--campaign", help="Only of this campaign.")
@json_option
def list_(campaign: str | None, as_json: bool) -> None:
    """List the files that were built, newest first."""
    from castline.store.entities.campaigns import find_campaign
    from castline.store.provenance.reports import load_reports

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = find_campaign(connection, acting.owner_id, campaign) if campaign else None
        built = load_reports(connection, acting.owner_id, found.campaign_id if found else None)
    facts = [_facts(one) for one in built]
    if as_json:
        show_json(facts)
        return
    show_table(facts, ["report", "format", "generated_at", "file_size_bytes", "path"])


@report.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def verify(file: Path, as_json: bool) -> int:
    """Check a report's JSON: its hashes, its arithmetic, and every figure made anew. Exits 4 on a difference."""
    from castline.report.verify import verify_file

    found = verify_file(file)
    if as_json:
        show_json(found)
        return EXIT_QUALITY if found.differences else 0
    if found.differences:
        rows = [{"figure": one.name, "says": one.stated, "inputs_give": one.computed} for one in found.differences]
        show_table(rows, ["figure", "says", "inputs_give"])
    differences = count_noun(len(found.differences), "difference")
    say(f"report {found.report_id}: {count_noun(found.figure_count, 'figure')}, {differences}")
    return EXIT_QUALITY if found.differences else 0


def _facts(built: Report) -> dict[str, object]:
    """A built file as the command shows it."""
    return {
        "report": built.metadata.get("report"),
        "report_id": built.report_id,
        "campaign_id": built.campaign_id,
        "format": built.format,
        "path": _path_of(built),
        "file_size_bytes": built.file_size_bytes,
        "file_hash": built.metadata.get("file_hash"),
        "content_hash": built.content_hash.hex(),
        "as_of": built.metadata.get("as_of"),
        "generated_at": built.generated_at,
        "run_id": built.run_id,
    }


def _path_of(built: Report) -> str:
    return unquote(urlsplit(built.file_url or "").path)
