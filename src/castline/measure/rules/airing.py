"""The account's ads as they are on the air, and the campaigns of what players tell of them."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from castline.measure.rules.ads import Ad, find_ads
from castline.store.entities.ads import PlayedPlace, load_ad_slots, name_player_ads
from castline.store.entities.campaigns import load_campaigns, load_placements
from castline.store.pool import Connection


def load_ads(connection: Connection, owner_id: UUID) -> list[Ad]:
    """Every ad of the account's campaigns, by episode and place."""
    campaigns, placements = load_campaigns(connection, owner_id), load_placements(connection, owner_id)
    return find_ads(campaigns, placements, load_ad_slots(connection, owner_id))


def name_heard_ads(connection: Connection, owner_id: UUID, days: Sequence[date], ads: Iterable[Ad]) -> int:
    """What players told of ads on the UTC days has its campaign, by their words or by its place; how many changed."""
    places = [
        PlayedPlace(ad.campaign_id, ad.episode_id, *ad.seconds, ad.start_at, ad.end_at) for ad in ads if ad.seconds
    ]
    return name_player_ads(connection, owner_id, days, places)
