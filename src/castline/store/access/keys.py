"""API keys at rest: a prefix to find a key by, a hash to know it by, never the key."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import Connection

from castline.model.account import ApiKey
from castline.store.rows import find_one, load_all, save
from castline.store.sql import load_sql

_SQL: Final = load_sql("keys")


def create_key(connection: Connection, key: ApiKey) -> ApiKey:
    """The key is kept as its hash; its id and time are the store's."""
    facts = {
        "tenant": key.user_id,
        "prefix": key.prefix,
        "key_hash": key.key_hash,
        "name": key.name,
        "scopes": list(key.scopes),
        "expires_at": key.expires_at,
    }
    created = find_one(connection, ApiKey, _SQL["create_key"], facts)
    if created is None:
        raise AssertionError
    return created


def load_keys(connection: Connection, owner_id: UUID) -> list[ApiKey]:
    """The account's keys, newest first, revoked ones too."""
    return load_all(connection, ApiKey, _SQL["load_keys"], {"tenant": owner_id})


def find_key_by_prefix(connection: Connection, prefix: str) -> ApiKey | None:
    """The key of whichever account bears the prefix; for the system role, which then knows the account."""
    return find_one(connection, ApiKey, _SQL["find_key_by_prefix"], {"prefix": prefix})


def save_key_use(connection: Connection, key: ApiKey, at: datetime) -> None:
    """The key was used at `at`."""
    save(connection, _SQL["save_key_use"], {"tenant": key.user_id, "api_key_id": key.api_key_id, "at": at})


def revoke_key(connection: Connection, owner_id: UUID, api_key_id: UUID, at: datetime) -> bool:
    """The key opens nothing any more; False if it is not the account's or was revoked before."""
    return save(connection, _SQL["revoke_key"], {"tenant": owner_id, "api_key_id": api_key_id, "at": at}) > 0
