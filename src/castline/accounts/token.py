"""API keys: `cl_<prefix>_<secret>`, 160 secret bits, shown once and kept as a hash.

The prefix finds the row, the hash of the whole key proves it; SHA-256 is enough, for nobody guesses 160 random bits.
"""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from castline.base.clock import now
from castline.base.errors import InvalidInput, NotFound, Terminal
from castline.model.account import ApiKey
from castline.model.vocab import Scope
from castline.store.access.accounts import find_user
from castline.store.access.keys import create_key, find_key_by_prefix, load_keys, revoke_key, save_key_use
from castline.store.pool import Store

_KEY: Final = re.compile(r"^(cl_[a-z2-7]{8})_[a-z2-7]{32}$")
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


class KeyRefused(Terminal):
    """The API key is not valid: {detail}"""

    fix = "Make one with `castline admin key create`, and send it as `Authorization: Bearer cl_...`."


class ScopeMissing(Terminal):
    """The API key may not do this: it has the scopes {scopes}, and {needed} is needed."""

    fix = "Make a key with `castline admin key create --scope {needed}`."


class UnknownKey(NotFound):
    """No API key {key} in this account."""

    fix = "`castline admin key list` shows the keys."


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only time that `secret` is known."""

    key: ApiKey
    secret: str


def issue_key(store: Store, owner_id: UUID, name: str, scopes: tuple[Scope, ...], days: int | None) -> NewKey:
    """A new key of the account, valid for `days` days (None: until it is revoked). Raises InvalidInput."""
    if not scopes:
        raise InvalidInput(field="scope", detail="a key needs one scope at least")
    if days is not None and days < 1:
        raise InvalidInput(field="expires_days", detail="must be one day at least")
    prefix = f"cl_{_random_text(5)}"
    secret = f"{prefix}_{_random_text(20)}"
    made_at = now()
    key = ApiKey(
        api_key_id=uuid4(),
        user_id=owner_id,
        prefix=prefix,
        key_hash=_hash(secret),
        name=name,
        scopes=scopes,
        created_at=made_at,
        expires_at=made_at + timedelta(days=days) if days else None,
        last_used_at=None,
        revoked_at=None,
    )
    with store.account(owner_id) as connection:
        return NewKey(create_key(connection, key), secret)


def authenticate(store: Store, secret: str, *, at: datetime) -> ApiKey:
    """The key that the secret belongs to, valid at `at`. Raises KeyRefused, with one message for unknown and wrong."""
    match = _KEY.match(secret)
    if match is None:
        raise KeyRefused(detail="it has not the form of one")
    with store.system() as connection:
        key = find_key_by_prefix(connection, match[1])
        known = hmac.compare_digest(_hash(secret), key.key_hash if key else bytes(32))
        owner = find_user(connection, key.user_id) if key and known else None
        if key is None or not known or owner is None:
            raise KeyRefused(detail="there is no such key")
        _check_alive(key, at, is_active=owner.is_active)
        if key.last_used_at is None or at - key.last_used_at >= _USE_NOTED_EVERY:
            save_key_use(connection, key, at)
    return key


def check_scope(key: ApiKey, needed: Scope) -> None:
    """The key may do what the scope names. Raises ScopeMissing."""
    if needed not in key.scopes:
        raise ScopeMissing(scopes=", ".join(key.scopes), needed=needed)


def withdraw_key(store: Store, owner_id: UUID, ref: str) -> ApiKey:
    """The account's key of this id or prefix opens nothing any more. Raises NotFound."""
    with store.account(owner_id) as connection:
        for key in load_keys(connection, owner_id):
            if ref in {str(key.api_key_id), key.prefix}:
                revoke_key(connection, owner_id, key.api_key_id, now())
                return key
    raise UnknownKey(key=ref)


def _check_alive(key: ApiKey, at: datetime, *, is_active: bool) -> None:
    if key.revoked_at is not None:
        raise KeyRefused(detail=f"it was revoked at {key.revoked_at:%Y-%m-%d %H:%M} UTC")
    if key.expires_at is not None and key.expires_at <= at:
        raise KeyRefused(detail=f"it expired at {key.expires_at:%Y-%m-%d %H:%M} UTC")
    if not is_active:
        raise KeyRefused(detail="its account is deactivated")


def _random_text(byte_count: int) -> str:
    return base64.b32encode(secrets.token_bytes(byte_count)).decode().lower()


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
