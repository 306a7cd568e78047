"""`castline geo`: the tables that tell country and network of an address."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from castline.cli.days import DAY
from castline.cli.output import json_option, say, show_json, show_table

if TYPE_CHECKING:
    from castline.ingest.geo_tables import GeoFacts


@click.group()
def geo() -> None:
    """The country and network tables."""


@geo.command("show")
@json_option
def show(as_json: bool) -> None:
    """Which tables are in use, how old they are and whom to credit."""
    from castline.base.config import load_settings
    from castline.ingest.geo_tables import GEO_KINDS, load_geo_table

    settings = load_settings()
    found = [load_geo_table(settings, kind).facts for kind in GEO_KINDS]
    _show(found, as_json=as_json)


@geo.command("update")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--built-on", type=DAY, help="When a CSV was built; else its file's date.")
@json_option
def update(paths: tuple[Path, ...], built_on: datetime | None, as_json: bool) -> None:
    """Replace a table by MaxMind DB or CSV files of your own: countries or networks, as their content tells.

    CSV rows are first address, last address, and a country code or a network number with its name. Give the files of
    IPv4 and IPv6 together.
    """
    from castline.base.config import load_settings
    from castline.ingest.geo_tables import save_geo_table

    facts = save_geo_table(load_settings(), paths, built_on=built_on.date() if built_on else None)
    _show([facts], as_json=as_json)


def _show(found: "list[GeoFacts]", *, as_json: bool) -> None:
    from castline.ingest.geo_tables import STALE_DAYS

    rows = [
        {
            "kind": facts.kind,
            "title": facts.title,
            "built_on": facts.built_on,
            "age_days": facts.age_days,
            "is_stale": facts.is_stale,
            "range_count": facts.range_count,
            "origin": facts.origin,
            "version": facts.version,
            "licence": facts.licence,
            "credit": facts.credit,
        }
        for facts in found
    ]
    if as_json:
        show_json(rows)
        return
    show_table(rows, ["kind", "title", "built_on", "age_days", "range_count", "origin", "credit"])
    for facts in found:
        if facts.is_stale:
            age = "of no known date" if facts.age_days is None else f"{facts.age_days} days old"
            say(f"warning: the {facts.kind} table is {age}; after {STALE_DAYS} days `castline geo update FILE` is due")
