"""`castline rate`: exchange rates for conversions in other currencies."""

from pathlib import Path

import click

from castline.cli.conversion import show_delivery
from castline.cli.output import json_option, show_json, show_table
from castline.cli.session import open_account


@click.group()
def rate() -> None:
    """Exchange rates for conversions in other currencies: import, list."""


@rate.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def import_file(file: Path, as_json: bool) -> None:
    """Import a CSV FILE of rates with the columns date,base,quote,rate."""
    from castline.ingest.conversions.rates import import_rates

    with open_account() as acting:
        outcome = import_rates(acting.store, acting.owner_id, file)
    show_delivery(str(file), outcome, as_json=as_json)


@rate.command("list")
@json_option
def list_rates(as_json: bool) -> None:
    """List the rates of the account, newest first."""
    from castline.store.money.conversions import load_rates

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        rates = load_rates(connection, acting.owner_id)
    if as_json:
        show_json(rates)
    else:
        rows = [
            {"date": item.rate_on, "base": item.base, "quote": item.quote, "rate": f"{item.rate.normalize():f}"}
            for item in rates
        ]
        show_table(rows, ("date", "base", "quote", "rate"))
