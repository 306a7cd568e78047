"""`castline roi`: what a campaign cost and brought."""

from decimal import Decimal

import click

from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account
from castline.model.roi import NO_CONVERSION, RoiFigures

# Name on screen -> field, unit; the unit `money` is the campaign's currency.
_ROWS = (
    ("cost", "cost", "money"),
    ("spend to date", "spend", "money"),
    ("impressions", "impressions", "count"),
    ("credited orders", "credited_orders", "count"),
    ("  of known value", "valued_orders", "count"),
    ("gross revenue", "gross_revenue", "money"),
    ("refunds", "refunds", "money"),
    ("net revenue", "net_revenue", "money"),
    ("ROI", "roi_rate", "rate"),
    ("ROAS", "roas", "number"),
    ("cost per acquisition", "cost_per_acquisition", "money"),
    ("cost per mille", "cost_per_mille", "money"),
    ("average order value", "average_order_value", "money"),
    ("orders to break even", "break_even_orders", "count"),
    ("modeled orders (in no sum)", "modeled_orders", "count"),
    ("modeled net revenue (in no sum)", "modeled_net_revenue", "money"),
    ("visits", "visit_count", "count"),
)
_DELIVERED = frozenset({"cost", "spend", "impressions", "cost_per_mille"})
_EARNED = frozenset(field for _, field, _ in _ROWS) - _DELIVERED


@click.command()
@click.argument("campaign")
@click.option("--as-of", metavar="TIME", help="Leave out what happened from this moment on; else now.")
@json_option
def roi(campaign: str, as_of: str | None, as_json: bool) -> None:
    """What CAMPAIGN cost and brought; the headline is the confirmed tier's."""
    from castline.base.clock import now
    from castline.base.period import parse_moment
    from castline.roi.compute import compute_roi
    from castline.store.entities.campaigns import find_campaign

    moment = parse_moment(as_of, field="--as-of") if as_of else now()
    with open_account() as acting, acting.store.snapshot(acting.owner_id) as connection:
        found = find_campaign(connection, acting.owner_id, campaign)
        figures = compute_roi(connection, acting.owner_id, found, as_of=moment)
    if as_json:
        show_json(figures)
    else:
        _show(found.name, figures)


def _show(name: str, figures: RoiFigures) -> None:
    unknown = frozenset() if figures.has_conversions else _EARNED
    rows = [
        {"figure": title, "value": "not measured" if field in unknown else _write(figures, field, unit)}
        for title, field, unit in _ROWS
    ]
    show_table(rows, ("figure", "value"), title=name)
    columns = ("tier", "method", "credited_orders", "gross_revenue", "refunds", "net_revenue")
    if figures.methods:
        show_table([{column: _cell(getattr(item, column)) for column in columns} for item in figures.methods], columns)
    if not figures.has_conversions:
        say(f"Orders, revenue and return are not measured: {NO_CONVERSION}.")
    if figures.unconverted_count:
        say(
            f"{figures.unconverted_count:,} credited orders are left out of revenue: no exchange rate is on record"
            " for their day (`castline rate import`)."
        )
    if figures.valued_orders != figures.credited_orders:
        say("The average order and the orders to break even rest on the orders of known value only.")


def _cell(content: object) -> object:
    return f"{content:,}" if isinstance(content, Decimal) else content


def _write(figures: RoiFigures, field: str, unit: str) -> str:
    value = getattr(figures, field)
    if value is None:
        return "not measurable"
    if unit == "money":
        return f"{value:,} {figures.currency}"
    return f"{value:+.1%}" if unit == "rate" else f"{value:,.2f}" if unit == "number" else f"{value:,}"
