"""Whose pixel it is: the one question that a hit on a sponsor's page asks before an account is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.store.rows import load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("pixels")


@dataclass(frozen=True, slots=True)
class Pixel:
    """A campaign's pixel: the account that it reports to and the sponsor on whose pages it stands."""

    campaign_id: UUID
    owner_id: UUID
    sponsor_id: UUID


def find_pixels(connection: Connection, campaign_ids: Iterable[UUID]) -> dict[UUID, Pixel]:
    """The pixels of those ids that are campaigns, by id."""
    pixels = load_all(connection, Pixel, _SQL["find_pixels"], {"campaign_ids": list(campaign_ids)})
    return {pixel.campaign_id: pixel for pixel in pixels}
