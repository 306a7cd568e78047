"""`castline slot`: ad slots and placements by hand."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, cast, get_args
from uuid import UUID

import click

from castline.cli.campaign import PLACEMENT_COLUMNS, describe_coverage, load_titles, parse_cost, placement_row
from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account
from castline.model.campaign import Placement
from castline.model.vocab import PlacementKind, PlacementPosition

if TYPE_CHECKING:
    from castline.store.pool import Store


@dataclass(frozen=True, slots=True)
class SlotOrder:
    """A slot as it is asked for: episode and campaign by reference, times and money as text."""

    episode: str
    campaign: str
    position: PlacementPosition
    kind: PlacementKind = "host-read"
    start: str | None = None
    end: str | None = None
    air_date: str | None = None
    impressions: int | None = None
    cost: str | None = None
    only_placed: bool = False


@dataclass(frozen=True, slots=True)
class AddedSlot:
    """A placement, and the episodes that its campaign covered before and covers now; None is the whole show."""

    placement: Placement
    covered_before: frozenset[UUID] | None
    covered: frozenset[UUID] | None


@click.group()
def slot() -> None:
    """Ad slots and placements by hand: add, list."""


@slot.command("add")
@click.argument("episode")
@click.option("--campaign", required=True, metavar="REF", help="The campaign: its id or name.")
@click.option("--position", required=True, type=click.Choice(get_args(PlacementPosition)))
@click.option("--kind", default="host-read", show_default=True, type=click.Choice(get_args(PlacementKind)))
@click.option("--start", metavar="SECONDS", help="Where it starts, in seconds or as M:SS.")
@click.option("--end", metavar="SECONDS", help="Where it ends (not included).")
@click.option("--air-date", metavar="DATE", help="When it went on air; else the episode's publish date counts.")
@click.option("--impressions", type=click.IntRange(0), help="Contracted impressions.")
@click.option("--cost", help="What it costs, in the campaign's currency.")
@click.option(
    "--only-placed",
    is_flag=True,
    help="From now on the campaign runs only in the episodes it is placed in, no longer in the whole show.",
)
@json_option
def add(
    *,
    episode: str,
    campaign: str,
    position: str,
    kind: str,
    start: str | None,
    end: str | None,
    air_date: str | None,
    impressions: int | None,
    cost: str | None,
    only_placed: bool,
    as_json: bool,
) -> None:
    """Put the campaign into EPISODE: a placement, and an ad slot where its seconds are known.

    A campaign that lists episodes runs in this one as well. One for the whole show stays so, unless --only-placed.
    """
    order = SlotOrder(
        episode=episode,
        campaign=campaign,
        position=cast(PlacementPosition, position),
        kind=cast(PlacementKind, kind),
        start=start,
        end=end,
        air_date=air_date,
        impressions=impressions,
        cost=cost,
        only_placed=only_placed,
    )
    with open_account() as acting:
        added = add_slot(acting.store, acting.owner_id, order)
    placement = added.placement
    if as_json:
        facts = {item.name: getattr(placement, item.name) for item in fields(placement)}
        show_json(facts | {"covered_before": added.covered_before, "covered": added.covered})
    else:
        say(f"Added a {placement.position}-roll placement. {describe_change(added)}")
        click.echo(placement.placement_id)


@slot.command("list")
@click.option("--campaign", metavar="REF", help="Only this campaign's.")
@json_option
def list_slots(campaign: str | None, as_json: bool) -> None:
    """List placements."""
    from castline.store.entities.campaigns import find_campaign, load_placements

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = find_campaign(connection, acting.owner_id, campaign) if campaign else None
        placements = load_placements(connection, acting.owner_id, found.campaign_id if found else None)
        titles = load_titles(connection, acting.owner_id)
    if as_json:
        show_json(placements)
    else:
        show_table([placement_row(item, titles) for item in placements], PLACEMENT_COLUMNS)


def describe_change(added: AddedSlot) -> str:
    """What the campaign ran in and runs in, in words."""
    before, after = describe_coverage(added.covered_before), describe_coverage(added.covered)
    if before != after:
        return f"The campaign ran in {before} and now runs in {after}."
    advice = "" if added.covered else "; --only-placed limits it to the episodes it is placed in"
    return f"The campaign runs in {after}, as before{advice}."


def add_slot(store: "Store", owner_id: UUID, order: SlotOrder) -> AddedSlot:
    """The placement is there, and with its seconds the episode's ad slot.

    With `only_placed` the campaign runs in no episode but those it lists or is placed in. Raises InvalidInput with
    the field's name, NotFound, Conflict if the same placement is there already.
    """
    from castline.base.period import parse_moment
    from castline.model.show import AdSlot
    from castline.store.entities.campaigns import (
        NewPlacement,
        create_placement,
        find_campaign,
        limit_campaign,
        load_placements,
    )
    from castline.store.entities.shows import find_episode, save_ad_slots

    with store.account(owner_id) as connection:
        episode = find_episode(connection, owner_id, order.episode)
        campaign = find_campaign(connection, owner_id, order.campaign)
        placement = NewPlacement(
            campaign_id=campaign.campaign_id,
            episode_id=episode.episode_id,
            position=order.position,
            kind=order.kind,
            start_seconds=parse_seconds(order.start, field="start_seconds"),
            end_seconds=parse_seconds(order.end, field="end_seconds"),
            air_date=None if order.air_date is None else parse_moment(order.air_date, field="air_date"),
            contracted_impressions=order.impressions,
            cost=parse_cost(order.cost),
        )
        before = campaign.covered_episodes(load_placements(connection, owner_id, campaign.campaign_id))
        made = create_placement(connection, owner_id, placement)
        if order.only_placed:
            campaign = limit_campaign(connection, owner_id, campaign.campaign_id)
        if placement.start_seconds is not None and placement.end_seconds is not None:
            slot = AdSlot(placement.start_seconds, placement.end_seconds, campaign.campaign_id)
            slots = sorted((*episode.ad_slots, slot), key=lambda item: item.start_time_seconds)
            save_ad_slots(connection, owner_id, episode.episode_id, slots)
        placed = load_placements(connection, owner_id, campaign.campaign_id)
        return AddedSlot(made, before, campaign.covered_episodes(placed))


def parse_seconds(text: str | None, *, field: str) -> Decimal | None:
    """Seconds from `120`, `120.5`, `2:00` or `1:02:00`; None for no text. Raises InvalidInput."""
    from castline.base.errors import InvalidInput
    from castline.base.money import parse_amount

    if text is None:
        return None
    strange = InvalidInput(field=field, detail=f"{text!r} is no time, such as 120 or 2:00")
    try:
        parts = [parse_amount(part, field=field) for part in text.split(":")]
    except InvalidInput:
        raise strange from None
    if len(parts) > 3 or any(part < 0 for part in parts) or any(part >= 60 for part in parts[1:]):  # noqa: PLR2004  # H:M:S
        raise strange
    seconds = parts[0]
    for part in parts[1:]:
        seconds = seconds * 60 + part
    return seconds
