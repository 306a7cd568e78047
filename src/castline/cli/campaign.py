"""`castline campaign`: what was sold."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, cast, get_args
from uuid import UUID

import click

from castline.cli.output import json_option, say, show_json, show_table
from castline.cli.session import open_account
from castline.model.campaign import AttributionConfig, Campaign, Placement
from castline.model.vocab import CampaignStatus, PrimaryMethod

if TYPE_CHECKING:
    from castline.store.pool import Connection, Store

_COLUMNS = ("id", "name", "status", "flight", "value", "code")
_ONE_COLUMNS = (*_COLUMNS, "runs in")


@dataclass(frozen=True, slots=True)
class CampaignOrder:
    """A campaign as it is asked for: show, sponsor and episodes by reference, dates and money as text."""

    name: str
    show: str
    sponsor: str
    value: str
    currency: str
    start: str
    end: str
    episodes: tuple[str, ...] = ()
    notes: str | None = None


@click.group()
def campaign() -> None:
    """What was sold: add, list, show, move on."""


@campaign.command("add")
@click.argument("name")
@click.option("--show", required=True, metavar="REF", help="The show: its id, title or feed address.")
@click.option("--sponsor", required=True, metavar="REF", help="The sponsor: its id or name.")
@click.option("--value", required=True, help="What the sponsor pays, such as 1500 or 1500.00.")
@click.option("--currency", default="USD", show_default=True, help="ISO 4217.")
@click.option("--start", required=True, help="First day (UTC), or the moment it starts.")
@click.option("--end", required=True, help="Last day (UTC, included), or the moment it ends (not included).")
@click.option(
    "--method", type=click.Choice(get_args(PrimaryMethod)), help="The primary method; else the strongest key."
)
@click.option("--code", "promo_code", help="The promo code that listeners are told.")
@click.option("--utm-source")
@click.option("--utm-medium")
@click.option("--utm-campaign")
@click.option(
    "--pixel", "--pixel-url", "pixel_url", metavar="URL", help="Where the sponsor's pages load the pixel from."
)
@click.option("--custom-id", "custom_tracking_id", help="The sponsor's own tracking id.")
@click.option("--conversion-endpoint", metavar="URL", help="Where the sponsor wants conversions forwarded.")
@click.option(
    "--episode", "episodes", multiple=True, metavar="REF", help="An episode it runs in; none: the whole show."
)
@click.option("--notes")
@json_option
def add(
    *,
    name: str,
    show: str,
    sponsor: str,
    value: str,
    currency: str,
    start: str,
    end: str,
    episodes: tuple[str, ...],
    notes: str | None,
    as_json: bool,
    **keys: str | None,
) -> None:
    """Add the campaign NAME, as a draft. All keys that are given are live at once."""
    order = CampaignOrder(name, show, sponsor, value, currency, start, end, episodes, notes)
    from castline.store.entities.campaigns import load_campaigns

    with open_account() as acting:
        added = add_campaign(acting.store, acting.owner_id, order, keys)
        with acting.store.account(acting.owner_id) as connection:
            named = [item for item in load_campaigns(connection, acting.owner_id) if item.name == added.name]
    if as_json:
        show_json(added)
        return
    ref = shlex.quote(added.name) if len(named) == 1 else str(added.campaign_id)
    if len(named) > 1:
        say(f"{len(named)} campaigns are called {added.name} now, so name each by its id.")
    say(f"Added the campaign {added.name}, a draft; `castline campaign status {ref} scheduled` moves it on")
    click.echo(added.campaign_id)


@campaign.command("list")
@json_option
def list_campaigns(as_json: bool) -> None:
    """List the campaigns of the account, newest flight first."""
    from castline.store.entities.campaigns import load_campaigns

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        campaigns = load_campaigns(connection, acting.owner_id)
    if as_json:
        show_json(campaigns)
    else:
        show_table([_row(item) for item in campaigns], _COLUMNS)


@campaign.command("show")
@click.argument("ref")
@json_option
def show_campaign(ref: str, as_json: bool) -> None:
    """Show one campaign with its placements."""
    from castline.store.entities.campaigns import find_campaign, load_placements

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = find_campaign(connection, acting.owner_id, ref)
        placements = load_placements(connection, acting.owner_id, found.campaign_id)
        titles = load_titles(connection, acting.owner_id) if placements else {}
    if as_json:
        show_json({"campaign": found, "placements": placements})
        return
    show_table([_row(found) | {"runs in": describe_coverage(found.covered_episodes(placements))}], _ONE_COLUMNS)
    if placements:
        show_table([placement_row(item, titles) for item in placements], PLACEMENT_COLUMNS, title="placements")


@campaign.command("status")
@click.argument("ref")
@click.argument("status", type=click.Choice(get_args(CampaignStatus)))
@json_option
def status(ref: str, status: str, as_json: bool) -> None:
    """Move the campaign REF on to STATUS."""
    from castline.store.entities.campaigns import find_campaign, save_campaign_status

    with open_account() as acting, acting.store.account(acting.owner_id) as connection:
        found = find_campaign(connection, acting.owner_id, ref)
        moved = save_campaign_status(connection, acting.owner_id, found.campaign_id, cast(CampaignStatus, status))
    if as_json:
        show_json(moved)
    else:
        say(f"The campaign {moved.name} was {found.status} and is {moved.status}.")


PLACEMENT_COLUMNS = ("id", "episode", "position", "kind", "start", "end", "air_date", "contracted", "cost")


def load_titles(connection: "Connection", owner_id: UUID) -> dict[UUID, str]:
    """The titles of the account's episodes by id."""
    from castline.store.entities.shows import load_episodes

    return {item.episode_id: item.title for item in load_episodes(connection, owner_id)}


def placement_row(placement: Placement, titles: Mapping[UUID, str]) -> dict[str, object]:
    """A placement's cells by column."""
    return {
        "id": placement.placement_id,
        "episode": titles.get(placement.episode_id, placement.episode_id),
        "position": placement.position,
        "kind": placement.kind,
        "start": _write_number(placement.start_seconds),
        "end": _write_number(placement.end_seconds),
        "air_date": placement.air_date and f"{placement.air_date:%Y-%m-%d %H:%M}",
        "contracted": placement.contracted_impressions,
        "cost": _write_number(placement.cost),
    }


def describe_coverage(episode_ids: frozenset[UUID] | None) -> str:
    """What a campaign runs in, in words."""
    if episode_ids is None:
        return "the whole show"
    return "one episode" if len(episode_ids) == 1 else f"{len(episode_ids)} episodes"


def _write_number(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"


def _row(item: Campaign) -> dict[str, object]:
    return {
        "id": item.campaign_id,
        "name": item.name,
        "status": item.status,
        "flight": _write_flight(item.start_date, item.end_date),
        "value": str(item.fee),
        "code": item.attribution_config.promo_code,
    }


def _write_flight(start_at: datetime, end_at: datetime) -> str:
    """The first and the last day, or the moments where one of them is none of midnight."""
    if all(moment.astimezone(UTC).time() == time() for moment in (start_at, end_at)):
        return f"{start_at:%Y-%m-%d} to {end_at - timedelta(days=1):%Y-%m-%d}"
    return f"{start_at:%Y-%m-%d %H:%M} to {end_at:%Y-%m-%d %H:%M}"


def add_campaign(store: "Store", owner_id: UUID, order: CampaignOrder, keys: Mapping[str, str | None]) -> Campaign:
    """The campaign is in the account, as a draft; `keys` are fields of AttributionConfig, empty ones ignored.

    Raises InvalidInput with the field's name, NotFound for a show, sponsor or episode, PromoCodeTaken.
    """
    from castline.base.errors import InvalidInput
    from castline.base.money import parse_amount
    from castline.base.period import parse_moment
    from castline.store.entities.campaigns import NewCampaign, create_campaign, find_sponsor
    from castline.store.entities.shows import find_episode, find_podcast

    config = make_config(keys)
    start_date, end_date = parse_moment(order.start, field="start_date"), parse_end(order.end, field="end_date")
    if end_date <= start_date:
        raise InvalidInput(field="end_date", detail=f"the end {order.end} lies before the start {order.start}")
    value = parse_amount(order.value, field="campaign_value")
    with store.account(owner_id) as connection:
        podcast = find_podcast(connection, owner_id, order.show)
        sponsor = find_sponsor(connection, owner_id, order.sponsor)
        episodes = [find_episode(connection, owner_id, ref) for ref in order.episodes]
        if strange := next((item for item in episodes if item.podcast_id != podcast.podcast_id), None):
            raise InvalidInput(field="episode", detail=f"{strange.title} is not an episode of {podcast.title}")
        wanted = NewCampaign(
            name=order.name.strip(),
            podcast_id=podcast.podcast_id,
            sponsor_id=sponsor.sponsor_id,
            start_date=start_date,
            end_date=end_date,
            campaign_value=value,
            currency=order.currency,
            episode_ids=tuple(dict.fromkeys(item.episode_id for item in episodes)),
            attribution_config=config,
            notes=order.notes,
        )
        return create_campaign(connection, owner_id, wanted)


def parse_end(text: str, *, field: str) -> datetime:
    """The moment a half-open range ends: a bare date is the end of that day, anything else the moment itself."""
    from datetime import timedelta

    from castline.base.errors import InvalidInput
    from castline.base.period import parse_moment

    moment = parse_moment(text, field=field)
    is_date = len(text.strip()) <= len("2026-03-31") and ":" not in text
    try:
        return moment + timedelta(days=1) if is_date else moment
    except OverflowError:
        raise InvalidInput(field=field, detail=f"{text!r} has no day after it") from None


def make_config(keys: Mapping[str, str | None]) -> AttributionConfig:
    """The keys that are given, trimmed; without a `method` the strongest of them is the primary one."""
    given = {name: text.strip() for name, text in keys.items() if text and text.strip()}
    if "method" not in given:
        strongest = (("promo_code", "promo_code"), ("utm", "utm_campaign"), ("custom", "custom_tracking_id"))
        given["method"] = next((method for method, key in strongest if key in given), "pixel")
    from castline.model.check import convert_json

    return convert_json(given, AttributionConfig, field="attribution_config")


def parse_cost(text: str | None) -> Decimal | None:
    """The amount, None for no text. Raises InvalidInput."""
    from castline.base.money import parse_amount

    return None if text is None else parse_amount(text, field="cost")
