"""Whose episode it is: what the intake asks before an account is known, in the system role."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.store.rows import load_all
from castline.store.sql import load_sql

_SQL: Final = load_sql("claims")


@dataclass(frozen=True, slots=True)
class OwnerClaim:
    """A name (a host, a show's guid, an account's id) and the account that it belongs to."""

    name: str
    owner_id: UUID


@dataclass(frozen=True, slots=True)
class EpisodeClaim:
    """A name (an audio key, a guid, an id) and the episode of an account that bears it."""

    name: str
    owner_id: UUID
    podcast_id: UUID
    episode_id: UUID
    duration_seconds: int | None
    show_guid: str | None = None
    created_at: datetime | None = None


def find_audio_claims(connection: Connection, keys: Collection[str]) -> list[EpisodeClaim]:
    """The episodes of whichever account that these audio keys lead to, former ones included, oldest show first."""
    return load_all(connection, EpisodeClaim, _SQL["find_audio_claims"], {"keys": list(keys)}) if keys else []


def find_guid_claims(connection: Connection, guids: Collection[str]) -> list[EpisodeClaim]:
    """The episodes of whichever account that bear these guids, oldest show first."""
    return load_all(connection, EpisodeClaim, _SQL["find_guid_claims"], {"guids": list(guids)}) if guids else []


def find_id_claims(connection: Connection, episode_ids: Collection[UUID]) -> list[EpisodeClaim]:
    """The episodes of these ids."""
    if not episode_ids:
        return []
    return load_all(connection, EpisodeClaim, _SQL["find_id_claims"], {"episode_ids": list(episode_ids)})


def find_show_claims(connection: Connection, guids: Collection[str]) -> list[OwnerClaim]:
    """The accounts that have the shows of these podcast:guids, oldest show first."""
    return load_all(connection, OwnerClaim, _SQL["find_show_claims"], {"guids": list(guids)}) if guids else []


def find_host_claims(connection: Connection, hosts: Collection[str]) -> list[OwnerClaim]:
    """The hosts that only one account has episodes on."""
    return load_all(connection, OwnerClaim, _SQL["find_host_claims"], {"hosts": list(hosts)}) if hosts else []


def load_owners(connection: Connection) -> list[OwnerClaim]:
    """Every active account."""
    return load_all(connection, OwnerClaim, _SQL["load_owners"])
