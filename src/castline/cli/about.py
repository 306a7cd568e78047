"""castline about: what is built in, whose it is, under which licence, and how old."""

from dataclasses import asdict

import click

from castline import __version__
from castline.cli.output import json_option, show_json, show_table


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
    columns = ["title", "version", "licence", "built_on", "source"]
    show_table([asdict(asset) for asset in assets], columns)
    for credit in thanks:
        click.echo(credit)
    if licences:
        for name in sorted({asset.licence_file for asset in assets}):
            click.echo(f"\n--- {name}\n{asset_path(name).read_text('utf-8')}")
