"""castline lineage: where every table's rows come from and go to, from the catalogue in code."""

import click

from castline.catalogue.tables import find_table, load_tables
from castline.cli.output import json_option, show_json
from castline.lineage.draw import DRAWINGS, render_text
from castline.lineage.graph import compute_edges, describe_table


@click.command()
@click.argument("table", required=False)
@click.option("--format", "shape", type=click.Choice(["text", *DRAWINGS]), default="text", help="How to print it.")
@json_option
def lineage(table: str | None, shape: str, as_json: bool) -> None:
    """Where every table's rows come from and go to."""
    chosen = [find_table(table)] if table else list(load_tables().values())
    tables = [describe_table(one) for one in chosen]
    names = {one.name for one in chosen}
    edges = [edge for edge in compute_edges() if edge.upstream in names or edge.downstream in names]
    if as_json:
        show_json({"tables": tables, "edges": edges})
    elif shape in DRAWINGS:
        click.echo(DRAWINGS[shape](edges))
    else:
        click.echo(render_text(tables))
