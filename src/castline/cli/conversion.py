"""`castline conversion`: orders, sign-ups, visits and refunds."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from castline.base.errors import SourceUnreadable
from castline.base.text import count_noun, printable
from castline.cli.output import MOST, json_option, say, show_json, show_table
from castline.cli.session import open_account

if TYPE_CHECKING:
    from castline.ingest.conversions.receive import ConversionBatch

_SHOWN_DROPS = 20


@click.group()
def conversion() -> None:
    """Orders, sign-ups, visits and refunds: import, list."""


@conversion.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--sponsor", help="Whose customers these are, for rows that name no sponsor.")
@click.option("--currency", help="The currency of rows that name none.")
@click.option("--tz", "zone_name", default="UTC", show_default=True, help="The time zone of times without one.")
@click.option("--map", "columns", multiple=True, metavar="COLUMN=FIELD", help="Which of our fields a column is.")
@click.option("--source", default="csv", show_default=True, help="The name of the door; keys are unique in it.")
@json_option
@click.pass_context
def import_files(
    ctx: click.Context,
    *,
    files: tuple[Path, ...],
    sponsor: str | None,
    currency: str | None,
    zone_name: str,
    columns: tuple[str, ...],
    source: str,
    as_json: bool,
) -> None:
    """Import CSV FILES of conversions and refunds; a bad row is set apart and the rest goes on.

    A file that cannot be read does not stop the others; the exit code tells.
    """
    from castline.cli.main import show_error
    from castline.ingest.conversions.files import import_conversions
    from castline.sources.conversions.csv import CsvOptions

    options, code = CsvOptions(parse_columns(columns), zone_name, sponsor, currency), 0
    with open_account() as acting:
        for file in files:
            try:
                outcome = import_conversions(acting.store, acting.owner_id, file, options, source=source)
            except SourceUnreadable as error:
                code = code or error.exit_code
                show_error(error)
            else:
                show_delivery(printable(str(file)), outcome, as_json=as_json)
    ctx.exit(code)


@conversion.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, MOST))
@json_option
def list_conversions(limit: int, as_json: bool) -> None:
    """List the newest conversions with the credit that they have."""
    from castline.store.money.conversions import load_conversions

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = load_conversions(connection, acting.owner_id, row_limit=limit)
    if as_json:
        show_json(found)
        return
    columns = ("occurred_at", "type", "order", "value", "currency", "sponsor", "code", "utm_campaign", "credit")
    rows = [
        {
            "occurred_at": f"{item.occurred_at:%Y-%m-%d %H:%M}",
            "type": item.conversion_type,
            "order": item.order_id,
            "value": write_amount(item.conversion_value, item.currency),
            "currency": item.currency,
            "sponsor": item.sponsor,
            "code": item.promo_code,
            "utm_campaign": item.utm_campaign,
            "credit": f"{item.credit.normalize():f}",
        }
        for item in found
    ]
    show_table(rows, columns)


def write_amount(amount: Decimal | None, currency: str | None) -> str | None:
    """The amount with the decimals of its currency, more only where it has more."""
    from castline.base.money import minor_unit

    if amount is None:
        return None
    rounded = amount if currency is None else amount.quantize(minor_unit(currency))
    return f"{rounded if currency and rounded == amount else amount.normalize():,f}"


def parse_columns(pairs: tuple[str, ...]) -> dict[str, str]:
    """Column -> field from `Column=field`. Raises InvalidInput."""
    from castline.base.errors import InvalidInput

    columns = {}
    for pair in pairs:
        name, equals, target = pair.rpartition("=")
        if not equals or not name or not target:
            raise InvalidInput(field="--map", detail=f"{pair!r} is not COLUMN=FIELD")
        columns[name] = target.strip()
    return columns


def show_delivery(name: str, outcome: "ConversionBatch", *, as_json: bool) -> None:
    """What became of a delivery is shown; refused rows with their line and field."""
    if as_json:
        show_json({"file": name, "batch": outcome})
        return
    if outcome.already_imported:
        _say_again(name, outcome)
        return
    say(
        f"{name}: {count_noun(outcome.received, 'row')}, {outcome.accepted:,} new, {outcome.duplicate:,} known,"
        f" {outcome.refused:,} refused"
    )
    for drop in outcome.drops[:_SHOWN_DROPS]:
        say(f"  line {drop.line_number}: {drop.detail} ({drop.reason})")
    if outcome.refused > _SHOWN_DROPS:
        say(f"  .. and {outcome.refused - _SHOWN_DROPS:,} more")
    if outcome.refused:
        say("  `castline quarantine list` shows what was refused, `castline quarantine replay` tries it again.")


def _say_again(name: str, outcome: "ConversionBatch") -> None:
    if outcome.accepted:
        through = count_noun(outcome.accepted, "row that was refused", "rows that were refused")
        say(
            f"{name} was imported before: {through} went through now,"
            f" {count_noun(outcome.refused, 'is', 'are')} still refused; rows that were taken before stay as they are."
        )
    elif outcome.refused:
        still = count_noun(outcome.refused, "row is", "rows are")
        say(f"{name} was imported before: nothing changed; {still} still refused.")
    else:
        say(f"{name} was imported before: nothing changed.")
