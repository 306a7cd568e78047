"""castline about: what is built in, whose it is, under which licence, and how old."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from castline import __version__
from castline.cli.output import json_option, show_json, show_table

if TYPE_CHECKING:
    from castline.base.assets import Asset


@click.command()
@click.option("--licences", is_flag=True, help="Print the licence texts too.")
@json_option
def about(licences: bool, as_json: bool) -> None:
    """What is built in: licences, data and their dates."""
    from castline.base.assets import asset_path, iter_assets

    assets = iter_assets()
    thanks = sorted({asset.credit for asset in assets if asset.credit})
    if as_json:
        bundled = [asdict(asset) for asset in assets]
        show_json({"version": __version__, "licence": "Apache-2.0", "assets": bundled, "credits": thanks})
        return
    click.echo(f"castline {__version__}, Apache-2.0")
    columns = ("title", "version", "licence", "built_on", "source")
    show_table([dict(zip(columns, row, strict=True)) for row in list_components(assets)], columns)
    for credit in thanks:
        click.echo(credit)
    if licences:
        for name in sorted({asset.licence_file for asset in assets}):
            click.echo(f"\n--- {name}\n{asset_path(name).read_text('utf-8')}")


def list_components(assets: "Sequence[Asset]") -> list[tuple[object, ...]]:
    """One row per component, though it may have several files: its title, version, licence, date and source."""
    rows = ((item.title, item.version, item.licence, item.built_on, item.source) for item in assets)
    return list(dict.fromkeys(rows))
