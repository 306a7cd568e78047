"""Sponsors, campaigns and placements as they lie in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from castline.base.errors import EXIT_USAGE, Ambiguous, Conflict, InvalidInput, NotFound, Terminal
from castline.base.money import check_currency, minor_unit
from castline.model.campaign import AttributionConfig, Campaign, NewSponsor, Placement, Sponsor
from castline.model.check import check_aware, check_choice, check_flight, check_text, to_json
from castline.model.vocab import STATUS_TRANSITIONS, CampaignStatus, PlacementKind, PlacementPosition
from castline.store.entities.ads import mark_ad_days
from castline.store.rows import find_one, load_all, load_scalars
from castline.store.sql import load_sql

_SQL: Final = load_sql("campaigns")
_PREFIX_LENGTH: Final = 4  # shorter, and a word of hexadecimal letters would be taken for the start of an id
_LARGEST: Final = Decimal(10**10)  # numeric(14, 4)
_LARGEST_COUNT: Final = 2**63 - 1  # bigint
_LARGEST_SECONDS: Final = Decimal(10**7)  # numeric(10, 3)
Item = TypeVar("Item")


class StatusRefused(Terminal):
    """status: the campaign {name} is {status} and cannot become {wanted}; from there it can become {allowed}."""

    exit_code = EXIT_USAGE


class PromoCodeTaken(Conflict):
    """promo_code: {code} is already the code of {holder}, a campaign of the same sponsor in the same days.

    An order that bears it could be credited to either.
    """

    fix = "Choose another code, or dates that do not overlap."
    exit_code = EXIT_USAGE


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign to add: it flies in [start_date, end_date); no episodes means the whole show."""

    name: str
    podcast_id: UUID
    sponsor_id: UUID
    start_date: datetime
    end_date: datetime
    campaign_value: Decimal
    currency: str = "USD"
    episode_ids: tuple[UUID, ...] = ()
    attribution_config: AttributionConfig = field(default_factory=lambda: AttributionConfig(method="pixel"))
    notes: str | None = None

    def __post_init__(self) -> None:
        check_text(self.name, 255, field="name")
        check_flight(self.start_date, self.end_date)
        object.__setattr__(self, "currency", check_currency(self.currency))
        _check_amount(self.campaign_value, field="campaign_value", unit=minor_unit(self.currency))


@dataclass(frozen=True, slots=True)
class NewPlacement:
    """A placement to add; `cost` is in the campaign's currency, seconds are from the episode's start, half-open."""

    campaign_id: UUID
    episode_id: UUID
    position: PlacementPosition
    kind: PlacementKind = "host-read"
    start_seconds: Decimal | None = None
    end_seconds: Decimal | None = None
    air_date: datetime | None = None
    contracted_impressions: int | None = None
    cost: Decimal | None = None

    def __post_init__(self) -> None:
        check_choice(self.kind, PlacementKind, field="kind")
        check_choice(self.position, PlacementPosition, field="position")
        check_aware(self.air_date, field="air_date")
        if (self.start_seconds is None) != (self.end_seconds is None):
            raise InvalidInput(field="end_seconds", detail="start and end belong together")
        if self.start_seconds is not None and self.end_seconds is not None:
            _check_seconds(self.start_seconds, self.end_seconds)
        if self.contracted_impressions is not None and not 0 <= self.contracted_impressions <= _LARGEST_COUNT:
            raise InvalidInput(field="contracted_impressions", detail=f"{self.contracted_impressions} is out of range")
        if self.cost is not None:
            _check_amount(self.cost, field="cost", unit=Decimal("0.0001"))


def _check_seconds(start: Decimal, end: Decimal) -> None:
    if not start.is_finite() or not 0 <= start < _LARGEST_SECONDS:
        raise InvalidInput(field="start_seconds", detail=f"{start} is no time in an episode")
    if not end.is_finite() or not start < end < _LARGEST_SECONDS:
        raise InvalidInput(field="end_seconds", detail=f"{end} is not after the start {start}")


def _check_amount(amount: Decimal, *, field: str, unit: Decimal) -> None:
    if amount.is_nan() or not 0 <= amount < _LARGEST:
        raise InvalidInput(field=field, detail=f"{amount} is not between 0 and {_LARGEST:f}")
    if amount % unit:
        raise InvalidInput(field=field, detail=f"{amount} is no multiple of {unit}")


def create_sponsor(connection: Connection, owner_id: UUID, sponsor: NewSponsor) -> Sponsor:
    """The sponsor is there. Raises Conflict if one of the same name is there already."""
    name = sponsor.name.strip()
    connection.execute(_SQL["lock_sponsors"], {"tenant": owner_id})
    if any(known.name.casefold() == name.casefold() for known in load_sponsors(connection, owner_id)):
        raise Conflict(noun="sponsor", key=name, detail="conversions name their sponsor, so names differ")
    facts = {item.name: getattr(sponsor, item.name) for item in fields(sponsor)} | {"tenant": owner_id, "name": name}
    return _made(find_one(connection, Sponsor, _SQL["create_sponsor"], facts))


def load_sponsors(connection: Connection, owner_id: UUID) -> list[Sponsor]:
    """Every sponsor of the account, by name."""
    return load_all(connection, Sponsor, _SQL["load_sponsors"], {"tenant": owner_id})


def find_sponsor(connection: Connection, owner_id: UUID, ref: str) -> Sponsor:
    """The sponsor of an id, a name or the start of an id. Raises NotFound, Ambiguous."""
    sponsors = load_sponsors(connection, owner_id)
    return choose(sponsors, ref, noun="sponsor", names=lambda item: (item.sponsor_id, item.name))


def create_campaign(connection: Connection, owner_id: UUID, campaign: NewCampaign) -> Campaign:
    """The campaign is there, as a draft. Raises PromoCodeTaken."""
    _check_code_is_free(connection, owner_id, campaign)
    facts = {item.name: getattr(campaign, item.name) for item in fields(campaign)} | {
        "tenant": owner_id,
        "episode_ids": list(campaign.episode_ids),
        "attribution_config": Jsonb(
            to_json(campaign.attribution_config) | {"method": campaign.attribution_config.method}
        ),
    }
    return _made(find_one(connection, Campaign, _SQL["create_campaign"], facts))


def _check_code_is_free(connection: Connection, owner_id: UUID, campaign: NewCampaign) -> None:
    code = campaign.attribution_config.promo_code
    if not code:
        return
    facts = {
        "tenant": owner_id,
        "sponsor_id": campaign.sponsor_id,
        "promo_code": code,
        "start_date": campaign.start_date,
        "end_date": campaign.end_date,
    }
    load_scalars(connection, _SQL["lock_sponsor"], facts)
    if holders := load_scalars(connection, _SQL["find_code_holder"], facts):
        raise PromoCodeTaken(code=code, holder=holders[0])


def load_campaigns(connection: Connection, owner_id: UUID) -> list[Campaign]:
    """Every campaign of the account, newest flight first."""
    return load_all(connection, Campaign, _SQL["load_campaigns"], {"tenant": owner_id})


def find_campaign(connection: Connection, owner_id: UUID, ref: str) -> Campaign:
    """The campaign of an id, a name or the start of an id. Raises NotFound, Ambiguous."""
    campaigns = load_campaigns(connection, owner_id)
    return choose(campaigns, ref, noun="campaign", names=lambda item: (item.campaign_id, item.name))


def save_campaign_status(connection: Connection, owner_id: UUID, campaign_id: UUID, status: CampaignStatus) -> Campaign:
    """The campaign has moved on. Raises StatusRefused with the moves there are, NotFound."""
    check_choice(status, CampaignStatus, field="status")
    facts = {"tenant": owner_id, "campaign_id": campaign_id, "status": status}
    campaign = find_one(connection, Campaign, _SQL["lock_campaign"], facts)
    if campaign is None:
        raise NotFound(noun="campaign", key=campaign_id)
    allowed = STATUS_TRANSITIONS[campaign.status]
    if status not in allowed:
        raise StatusRefused(
            name=campaign.name,
            status=campaign.status,
            wanted=status,
            allowed=" or ".join(sorted(allowed)) or "nothing else",
        )
    return _made(find_one(connection, Campaign, _SQL["save_campaign_status"], facts))


def limit_campaign(connection: Connection, owner_id: UUID, campaign_id: UUID) -> Campaign:
    """The campaign lists the episodes that it is placed in, so it runs in no others. Raises NotFound."""
    facts: dict[str, object] = {"tenant": owner_id, "campaign_id": campaign_id}
    campaign = find_one(connection, Campaign, _SQL["lock_campaign"], facts)
    if campaign is None:
        raise NotFound(noun="campaign", key=campaign_id)
    placed = (item.episode_id for item in load_placements(connection, owner_id, campaign_id))
    facts["episode_ids"] = list(dict.fromkeys((*campaign.episode_ids, *placed)))
    return _made(find_one(connection, Campaign, _SQL["save_campaign_episodes"], facts))


def create_placement(connection: Connection, owner_id: UUID, placement: NewPlacement) -> Placement:
    """The placement is there, and the days on which its ad could be heard wait to be measured.

    Raises InvalidInput if the episode is of another show, Conflict if it is there.
    """
    facts = {item.name: getattr(placement, item.name) for item in fields(placement)} | {"tenant": owner_id}
    where = (placement.episode_id, placement.position, placement.start_seconds)
    for known in load_placements(connection, owner_id, placement.campaign_id):
        if (known.episode_id, known.position, known.start_seconds) == where:
            detail = f"the campaign has a {known.position}-roll in this episode at this place already"
            raise Conflict(noun="placement", key=known.placement_id, detail=detail)
    made = find_one(connection, Placement, _SQL["create_placement"], facts)
    if made is None:
        raise InvalidInput(field="episode", detail="is not an episode of the campaign's show")
    mark_ad_days(connection, owner_id, made.episode_id, [made.campaign_id])
    return made


def load_placements(connection: Connection, owner_id: UUID, campaign_id: UUID | None = None) -> list[Placement]:
    """The placements of a campaign, or of every campaign, in the order of their episodes."""
    name = "load_all_placements" if campaign_id is None else "load_placements"
    return load_all(connection, Placement, _SQL[name], {"tenant": owner_id, "campaign_id": campaign_id})


def choose(items: Sequence[Item], ref: str, *, noun: str, names: Callable[[Item], tuple[UUID, str]]) -> Item:
    """The one item that `ref` means: its id, its name, its name in other case, or the start of its id, in this order.

    Raises NotFound, Ambiguous.
    """
    wanted = ref.strip()
    tests: tuple[Callable[[UUID, str], bool], ...] = (
        lambda key, _: str(key) == wanted.lower(),
        lambda _, name: name == wanted,
        lambda _, name: name.casefold() == wanted.casefold(),
        lambda key, _: len(wanted) >= _PREFIX_LENGTH and str(key).startswith(wanted.lower()),
    )
    for test in tests:
        found = [item for item in items if test(*names(item))]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(f"{name} ({key})" for key, name in map(names, found[:5]))
            raise Ambiguous(noun=noun, key=ref, count=len(found), candidates=some)
    raise NotFound(noun=noun, key=ref)


def _made(row: Item | None) -> Item:
    if row is None:
        raise AssertionError
    return row
