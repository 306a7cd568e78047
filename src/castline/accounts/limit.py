"""Limits by address, account and key: fixed windows counted in the cache.

Sign-in is closed while the cache is away (its errors pass through); what machines deliver is let in.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from castline.base.clock import now
from castline.base.errors import CastlineError, Transient
from castline.store.cache import Cache

_WINDOW_SECONDS: Final = 900
_TRIES_PER_ACCOUNT: Final = 10
_TRIES_PER_ADDRESS: Final = 50  # an office shares one address
_KEY_WINDOW_SECONDS: Final = 60
_REQUESTS_PER_KEY: Final = 600


class TooMany(Transient):
    """Too many {what}; the next is taken in {seconds} s."""

    fix = "Wait, and send fewer at once."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a window."""

    limit: int
    remaining: int
    reset_seconds: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts what is limited and refuses what is too much."""

    cache: Cache

    def check_sign_in(self, address: str, email: str) -> None:
        """One more try to sign in is counted. Raises TooMany, and the cache's error when nothing can be counted."""
        self._check(_address_key(address), _TRIES_PER_ADDRESS, _WINDOW_SECONDS, "sign-in attempts")
        self._check(_account_key(email), _TRIES_PER_ACCOUNT, _WINDOW_SECONDS, "sign-in attempts")

    def forget_sign_in(self, address: str, email: str) -> None:
        """A try succeeded: the account's tries are forgotten, and the address has one more.

        Not all of the address: whoever has an account here could otherwise try others' for ever.
        """
        self.cache.delete(_account_key(email))
        self.cache.count(_address_key(address), _WINDOW_SECONDS, step=-1)

    def check_key(self, api_key_id: UUID) -> Allowance:
        """One more request of the key is counted. Raises TooMany; without a cache nothing is limited."""
        try:
            return self._check(f"key:{api_key_id}", _REQUESTS_PER_KEY, _KEY_WINDOW_SECONDS, "requests with this key")
        except TooMany:
            raise
        except CastlineError:
            return Allowance(_REQUESTS_PER_KEY, _REQUESTS_PER_KEY, _KEY_WINDOW_SECONDS)

    def _check(self, key: str, limit: int, seconds: int, what: str) -> Allowance:
        counted = self.cache.count(key, seconds)
        left = _seconds_until(counted.expires_at)
        if counted.count > limit:
            raise TooMany(what=what, seconds=left, limit=limit, retry_after=float(left))
        return Allowance(limit, limit - counted.count, left)


def _address_key(address: str) -> str:
    return f"signin:address:{address}"


def _account_key(email: str) -> str:
    # Hashed: what people type into the address field can be a password.
    return f"signin:account:{sha256(email.strip().lower().encode()).hexdigest()}"


def _seconds_until(moment: datetime) -> int:
    return max(1, round((moment - now()).total_seconds()))
