"""`castline attribution`: credit conversions to campaigns."""

import click

from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account


@click.group()
def attribution() -> None:
    """Credit conversions to campaigns."""


@attribution.command("run")
@json_option
def run(as_json: bool) -> None:
    """Bring every credit of the account up to date; running it again changes nothing."""
    from castline.attribute.engine import attribute

    with open_account() as acting:
        result = attribute(acting.store, acting.owner_id)
    if as_json:
        show_json(result)
        return
    rows = [{"method": name, "orders": count} for name, count in result.methods.items()]
    rows.append({"method": "unattributed", "orders": result.unattributed})
    rows.append({"method": "all", "orders": result.orders})
    show_table(rows, ("method", "orders"))
    say(
        f"{result.visits:,} visits, {result.attributed_visits:,} of them attributed."
        f" Credits: {result.written:,} written, {result.removed:,} removed, {result.unchanged:,} unchanged,"
        f" {result.frozen:,} frozen."
    )
