"""The door to Redis: the only place that opens it, and its errors leave as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import redis
from redis.exceptions import RedisError

from castline.base.errors import ConfigurationError, Transient

_SECONDS: Final = 2.0  # a page must not hang on a cache


class RedisUnavailable(Transient):
    """No Redis answers at {address}: {detail}"""

    fix = "Start it, or unset REDIS_URL to keep sessions and the cache in PostgreSQL."


def open_redis(url: str) -> "redis.Redis":
    """A client of the Redis at `url`; nothing is sent yet. Raises ConfigurationError."""
    try:
        return redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, decode_responses=False
        )
    except ValueError as error:
        raise ConfigurationError(setting="REDIS_URL", detail=str(error)) from error


@contextmanager
def translated_redis_errors(url: str) -> Iterator[None]:
    """Errors of the driver leave as RedisUnavailable, without the password that the URL may hold."""
    try:
        yield
    except RedisError as error:
        parts = urlsplit(url)
        address = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
        raise RedisUnavailable(address=address, detail=str(error), retry_after=5.0) from error
