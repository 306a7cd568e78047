"""`castline sponsor`: who paid."""

from uuid import UUID

import click

from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account
from castline.model.campaign import Sponsor
from castline.store.pool import Store


@click.group()
def sponsor() -> None:
    """Who paid: add, list."""


@sponsor.command("add")
@click.argument("name")
@click.option("--company", help="The legal name.")
@click.option("--email", help="Where reports go.")
@click.option("--contact", "contact_name", help="The person to speak to.")
@click.option("--phone")
@click.option("--website", metavar="URL")
@click.option("--logo", "logo_url", metavar="URL")
@click.option("--industry")
@json_option
def add(name: str, as_json: bool, **details: str | None) -> None:
    """Add the sponsor NAME."""
    with open_account() as acting:
        added = add_sponsor(acting.store, acting.owner_id, name, details)
    if as_json:
        show_json(added)
    else:
        say(f"Added the sponsor {added.name}.")
        click.echo(added.sponsor_id)


@sponsor.command("list")
@json_option
def list_sponsors(as_json: bool) -> None:
    """List the sponsors of the account."""
    from castline.store.entities.campaigns import load_sponsors

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        sponsors = load_sponsors(connection, acting.owner_id)
    if as_json:
        show_json(sponsors)
    else:
        rows = [{"id": item.sponsor_id, "name": item.name, "website": item.website} for item in sponsors]
        show_table(rows, ("id", "name", "website"))


def add_sponsor(store: Store, owner_id: UUID, name: str, details: dict[str, str | None]) -> Sponsor:
    """The sponsor is in the account."""
    from castline.model.campaign import NewSponsor
    from castline.store.entities.campaigns import create_sponsor

    with store.account(owner_id) as connection:
        return create_sponsor(connection, owner_id, NewSponsor(name, **details))
